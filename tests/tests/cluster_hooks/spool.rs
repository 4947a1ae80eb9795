//! A ledger that is full of deliveries whose spans nobody has taken.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use stagelink_tests::{is_root, spans, stderr, wait_until};

use crate::application::{Application, application};
use crate::killed::kill;
use crate::proxy::{Moment, Plain};

const LEDGER: &str = "shop-dev-stagelink-ledger";
const SPANS: &str = "shop-dev-stagelink-ledger-spans";

/// Deliveries before the one that finds no room.
const DELIVERIES: u64 = 24;

/// A chart with other content for another text.
fn parameters(content: &str) -> Value {
    let values = format!("tasks: {{check: [/probe, sleep, {content}]}}");
    json!([
        {"name": "keptn-resources", "string": "omit"},
        {"name": "values", "string": values},
    ])
}

/// Makes more of the only delivery, each with much to tell, as if nobody had taken a span of any.
fn fill(application: &Application) {
    let mut map = application.get("configmap", LEDGER);
    let mut ledger = application.ledger();
    let mut delivery = ledger["deliveries"][0].clone();
    let attempt = &mut delivery["attempts"][0];
    attempt["exported"] = json!({"file": []});
    attempt["phases"][0]["items"][0]["message"] = json!("x".repeat(25_000));
    let deliveries = (1..=DELIVERIES).map(|number| {
        let mut delivery = delivery.clone();
        delivery["number"] = json!(number);
        delivery
    });
    ledger["deliveries"] = deliveries.collect();
    map["data"]["ledger.json"] = json!(ledger.to_string());
    application.kubectl(&["replace", "-f", "-"], Some(&map.to_string()));
}

/// The attempts that were put away.
fn put_away(application: &Application) -> BTreeSet<String> {
    let map = application.get("configmap", SPANS);
    let data = map["data"].as_object();
    data.into_iter()
        .flat_map(|data| data.keys().cloned())
        .collect()
}

#[test]
fn spans_that_a_full_ledger_has_no_room_for_are_sent_when_they_can_be() {
    let Some(application) = application("spans beside a full ledger") else {
        return;
    };
    let start = jiff::Timestamp::now().as_second();
    // A folder is in the place of the file: nobody takes any span.
    fs::create_dir(application.spans_file()).unwrap();
    let sync = application.sync(parameters("100ms"), start);
    assert!(sync.hook("PreSync").status.success());
    sync.apply(&["Deployment"]);
    let after = sync.hook("PostSync");
    let text = stderr(&after);
    assert!(after.status.success(), "{text}");
    assert!(text.contains("spans could not be sent by file: "), "{text}");
    fill(&application);

    // The next delivery is killed when it has put some away, and not yet saved the ledger.
    let plain = Plain::new(&application);
    let sync = application.sync(parameters("101ms"), start + 60);
    let created = 3;
    assert!(kill(&sync, &plain, ("PreSync", created, Moment::After)));
    let before_ledger = application.ledger();
    let away = put_away(&application);
    assert!(away.len() > 2 && away.contains("1.1"), "{away:?}");
    assert!(before_ledger["spooled"].is_null());
    let count = |ledger: &Value| ledger["deliveries"].as_array().unwrap().len() as u64;
    assert_eq!(count(&before_ledger), DELIVERIES);

    // It runs again, and nothing is there twice.
    let before = sync.hook("PreSync");
    assert!(before.status.success(), "{}", stderr(&before));
    sync.apply(&["Deployment"]);
    let after = sync.hook("PostSync");
    assert!(after.status.success(), "{}", stderr(&after));
    assert!(put_away(&application).is_superset(&away));
    let ledger = application.ledger();
    assert_eq!(ledger["spooled"], true);
    assert_eq!(count(&ledger), DELIVERIES + 1);
    assert_eq!(ledger["deliveries"][0]["attempts"][0]["spooled"], true);

    // Somebody takes spans again, while nothing is delivered: the next hook sends them all.
    fs::remove_dir(application.spans_file()).unwrap();
    let sync = application.sync(parameters("101ms"), start + 120);
    let known = sync.hook("PreSync");
    let text = stderr(&known);
    assert!(text.contains("had already passed"), "{text}");
    assert!(!text.contains("warning: "), "{text}");
    let mut traces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for span in spans(&application.spans_file()) {
        let trace = span["traceId"].as_str().unwrap().to_owned();
        traces.entry(trace).or_default().push(span);
    }
    assert_eq!(traces.len() as u64, DELIVERIES + 1);
    let whole = traces.values().map(Vec::len).max().unwrap();
    assert!(whole > 5);
    for (trace, spans) in &traces {
        assert_eq!(spans.len(), whole, "{trace}");
        let ids: BTreeSet<&str> = spans
            .iter()
            .map(|span| span["spanId"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), whole, "{trace}");
        assert_eq!(spans.iter().filter(|span| is_root(span)).count(), 1);
    }
    let left = put_away(&application);
    assert!(left.is_empty(), "{left:?}");
    let ledger = application.ledger();
    assert!(!ledger.to_string().contains("spooled"), "{ledger}");

    // Nothing is left to be sent: nobody looks for it any more.
    let again = application.sync(parameters("101ms"), start + 180);
    let known = again.hook("PreSync");
    let text = stderr(&known);
    let calls = "3 API calls: get configmaps 2, get deployments 1";
    assert!(text.contains(calls), "{text}");

    // It goes with the ledger.
    application.kubectl(&["delete", "configmap", LEDGER], None);
    wait_until("what lay beside the ledger is gone", || {
        let find = [
            "get",
            "configmap",
            SPANS,
            "--ignore-not-found",
            "-o",
            "name",
        ];
        application.kubectl(&find, None).is_empty()
    });
}
