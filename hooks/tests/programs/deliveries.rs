//! What a hook runs, and what it tells.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::stage::{Stage, last_line, plan, stderr, wait_until, zombie};

#[test]
fn a_delivery_passes_and_leaves_one_root_span() {
    let stage = Stage::new(&plan("echo before >> ran", "echo after >> ran"));
    let before = stage.hook("presync", "op-1", "a");
    assert_eq!(before.status.code(), Some(0), "{}", stderr(&before));
    assert_eq!(stage.roots(), 0);
    let after = stage.hook("postsync", "op-1", "a");
    assert_eq!(after.status.code(), Some(0), "{}", stderr(&after));
    assert!(last_line(&after).contains("pass"), "{}", stderr(&after));
    assert_eq!(stage.ran(), ["before", "after", "promote"]);
    assert_eq!(stage.roots(), 1);
    assert!(after.stdout.is_empty());
    // The same content again: nothing runs, nothing is written.
    let ledger = stage.ledger();
    for hook in ["presync", "postsync"] {
        let again = stage.hook(hook, "op-2", "b");
        assert_eq!(again.status.code(), Some(0));
        assert!(
            last_line(&again).contains("already passed"),
            "{}",
            stderr(&again)
        );
    }
    assert_eq!(stage.ran().len(), 3);
    assert_eq!(stage.ledger(), ledger);
    assert_eq!(stage.roots(), 1);
}

#[test]
fn a_failure_says_why_in_one_line_and_in_the_termination_log() {
    let stage = Stage::new(&plan("echo the pump is dry >&2; exit 3", "true"));
    let output = stage
        .command("presync", "op-1", "a")
        .arg("--termination-log")
        .arg(stage.path("termination"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let reason = "before: the command ended with exit code 3: the pump is dry";
    assert!(last_line(&output).ends_with(reason), "{}", stderr(&output));
    assert!(
        fs::read_to_string(stage.path("termination"))
            .unwrap()
            .ends_with(reason)
    );
    let closed = stage.hook("syncfail", "op-1", "a");
    assert_eq!(closed.status.code(), Some(1));
    assert_eq!(stage.roots(), 1);
    let attempt = &stage.ledger()["deliveries"][0]["attempts"][0];
    assert_eq!(attempt["outcome"], "fail");
    // An automatic retry remembers the verdict.
    let retry = stage.hook("presync", "op-1", "retry");
    assert_eq!(retry.status.code(), Some(1));
    assert!(last_line(&retry).ends_with(reason), "{}", stderr(&retry));
    assert_eq!(
        stage.ledger()["deliveries"][0]["attempts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn tasks_get_keptns_environment_and_no_other() {
    let mut plan = plan("env | sort > environment", "true");
    plan["taskDefinitions"]["before"]["container"]["env"] = json!([{"name": "OWN", "value": "1"}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}}]);
    let stage = Stage::new(&plan);
    fs::create_dir_all(stage.path("secrets/token")).unwrap();
    fs::write(stage.path("secrets/token/key"), "s3cret").unwrap();
    let output = stage
        .command("presync", "op-1", "a")
        .arg("--secrets")
        .arg(stage.path("secrets"))
        .env("UNRELATED", "x")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let environment = fs::read_to_string(stage.path("environment")).unwrap();
    let value = |name: &str| {
        environment
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    assert_eq!(value("OWN"), Some("1"));
    assert_eq!(value("TOKEN"), Some("s3cret"));
    assert_eq!(value("UNRELATED"), None);
    let context = value("KEPTN_CONTEXT").unwrap();
    assert!(
        context.starts_with(r#"{"workloadName":"","appName":"shop","appVersion":"v1","workloadVersion":"","taskType":"pre","objectType":"App","metadata":{"commitID":"0123456789","traceparent":"00-"#),
        "{context}"
    );
    assert!(context.contains(value("TRACEPARENT").unwrap()));
    for file in ["ledger.json", "spans.jsonl"] {
        assert!(
            !fs::read_to_string(stage.path(file))
                .unwrap()
                .contains("s3cret"),
            "{file}"
        );
    }
}

#[test]
fn a_secret_in_a_tasks_log_is_masked() {
    let mut plan = plan("echo the token is $TOKEN >&2; exit 1", "true");
    plan["taskDefinitions"]["before"]["container"]["env"] =
        json!([{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}}]);
    let stage = Stage::new(&plan);
    fs::create_dir_all(stage.path("secrets/token")).unwrap();
    fs::write(stage.path("secrets/token/key"), "s3cret").unwrap();
    let output = stage
        .command("presync", "op-1", "a")
        .arg("--secrets")
        .arg(stage.path("secrets"))
        .output()
        .unwrap();
    assert!(
        last_line(&output).ends_with("the token is •••"),
        "{}",
        stderr(&output)
    );
    assert!(
        !fs::read_to_string(stage.path("ledger.json"))
            .unwrap()
            .contains("s3cret")
    );
    // Without the secret the task is not run at all.
    let missing = Stage::new(&plan);
    let output = missing.hook("presync", "op-1", "a");
    assert!(
        last_line(&output).contains("Secret token has no key key"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn functions_run_with_the_runtime_of_this_machine() {
    let mut plan = plan("true", "true");
    plan["taskDefinitions"]["before"] = json!({
        "retries": 0,
        "python": {
            "inline": {"code": "import json, os\ndata = json.loads(os.environ['DATA'])\nopen('ran', 'a').write(data['word'] + os.environ['CMD_ARGS'] + '\\n')\nassert os.environ['SCRIPT'].endswith('function.py')\n"},
            "parameters": {"map": {"word": "<&>"}},
        },
    });
    let stage = Stage::new(&plan);
    let output = stage.hook("presync", "op-1", "a");
    let python = Command::new("python3").arg("--version").output().is_ok();
    if python {
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stage.ran(), ["<&>"]);
    } else {
        assert!(last_line(&output).contains("python3, which is not on this machine"));
    }
}

#[test]
fn a_task_that_takes_too_long_is_stopped_with_its_children() {
    let mut plan = plan("sleep 60 & echo $! > child; wait", "true");
    plan["taskDefinitions"]["before"]["timeout"] = json!("1s");
    let stage = Stage::new(&plan);
    let output = stage.hook("presync", "op-1", "a");
    assert_eq!(output.status.code(), Some(1));
    assert!(
        last_line(&output).contains("longer than its timeout of 1s"),
        "{}",
        stderr(&output)
    );
    let child = fs::read_to_string(stage.path("child")).unwrap();
    wait_until("the child is gone", || {
        !Path::new("/proc").join(child.trim()).join("cwd").exists() || zombie(child.trim())
    });
}

#[test]
fn a_task_that_fails_is_tried_again_as_often_as_its_definition_says() {
    let mut plan = plan("echo try >> ran; [ $(wc -l < ran) = 3 ]", "false");
    plan["taskDefinitions"]["before"]["retries"] = json!(5);
    plan["taskDefinitions"]["after"]["retries"] = json!(1);
    let stage = Stage::new(&plan);
    let before = stage.hook("presync", "op-1", "a");
    assert_eq!(before.status.code(), Some(0), "{}", stderr(&before));
    assert_eq!(stage.ran(), ["try", "try", "try"]);
    let after = stage.hook("postsync", "op-1", "a");
    assert_eq!(after.status.code(), Some(1), "{}", stderr(&after));
    assert!(
        last_line(&after).ends_with("after: the command ended with exit code 1 after 2 tries"),
        "{}",
        stderr(&after)
    );
}
