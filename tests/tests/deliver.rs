//! `stagelink deliver`: one stage on this machine, also when it is killed again and again.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Output};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use stagelink_tests::{Stage, is_root, output, run, stderr, wait_until};

const TASKS: [&str; 4] = ["check-database", "check-queue", "smoke", "announce"];

fn summary(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("stdout holds the summary and nothing else")
}

/// How often each task ran.
fn counts(stage: &Stage) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for task in stage.ran() {
        *counts.entry(task).or_insert(0) += 1;
    }
    counts
}

fn once() -> BTreeMap<String, usize> {
    TASKS.iter().map(|task| ((*task).to_owned(), 1)).collect()
}

/// One delivery, one attempt, closed; one root span, no span twice; one promotion that carries the
/// traceparent of the attempt's PromotionTasks span.
fn assert_delivered_once(stage: &Stage, when: &str) {
    assert_eq!(counts(stage), once(), "{when}");
    let ledger = stage.ledger();
    let deliveries = ledger["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 1, "{when}: {ledger:#}");
    let attempts = deliveries[0]["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "{when}: {ledger:#}");
    assert_eq!(attempts[0]["outcome"], "pass", "{when}: {ledger:#}");
    assert!(attempts[0]["endedAt"].is_string(), "{when}: {ledger:#}");
    // It has random letters, and each run rendered the chart anew.
    let plan: Value = serde_json::from_str(&stage.plan()).unwrap();
    assert_eq!(deliveries[0]["appVersion"], plan["appVersion"], "{when}");

    let spans = stage.spans();
    let mut ids: Vec<String> = spans
        .iter()
        .map(|span| span["spanId"].to_string())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), spans.len(), "{when}: a span was written twice");
    assert_eq!(
        spans.iter().filter(|span| is_root(span)).count(),
        1,
        "{when}"
    );
    let promotion = spans
        .iter()
        .find(|span| span["name"] == "PromotionTasks")
        .expect("it was promoted");

    assert_promoted_once(stage, promotion, when);
}

fn assert_promoted_once(stage: &Stage, promotion: &Value, when: &str) {
    let branches = stage.remote(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    let branches: Vec<&str> = branches
        .lines()
        .filter(|branch| *branch != "main")
        .collect();
    let [branch] = branches.as_slice() else {
        panic!("{when}: not one promotion: {branches:?}")
    };
    assert_eq!(
        stage.remote(&["rev-list", "--count", &format!("main..{branch}")]),
        "1",
        "{when}"
    );
    let values = stage.remote(&["show", &format!("{branch}:prod/values.yaml")]);
    let trace_parent = format!(
        "00-{}-{}-01",
        promotion["traceId"].as_str().unwrap(),
        promotion["spanId"].as_str().unwrap()
    );
    assert_eq!(
        values,
        format!("# prod\nversion: v1\ntraceParent: \"{trace_parent}\" # of dev"),
        "{when}"
    );
}

#[test]
fn what_passed_is_not_delivered_again_unless_asked_for() {
    let stage = Stage::new();
    let first = summary(&stage.deliver(), 0);
    assert_eq!(first["outcome"], "pass");
    assert_eq!(first["stage"], "dev");
    assert_eq!(first["app"], "shop");
    assert_eq!(
        first["revision"].as_str().unwrap(),
        stage.remote(&["rev-parse", "main"])
    );
    let phases: Vec<(&str, &str)> = first["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|phase| {
            (
                phase["name"].as_str().unwrap(),
                phase["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    let names = phases.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    for name in [
        "AppPreDeployTasks",
        "AppDeploy",
        "AppPostDeployTasks",
        "PromotionTasks",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(
        phases.iter().all(|(_, outcome)| *outcome == "pass"),
        "{phases:?}"
    );
    assert_delivered_once(&stage, "once");

    let second = stage.deliver();
    assert_eq!(summary(&second, 0), first);
    assert_delivered_once(&stage, "delivered again");

    // A commit that does not touch the chart is no new content.
    stage.write("work/README.md", "hello");
    stage.push("readme");
    assert_eq!(summary(&stage.deliver(), 0)["trace_id"], first["trace_id"]);
    assert_eq!(counts(&stage), once());

    let again = summary(&output(stage.command().args(["--again", "-o", "json"])), 0);
    assert_eq!(again["delivery"], 2);
    assert_ne!(again["trace_id"], first["trace_id"]);
    assert!(
        counts(&stage).values().all(|count| *count == 2),
        "{:?}",
        counts(&stage)
    );
    assert_eq!(stage.spans().iter().filter(|span| is_root(span)).count(), 2);
}

#[test]
fn what_failed_says_why_promotes_nothing_and_is_tried_again() {
    let stage = Stage::new();
    stage.commit(
        "v1",
        &[("smoke", "echo the database is empty; exit 1")],
        &[],
    );
    let failed = summary(&stage.deliver(), 1);
    assert_eq!(failed["outcome"], "fail");
    let reason = failed["reason"].as_str().unwrap();
    assert!(
        reason.contains("smoke") && reason.contains("the database is empty"),
        "{reason}"
    );
    assert_eq!(
        stage.remote(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]),
        "main"
    );
    let root = stage.spans().into_iter().find(is_root).unwrap();
    assert_eq!(root["status"]["code"], 2);

    // At once, so within the same second.
    let second = summary(&stage.deliver(), 1);
    assert_eq!(
        (&second["delivery"], &second["attempt"]),
        (&Value::from(1), &Value::from(2))
    );
    assert_eq!(counts(&stage)["smoke"], 2);
    assert_eq!(second["links"][0]["trace_id"], failed["trace_id"]);
    assert_eq!(second["links"][0]["relation"], "previous-attempt");

    // The repaired chart passes, as a delivery of its own.
    stage.commit("v1", &[], &[]);
    let third = summary(&stage.deliver(), 0);
    assert_eq!(
        (&third["delivery"], &third["outcome"]),
        (&Value::from(2), &Value::from("pass"))
    );
    let status = run(&[
        "status",
        &stage.path("state").to_string_lossy(),
        "-o",
        "json",
    ]);
    assert_eq!(status.status.code(), Some(0), "{}", stderr(&status));
}

#[test]
fn a_task_before_the_deployment_that_fails_keeps_everything_else_from_running() {
    let stage = Stage::new();
    stage.commit("v1", &[("check-queue", "exit 1")], &[]);
    let failed = summary(&stage.deliver(), 1);
    assert!(
        failed["reason"].as_str().unwrap().contains("check-queue"),
        "{failed}"
    );
    let counts = counts(&stage);
    assert!(
        !counts.contains_key("smoke") && !counts.contains_key("announce"),
        "{counts:?}"
    );
    let ledger = stage.ledger();
    assert_eq!(ledger["deliveries"][0]["attempts"][0]["outcome"], "fail");
}

#[test]
fn the_summary_is_the_same_in_every_format() {
    let stage = Stage::new();
    let json = summary(&stage.deliver(), 0);
    let format = |name: &str| {
        let output = output(stage.command().args(["-o", name]));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let yaml: Value = serde_yaml::from_str(&format("yaml")).unwrap();
    assert_eq!(yaml, json);
    let table = format("table");
    assert!(
        table.contains(json["trace_id"].as_str().unwrap()),
        "{table}"
    );
    assert!(
        table.contains("PromotionTasks") && table.contains("pass"),
        "{table}"
    );
}

/// Whom a signal goes to.
#[derive(Debug, Clone, Copy)]
enum Whom {
    Program,
    Group,
    Hook,
}

/// Lines of progress are read until the `count`th; gives false if the program ended before it.
fn after_lines(child: &mut Child, count: usize) -> bool {
    let Some(stderr) = child.stderr.take() else {
        return false;
    };
    let mut lines = BufReader::new(stderr).lines();
    let reached = lines.by_ref().take(count).filter(Result::is_ok).count() == count;
    // What else it prints must not block it, nor may it find the pipe closed.
    std::thread::spawn(move || lines.count());
    reached
}

/// The hook that a delivery has just started.
fn hook_of(child: &Child) -> Option<Pid> {
    let id = child.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
    let hook = children.split_whitespace().find(|child| {
        std::fs::read(format!("/proc/{child}/cmdline"))
            .is_ok_and(|words| words.split(|byte| *byte == 0).any(|word| word == b"hook"))
    })?;
    Pid::from_raw(hook.parse().ok()?)
}

fn send(child: &Child, whom: Whom, signal: Signal) {
    let program = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // Whoever has ended by itself gets none.
    let _ = match whom {
        Whom::Program => kill_process(program, signal),
        Whom::Group => kill_process_group(program, signal),
        Whom::Hook => hook_of(child).map_or(Ok(()), |hook| kill_process(hook, signal)),
    };
}

/// Interrupts a delivery after each of its lines of progress, and starts it again.
fn interrupted_everywhere(whom: Whom, signal: Signal, step: usize) {
    let mut count = step % 2;
    loop {
        let stage = Stage::new();
        let mut child = stage.spawn();
        let reached = after_lines(&mut child, count);
        send(&child, whom, signal);
        child.wait().unwrap();
        let when = format!("{signal:?} to {whom:?} after {count} lines");
        let output = stage.deliver();
        assert_eq!(output.status.code(), Some(0), "{when}: {}", stderr(&output));
        assert_delivered_once(&stage, &when);
        if !reached {
            assert!(count > 10, "only {count} lines of progress");
            return;
        }
        count += step;
    }
}

#[test]
fn a_killed_delivery_goes_on() {
    interrupted_everywhere(Whom::Program, Signal::KILL, 2);
}

#[test]
fn a_delivery_that_is_killed_with_its_hooks_goes_on() {
    interrupted_everywhere(Whom::Group, Signal::KILL, 1);
}

#[test]
fn a_delivery_whose_hook_is_killed_goes_on() {
    interrupted_everywhere(Whom::Hook, Signal::KILL, 2);
}

#[test]
fn a_terminated_delivery_goes_on() {
    interrupted_everywhere(Whom::Program, Signal::TERM, 2);
}

#[test]
fn a_delivery_that_is_interrupted_in_the_terminal_goes_on() {
    interrupted_everywhere(Whom::Group, Signal::INT, 2);
}

/// One and the same delivery, killed again and again, each time a little later.
#[test]
fn a_delivery_that_is_killed_many_times_is_still_one() {
    let stage = Stage::new();
    for count in 1.. {
        let mut child = stage.spawn();
        if !after_lines(&mut child, count) {
            assert_eq!(child.wait().unwrap().code(), Some(0));
            assert!(count > 10, "only {count} lines of progress");
            break;
        }
        send(&child, Whom::Group, Signal::KILL);
        child.wait().unwrap();
    }
    assert_delivered_once(&stage, "killed many times");
}

/// Waits until a task runs that goes on only when `go` is there.
fn held_at_smoke() -> (Stage, Child) {
    let stage = Stage::new();
    let go = stage.path("go");
    let hold = format!("while [ ! -e '{}' ]; do sleep 0.02; done", go.display());
    stage.commit("v1", &[("smoke", &hold)], &[]);
    let mut child = stage.spawn();
    after_lines(&mut child, 0);
    wait_until("the task runs", || {
        stage.ran().iter().any(|task| task == "smoke")
    });
    (stage, child)
}

#[test]
fn a_task_outlives_hooks_that_are_killed_again_and_again() {
    let (stage, mut child) = held_at_smoke();
    for _ in 0..3 {
        send(&child, Whom::Hook, Signal::KILL);
        assert_eq!(child.wait().unwrap().code(), Some(3));
        child = stage.spawn();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        // The task is under way again as far as the hook is concerned.
        let mut line = String::new();
        while !line.contains("smoke") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended: {line}");
        }
        std::thread::spawn(move || stderr.read_to_string(&mut String::new()));
    }
    assert_eq!(counts(&stage)["smoke"], 1);
    stage.write("go", "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_delivered_once(&stage, "hooks killed three times");
}

#[test]
fn a_second_delivery_at_the_same_time_is_refused_and_one_after_a_kill_waits_for_the_hook() {
    let (stage, mut child) = held_at_smoke();
    let refused = stage.deliver();
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("another delivery of this stage is under way"),
        "{}",
        stderr(&refused)
    );

    // Its hook goes on without it.
    send(&child, Whom::Program, Signal::KILL);
    child.wait().unwrap();
    let mut second = stage.spawn();
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.is_ok_and(|line| line.contains("wait for a hook of an earlier run"))),
        "it does not say what it waits for"
    );
    stage.write("go", "");
    std::thread::spawn(move || lines.count());
    assert_eq!(second.wait().unwrap().code(), Some(0));
    assert_delivered_once(&stage, "waited for the hook");
}

#[test]
fn a_signal_stops_tasks_and_leaves_the_delivery_open() {
    let stage = Stage::new();
    let begun = stage.path("begun");
    let go = stage.path("go");
    // A task that can be stopped, and that has to be run again.
    let command = format!(
        "trap - TERM; touch '{}'; [ -e '{}' ] || exec sleep 600",
        begun.display(),
        go.display()
    );
    stage.commit("v1", &[("smoke", &command)], &[]);
    let mut child = stage.spawn();
    after_lines(&mut child, 0);
    wait_until("the task runs", || begun.exists());
    send(&child, Whom::Program, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let ledger = stage.ledger();
    assert_eq!(
        ledger["deliveries"][0]["attempts"][0]["outcome"],
        Value::Null
    );
    let stopped = |stage: &Stage| {
        std::fs::read_dir(stage.path("state/dev/runs"))
            .unwrap()
            .flat_map(|trace| std::fs::read_dir(trace.unwrap().path()).unwrap())
            .filter_map(|task| {
                std::fs::read_to_string(task.unwrap().path().join("result.json")).ok()
            })
            .filter(|result| result.contains("stopped"))
            .count()
    };
    assert_eq!(stopped(&stage), 1, "the task was not stopped");
    stage.write("go", "");
    let summary = summary(&stage.deliver(), 0);
    assert_eq!(summary["attempt"], 1);
    assert_eq!(counts(&stage)["smoke"], 2);
    assert_eq!(counts(&stage)["check-queue"], 1);
    let spans = stage.spans();
    assert_eq!(spans.iter().filter(|span| is_root(span)).count(), 1);
}
