//! A ledger that somebody deletes, cuts or edits while a delivery is under way.

use std::process::Stdio;

use serde_json::{Value, json};
use stagelink_tests::{stderr, wait_until};

use crate::application::{Application, Operation, application, parameters};
use crate::killed::check;

const LEDGER: &str = "shop-dev-stagelink-ledger";

fn begin(application: &Application) -> Operation<'_> {
    application.sync(parameters(), jiff::Timestamp::now().as_second())
}

/// Runs a hook that passes.
fn pass(sync: &Operation<'_>, hook: &str) {
    if hook == "PostSync" {
        sync.apply(&["Deployment"]);
    }
    let output = sync.hook(hook);
    assert!(output.status.success(), "{hook}: {}", stderr(&output));
}

fn map(application: &Application) -> Value {
    application.get("configmap", LEDGER)
}

/// Puts a text in place of the ledger's.
fn write(application: &Application, text: &str) {
    let patch = json!({"data": {"ledger.json": text}}).to_string();
    application.kubectl(
        &["patch", "configmap", LEDGER, "--type=merge", "-p", &patch],
        None,
    );
}

fn text(application: &Application) -> String {
    map(application)["data"]["ledger.json"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_ledger_that_is_deleted_while_a_hook_runs_is_written_again() {
    let Some(application) = application("a ledger that is deleted") else {
        return;
    };
    let values = json!({"name": "values", "string": "tasks: {check: [/probe, sleep, 4s]}"});
    let mut with_values = parameters();
    with_values.as_array_mut().unwrap().push(values);
    let sync = application.sync(with_values, jiff::Timestamp::now().as_second());
    let kubeconfig = application.hooks_kubeconfig();
    let mut hook = sync.hook_command("PreSync", &kubeconfig);
    let hook = hook.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let hook = hook.unwrap();
    let begun = |ledger: &Value| {
        let phases = &ledger["deliveries"][0]["attempts"][0]["phases"];
        phases[0]["items"][0].is_object()
    };
    let mut id = Value::Null;
    wait_until("the task has begun", || {
        let data = map(&application)["data"]["ledger.json"].clone();
        let ledger: Value = serde_json::from_str(data.as_str().unwrap_or("{}")).unwrap();
        id = ledger["id"].clone();
        begun(&ledger)
    });
    application.kubectl(&["delete", "configmap", LEDGER], None);
    let output = hook.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(application.ledger()["id"], id);
    pass(&sync, "PostSync");
    check(&application, &"deleted while a hook runs");
}

#[test]
fn a_ledger_that_is_deleted_between_two_hooks_begins_anew() {
    let Some(application) = application("a ledger that is deleted between hooks") else {
        return;
    };
    let sync = begin(&application);
    pass(&sync, "PreSync");
    let id = application.ledger()["id"].clone();
    application.kubectl(&["delete", "configmap", LEDGER], None);
    // Nobody knows any more what was checked: PostSync does it.
    pass(&sync, "PostSync");
    let ledger = application.ledger();
    assert_ne!(ledger["id"], id);
    let attempt = &ledger["deliveries"][0]["attempts"][0];
    assert_eq!(attempt["outcome"], "pass", "{attempt:#}");
    assert_eq!(attempt["phases"][0]["items"][0]["outcome"], "pass");
}

#[test]
fn a_ledger_that_cannot_be_read_stops_the_delivery_until_it_is_restored() {
    let Some(application) = application("a ledger that is damaged") else {
        return;
    };
    let sync = begin(&application);
    pass(&sync, "PreSync");
    let whole = text(&application);
    let edited = whole.replacen("\"pass\"", "\"great\"", 1);
    assert_ne!(edited, whole);
    for damaged in [&whole[..whole.len() / 2], "", "not: json", &edited] {
        write(&application, damaged);
        let before = map(&application);
        sync.apply(&["Deployment"]);
        for hook in ["PostSync", "SyncFail"] {
            let output = sync.hook(hook);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{said}");
            assert!(
                said.contains(LEDGER) && said.contains("damaged") && said.contains("restore it"),
                "{said}"
            );
        }
        assert_eq!(map(&application), before, "{damaged}");
    }
    write(&application, &whole);
    pass(&sync, "PostSync");
    check(&application, &"damaged and restored");
}

#[test]
fn what_a_person_decides_in_a_ledger_counts() {
    let Some(application) = application("a ledger that is edited") else {
        return;
    };
    let sync = begin(&application);
    pass(&sync, "PreSync");
    // Somebody takes back that the check passed, and says why.
    let mut ledger = application.ledger();
    let phase = &mut ledger["deliveries"][0]["attempts"][0]["phases"][0];
    phase["outcome"] = json!("fail");
    phase["reason"] = json!("withdrawn by hand");
    write(&application, &ledger.to_string());
    sync.apply(&["Deployment"]);
    let output = sync.hook("PostSync");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    let last = said.lines().last().unwrap();
    assert_eq!(
        last,
        "PostSync: fail, delivery 1 attempt 1: withdrawn by hand"
    );
}
