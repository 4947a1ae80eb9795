//! A hook that is killed at every one of its requests, and runs again as its Job would have it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stagelink_tests::{LONGEST_WAIT, is_root, spans, stderr};

use crate::application::{Application, Operation, application, parameters};
use crate::proxy::{Moment, Plain, Proxy};

/// Deliveries at once.
const AT_ONCE: usize = 4;

/// Where a hook dies: which one, at which request, when.
pub(crate) type Fault = (&'static str, usize, Moment);

/// Runs a hook that dies at a request; false if it came to its end before.
pub(crate) fn kill(
    operation: &Operation<'_>,
    plain: &Plain,
    (hook, number, moment): Fault,
) -> bool {
    let proxy = Proxy::new(operation.application, plain, Some((number, moment)));
    let mut child = operation
        .hook_command(hook, &proxy.kubeconfig)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let reached = loop {
        match proxy.reached.recv_timeout(Duration::from_millis(20)) {
            Ok(go_on) => break Some(go_on),
            Err(RecvTimeoutError::Disconnected) => panic!("the proxy has ended"),
            Err(RecvTimeoutError::Timeout) if child.try_wait().unwrap().is_some() => break None,
            Err(RecvTimeoutError::Timeout) => {
                assert!(begun.elapsed() < LONGEST_WAIT, "{hook} hangs")
            }
        }
    };
    // SIGKILL; the request goes on, or not, with nobody to hear of it.
    let _ = child.kill();
    child.wait().unwrap();
    reached.is_some()
}

/// A delivery, with one hook killed if `fault` says so; false if that hook came to its end before.
fn deliver(application: &Application, plain: &Plain, fault: Option<Fault>) -> bool {
    let sync = application.sync(parameters(), jiff::Timestamp::now().as_second());
    let mut killed = fault.is_none();
    for hook in ["PreSync", "PostSync"] {
        if hook == "PostSync" {
            sync.apply(&["Deployment"]);
        }
        if let Some(fault) = fault.filter(|(of, ..)| *of == hook) {
            killed = kill(&sync, plain, fault);
        }
        let output = sync.hook(hook);
        assert!(output.status.success(), "{fault:?}: {}", stderr(&output));
        let last = stderr(&output)
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned();
        let expected = format!("{hook}: pass, delivery 1 attempt 1");
        assert!(last.starts_with(&expected), "{fault:?}: {last}");
    }
    killed
}

/// What must be so after any delivery that passed, however often its hooks died.
pub(crate) fn check(application: &Application, fault: &impl Debug) {
    let ledger = application.ledger();
    let deliveries = ledger["deliveries"].as_array().unwrap();
    let attempts = deliveries[0]["attempts"].as_array().unwrap();
    assert_eq!(
        (deliveries.len(), attempts.len()),
        (1, 1),
        "{fault:?}: {ledger}"
    );
    assert_eq!(attempts[0]["outcome"], "pass", "{fault:?}: {ledger}");

    // Each task has one Job, which ran one pod, once.
    let list = |kind: &str| -> Vec<Value> {
        let text = application.kubectl(&["get", kind, "-o", "json"], None);
        let mut list: Value = serde_json::from_str(&text).unwrap();
        serde_json::from_value(list["items"].take()).unwrap()
    };
    let owner = |object: &Value| {
        let owner = &object["metadata"]["ownerReferences"][0];
        (owner["kind"] == "Job").then(|| owner["name"].as_str().unwrap().to_owned())
    };
    let jobs = list("jobs");
    let tasks: Vec<&Value> = jobs.iter().filter(|job| owner(job).is_some()).collect();
    assert_eq!(tasks.len(), 2, "{fault:?}: {tasks:?}");
    let mut pods: BTreeMap<String, usize> = BTreeMap::new();
    for pod in list("pods") {
        if let Some(job) = owner(&pod) {
            let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
            assert_eq!(*restarts, 0, "{fault:?}: {pod}");
            *pods.entry(job).or_default() += 1;
        }
    }
    assert_eq!(pods.into_values().collect::<Vec<_>>(), [1, 1], "{fault:?}");

    // It is proposed to the next stage once, whatever was pushed before a hook died.
    let promotion = "promotion/shop/prod";
    assert_eq!(application.repository.branches(), [promotion], "{fault:?}");
    let commits = application.repository.commits(promotion);
    assert_eq!(commits.len(), 1, "{fault:?}");

    // Nothing is told twice, whichever hook told it. What was being written when a hook died may be missing.
    let events = list("events");
    let mut told: Vec<(String, &str)> = events
        .iter()
        .filter(|event| event["source"]["component"] == "stagelink")
        .map(|event| {
            let span = &event["metadata"]["annotations"]["traceparent"];
            (span.to_string(), event["reason"].as_str().unwrap())
        })
        .collect();
    told.sort();
    let count = told.len();
    told.dedup();
    assert_eq!(told.len(), count, "{fault:?}: {events:?}");

    let spans = spans(&application.spans_file());
    let roots = spans.iter().filter(|span| is_root(span)).count();
    assert_eq!(roots, 1, "{fault:?}: {spans:?}");
}

#[test]
fn a_hook_that_is_killed_at_any_request_is_carried_on_by_the_next() {
    let Some(undisturbed) = application("hooks that are killed") else {
        return;
    };
    let plain = Plain::new(&undisturbed);
    // How many requests there are, of a delivery that nobody disturbs.
    let sync = undisturbed.sync(parameters(), jiff::Timestamp::now().as_second());
    let mut faults: Vec<Fault> = Vec::new();
    for hook in ["PreSync", "PostSync"] {
        if hook == "PostSync" {
            sync.apply(&["Deployment"]);
        }
        let proxy = Proxy::new(&undisturbed, &plain, None);
        let output = sync.hook_command(hook, &proxy.kubeconfig).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let requests = proxy.requests();
        assert!(requests.len() > 3, "{requests:?}");
        for number in 1..=requests.len() {
            faults.extend([Moment::Before, Moment::After].map(|moment| (hook, number, moment)));
        }
    }
    check(&undisturbed, &"nobody disturbs it");

    kill_at(faults, |fault| {
        let application = application("hooks that are killed").unwrap();
        let reached = deliver(&application, &plain, Some(fault));
        check(&application, &fault);
        application.delete();
        reached
    });
}

/// Tries all faults, several at once.
fn kill_at(faults: Vec<Fault>, kill: impl Fn(Fault) -> bool + Sync) {
    let total = faults.len();
    let (left, missed) = (Mutex::new(faults), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(fault) = left.lock().unwrap().pop() else {
                        return;
                    };
                    if !kill(fault) {
                        missed.lock().unwrap().push(fault);
                    }
                }
            });
        }
    });
    // The last requests of a run are watches that begin again, or not: few may be missed, not most.
    let missed = missed.into_inner().unwrap();
    assert!(
        missed.len() * 4 < total,
        "{total} faults, not reached: {missed:?}"
    );
}

/// A delivery whose check fails; `fault` says where its SyncFail is killed. False if that came to its end
/// before.
fn fail(application: &Application, fault: impl FnOnce(&Operation<'_>) -> bool) -> bool {
    let mut parameters = parameters();
    let values =
        json!({"name": "values", "string": "tasks: {check: [/probe, die, '3', no database]}"});
    parameters.as_array_mut().unwrap().push(values);
    let sync = application.sync(parameters, jiff::Timestamp::now().as_second());
    let failed = sync.hook("PreSync");
    assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
    let reached = fault(&sync);
    let closed = sync.hook("SyncFail");
    let said = stderr(&closed);
    assert_eq!(closed.status.code(), Some(1), "{said}");
    let reason = "check: the container ended with exit code 3: no database";
    assert!(said.contains(reason), "{said}");
    let ledger = application.ledger();
    let attempts = &ledger["deliveries"][0]["attempts"];
    assert_eq!(attempts.as_array().unwrap().len(), 1, "{ledger}");
    assert_eq!(attempts[0]["outcome"], "fail", "{ledger}");
    assert!(attempts[0]["endedAt"].is_string(), "{ledger}");
    let spans = spans(&application.spans_file());
    assert_eq!(spans.iter().filter(|span| is_root(span)).count(), 1);
    assert_eq!(application.repository.branches(), [""; 0]);
    reached
}

#[test]
fn what_failed_is_closed_once_however_often_its_hook_is_killed() {
    let Some(undisturbed) = application("SyncFail hooks that are killed") else {
        return;
    };
    let plain = Plain::new(&undisturbed);
    let mut requests = 0;
    fail(&undisturbed, |sync| {
        let proxy = Proxy::new(&undisturbed, &plain, None);
        let mut command = sync.hook_command("SyncFail", &proxy.kubeconfig);
        assert_eq!(command.output().unwrap().status.code(), Some(1));
        requests = proxy.requests().len();
        true
    });
    assert!(requests > 0);
    let faults = (1..=requests).flat_map(|number| {
        [Moment::Before, Moment::After].map(|moment| ("SyncFail", number, moment))
    });
    kill_at(faults.collect(), |fault| {
        let application = application("SyncFail hooks that are killed").unwrap();
        let reached = fail(&application, |sync| kill(sync, &plain, fault));
        application.delete();
        reached
    });
}
