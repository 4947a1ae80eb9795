//! Kills and signals: nothing is lost, nothing runs twice.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::stage::{Stage, last_line, plan, spawn, stderr, wait_until, zombie};

#[test]
fn a_task_outlives_a_killed_hook_and_runs_once() {
    let stage = Stage::new(&plan(
        "echo before >> ran; while [ ! -e go ]; do sleep 0.02; done",
        "echo after >> ran",
    ));
    let mut hook = spawn(&stage, "presync");
    wait_until("the task runs", || stage.ran() == ["before"]);
    hook.kill().unwrap();
    hook.wait().unwrap();
    let hook = spawn(&stage, "presync");
    sleep(Duration::from_millis(100));
    assert_eq!(stage.ran(), ["before"]);
    fs::write(stage.path("go"), "").unwrap();
    let output = hook.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stage.hook("postsync", "op-1", "a").status.code(), Some(0));
    assert_eq!(stage.ran(), ["before", "after", "promote"]);
    assert_eq!(stage.roots(), 1);
}

/// The hook is killed after ever longer times, and started again until it ends.
#[test]
fn kills_at_any_moment_lose_and_double_nothing() {
    for step in 0..25 {
        let stage = Stage::new(&plan("echo before >> ran", "echo after >> ran"));
        for hook in ["presync", "postsync"] {
            let mut child = spawn(&stage, hook);
            sleep(Duration::from_millis(step * 3));
            // It may have ended already.
            let _ = child.kill();
            child.wait().unwrap();
            let output = stage.hook(hook, "op-1", "a");
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        }
        assert_eq!(
            stage.ran(),
            ["before", "after", "promote"],
            "killed after {} ms",
            step * 3
        );
        assert_eq!(stage.roots(), 1);
        let ledger = stage.ledger();
        assert_eq!(ledger["deliveries"].as_array().unwrap().len(), 1);
        assert_eq!(
            ledger["deliveries"][0]["attempts"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
}

#[test]
fn sigterm_stops_the_task_and_leaves_the_attempt_open() {
    let stage = Stage::new(&plan("echo before >> ran; [ -e go ] || sleep 60", "true"));
    let hook = spawn(&stage, "presync");
    wait_until("the task runs", || stage.ran() == ["before"]);
    let pid = hook.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = hook.wait_with_output().unwrap();
    // Neither a verdict nor an error: a Job starts its pod again.
    assert_eq!(output.status.code(), Some(143), "{}", stderr(&output));
    assert!(
        last_line(&output).contains("goes on when this hook runs again"),
        "{}",
        stderr(&output)
    );
    assert_eq!(
        stage.ledger()["deliveries"][0]["attempts"][0]["outcome"],
        Value::Null
    );
    fs::write(stage.path("go"), "").unwrap();
    let output = stage.hook("presync", "op-1", "a");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// The number of the supervisor of a stage's only task.
fn supervisor(stage: &Stage) -> Option<String> {
    let traces = fs::read_dir(stage.path("runs")).ok()?;
    let run = traces
        .flatten()
        .flat_map(|trace| fs::read_dir(trace.path()).into_iter().flatten())
        .flatten()
        .next()?
        .path();
    fs::read_to_string(run.join("pid")).ok()
}

#[test]
fn a_task_never_runs_beside_itself_though_its_supervisor_is_killed() {
    let stage = Stage::new(&plan(
        "echo $$ >> ran; while [ ! -e go ]; do sleep 0.02; done",
        "true",
    ));
    let hook = spawn(&stage, "presync");
    wait_until("the task runs", || {
        stage.ran().len() == 1 && supervisor(&stage).is_some()
    });
    let pid = supervisor(&stage).unwrap();
    let killed = Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    assert!(killed.success());
    wait_until("the task runs again", || stage.ran().len() == 2);
    let first = stage.ran()[0].clone();
    wait_until("the first run is gone", || {
        !Path::new("/proc").join(&first).join("cwd").exists() || zombie(&first)
    });
    fs::write(stage.path("go"), "").unwrap();
    let output = hook.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stage.ran().len(), 2);
}
