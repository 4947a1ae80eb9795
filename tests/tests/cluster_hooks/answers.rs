//! An API server that answers wrongly, late or not at all: the delivery takes longer, and comes to the same end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use stagelink_tests::stderr;

use crate::application::{application, parameters};
use crate::killed::check;
use crate::proxy::{Moment, Plain, Proxy, Way, Ways};

/// Deliveries at once: they wait, mostly.
const AT_ONCE: usize = 5;

/// Every n-th request goes another way.
fn every(nth: usize, way: Way) -> Ways {
    Arc::new(
        move |number, _| {
            if number % nth == 0 { way } else { Way::Passes }
        },
    )
}

/// Every n-th request of a kind does.
fn every_of(kind: &'static str, nth: usize, way: Way) -> Ways {
    let count = Mutex::new(0);
    Arc::new(move |_, what| {
        if !what.contains(kind) {
            return Way::Passes;
        }
        let mut count = count.lock().unwrap();
        *count += 1;
        if *count % nth == 1 { way } else { Way::Passes }
    })
}

#[test]
fn a_delivery_passes_whatever_the_api_server_answers_for_a_while() {
    let Some(first) = application("an API server that answers wrongly") else {
        return;
    };
    let plain = Plain::new(&first);
    let cases: Vec<(&str, Ways)> = vec![
        ("429", every(2, Way::Refused(429))),
        ("500", every(2, Way::Refused(500))),
        ("502", every(2, Way::Refused(502))),
        ("503", every(2, Way::Refused(503))),
        ("504", every(2, Way::Refused(504))),
        ("409 for writes", every_of("PATCH ", 2, Way::Refused(409))),
        (
            "410 for watches",
            every_of("watch=true", 2, Way::Refused(410)),
        ),
        (
            "watches that are too old",
            every_of("watch=true", 2, Way::Expired),
        ),
        (
            "connections that break",
            every(2, Way::Broken(Moment::Before)),
        ),
        (
            "connections that break when it is done",
            every(2, Way::Broken(Moment::After)),
        ),
        ("half of an answer", every(2, Way::Cut)),
        ("slow", every(1, Way::Slow(Duration::from_millis(500)))),
    ];
    let cases = Mutex::new(cases);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((name, ways)) = cases.lock().unwrap().pop() else {
                        return;
                    };
                    deliver(name, &ways, &plain);
                }
            });
        }
    });
}

fn deliver(name: &str, ways: &Ways, plain: &Plain) {
    let application = application(name).unwrap();
    let sync = application.sync(parameters(), jiff::Timestamp::now().as_second());
    for hook in ["PreSync", "PostSync"] {
        if hook == "PostSync" {
            sync.apply(&["Deployment"]);
        }
        let proxy = Proxy::with_ways(&application, plain, Arc::clone(ways));
        let output = sync.hook_command(hook, &proxy.kubeconfig).output().unwrap();
        assert!(
            output.status.success(),
            "{name}: {}\n{:#?}",
            stderr(&output),
            proxy.requests()
        );
    }
    check(&application, &name);
    application.delete();
}
