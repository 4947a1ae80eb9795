//! Bad input, a broken ledger, a full disk, and backends that are not there.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::stage::{Stage, last_line, plan, spawn, stderr, wait_until};

#[test]
fn what_may_not_run_is_not_run() {
    let stage = Stage::new(&plan("echo before >> ran", "true"));
    let mut command = stage.command("presync", "op-1", "a");
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let program = command.get_program().to_owned();
    let output = Command::new(program)
        .args(
            arguments
                .iter()
                .filter(|argument| *argument != "--allow-local-commands"),
        )
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        last_line(&output).contains("--allow-local-commands allows it"),
        "{}",
        stderr(&output)
    );
    assert!(stage.ran().is_empty());
    drop(command.output());
    for (container, expected) in [
        (
            json!({"image": "busybox"}),
            "runs the image busybox, which needs a cluster",
        ),
        (
            json!({"image": "x", "command": ["/no/such/program"]}),
            "is not on this machine",
        ),
    ] {
        let mut plan = plan("true", "true");
        plan["taskDefinitions"]["before"]["container"] = container;
        let output = Stage::new(&plan).hook("presync", "op-1", "a");
        assert_eq!(output.status.code(), Some(1));
        assert!(last_line(&output).contains(expected), "{}", stderr(&output));
    }
    let mut plan = plan("true", "true");
    plan["taskDefinitions"]
        .as_object_mut()
        .unwrap()
        .remove("before");
    let output = Stage::new(&plan).hook("presync", "op-1", "a");
    assert!(
        last_line(&output).contains("there is no KeptnTaskDefinition before"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn bad_input_is_an_error_that_loses_nothing() {
    // A ledger that is in use.
    let stage = Stage::new(&plan("while [ ! -e go ]; do sleep 0.02; done", "true"));
    let hook = spawn(&stage, "presync");
    wait_until("the first hook holds the ledger", || {
        stage.path("ledger.json").exists()
    });
    let output = stage.hook("presync", "op-2", "b");
    assert_eq!(output.status.code(), Some(3));
    assert!(
        last_line(&output).contains(&format!(
            "is in use by another delivery (process {})",
            hook.id()
        )),
        "{}",
        stderr(&output)
    );
    fs::write(stage.path("go"), "").unwrap();
    assert!(hook.wait_with_output().unwrap().status.success());

    // A ledger that is damaged, truncated or from the future.
    let good = fs::read_to_string(stage.path("ledger.json")).unwrap();
    for (content, expected) in [
        ("", "is damaged"),
        (&good[..good.len() / 2], "is damaged"),
        (
            "{\"version\": 7}",
            "has version 7, newer than this program reads",
        ),
    ] {
        fs::write(stage.path("ledger.json"), content).unwrap();
        let output = stage.hook("postsync", "op-1", "a");
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(last_line(&output).contains(expected), "{}", stderr(&output));
        assert_eq!(
            fs::read_to_string(stage.path("ledger.json")).unwrap(),
            content
        );
    }

    // A plan that is missing, broken or from the future.
    for (content, expected) in [
        (None, "plan.json cannot be read"),
        (Some("{"), "plan.json: the plan cannot be read"),
        (Some("{\"version\": 9}"), "the plan has version 9"),
    ] {
        let stage = Stage::new(&json!({}));
        match content {
            Some(content) => fs::write(stage.path("plan.json"), content).unwrap(),
            None => fs::remove_file(stage.path("plan.json")).unwrap(),
        }
        let output = stage.hook("presync", "op-1", "a");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(last_line(&output).contains(expected), "{}", stderr(&output));
        assert!(!stage.path("ledger.json").exists());
    }
}

#[test]
fn a_tracing_backend_that_is_not_there_changes_nothing() {
    let stage = Stage::new(&plan("true", "true"));
    for hook in ["presync", "postsync"] {
        let output = stage
            .command(hook, "op-1", "a")
            // Nothing listens on port 9 of loopback.
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
            .args(["--export-timeout", "1"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("kept in the ledger"),
            "{}",
            stderr(&output)
        );
    }
    // The file has everything, the backend nothing: what it did not take is still to be sent.
    let exported = &stage.ledger()["deliveries"][0]["attempts"][0]["exported"];
    assert_eq!(exported["otlp"], serde_json::json!([]), "{exported}");
    assert_eq!(stage.roots(), 1);
}

#[test]
fn a_full_disk_is_an_error_that_keeps_the_ledger() {
    let stage = Stage::new(&plan("echo before >> ran", "echo after >> ran"));
    assert_eq!(stage.hook("presync", "op-1", "a").status.code(), Some(0));
    let before = fs::read(stage.path("ledger.json")).unwrap();
    let command = stage.command("postsync", "op-1", "a");
    // No file may grow any more, and the signal that would say so is ignored: writes fail.
    let output = Command::new("bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "bash"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(stage.folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        last_line(&output).contains("ledger.json cannot be written: File too large"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read(stage.path("ledger.json")).unwrap(), before);
    assert!(!stage.path("ledger.new").exists());
    // There is room again.
    assert_eq!(stage.hook("postsync", "op-1", "a").status.code(), Some(0));
    assert_eq!(stage.ran(), ["before", "after", "promote"]);
    assert_eq!(stage.roots(), 1);
}
