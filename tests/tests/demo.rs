//! `stagelink demo`: the whole way of one release on one machine.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use stagelink_tests::{attribute, command, is_root, run, spans, stderr};

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        stderr(&output)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Plays the demo into a folder and reads its summary.
fn demo(folder: &Path, more: &[&str]) -> Value {
    let path = folder.to_string_lossy();
    let mut arguments = vec!["demo", "--dir", &path, "-o", "json"];
    arguments.extend(more);
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("stdout holds the summary and nothing else")
}

fn by_id(spans: &[Value]) -> BTreeMap<(String, String), &Value> {
    spans
        .iter()
        .map(|span| {
            let text = |key: &str| span[key].as_str().unwrap().to_owned();
            ((text("traceId"), text("spanId")), span)
        })
        .collect()
}

#[test]
fn a_release_goes_from_dev_to_prod_and_a_slow_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("demo");
    let summary = demo(&root, &[]);
    assert_eq!(summary["as_told"], true);

    // The story: v1 in both stages, v2 from dev to prod, v3 stays in dev because it is slow.
    let deliveries = summary["deliveries"].as_array().unwrap();
    let story: Vec<(&str, &str)> = deliveries
        .iter()
        .map(|delivery| {
            (
                delivery["stage"].as_str().unwrap(),
                delivery["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        story,
        [
            ("dev", "pass"),
            ("prod", "pass"),
            ("dev", "pass"),
            ("prod", "pass"),
            ("dev", "fail")
        ]
    );
    let [dev_v1, prod_v1, dev_v2, prod_v2, dev_v3] = deliveries.as_slice() else {
        unreachable!()
    };
    for delivery in deliveries {
        assert_eq!(delivery["app"], "simple-go");
        assert_eq!(delivery["attempt"], 1);
        assert_eq!(delivery["revision"].as_str().unwrap().len(), 40);
        assert!(delivery["digest"].as_str().unwrap().starts_with("sha256:"));
    }
    assert_ne!(dev_v1["digest"], dev_v2["digest"]);

    // The spans: one root for each delivery, all parents there, all ids unique.
    let spans = spans(&root.join("spans.jsonl"));
    let index = by_id(&spans);
    assert_eq!(index.len(), spans.len(), "a span was written twice");
    let roots: Vec<&Value> = spans.iter().filter(|span| is_root(span)).collect();
    assert_eq!(roots.len(), deliveries.len());
    for span in spans.iter().filter(|span| !is_root(span)) {
        let parent = (
            span["traceId"].as_str().unwrap().to_owned(),
            span["parentSpanId"].as_str().unwrap().to_owned(),
        );
        assert!(
            index.contains_key(&parent),
            "{} has no parent",
            span["name"]
        );
    }
    for span in &spans {
        assert_eq!(span["kind"], 5, "{} is not of kind CONSUMER", span["name"]);
        assert_eq!(
            attribute(span, "commitID").map(str::len),
            Some(40),
            "{}",
            span["name"]
        );
    }

    // Prod's root links to dev's PromotionTasks span.
    let root_of = |delivery: &Value| {
        let key = (
            delivery["trace_id"].as_str().unwrap().to_owned(),
            delivery["root_span_id"].as_str().unwrap().to_owned(),
        );
        *index
            .get(&key)
            .expect("each delivery's root span is in spans.jsonl")
    };
    let links = root_of(prod_v2)["links"].as_array().unwrap();
    assert_eq!(links.len(), 1);
    let linked = index
        .get(&(
            links[0]["traceId"].as_str().unwrap().to_owned(),
            links[0]["spanId"].as_str().unwrap().to_owned(),
        ))
        .expect("the link leads to a span");
    assert_eq!(linked["name"], "PromotionTasks");
    assert_eq!(linked["traceId"], dev_v2["trace_id"]);
    assert_eq!(
        attribute(&links[0], "opentracing.ref_type"),
        Some("follows-from")
    );
    assert_eq!(prod_v2["links"][0]["trace_id"], dev_v2["trace_id"]);
    assert!(
        root_of(prod_v1)["links"]
            .as_array()
            .is_none_or(Vec::is_empty)
    );

    // v3: the evaluation failed, nothing was promoted, and the trace says why.
    let phase = |delivery: &Value, name: &str| {
        delivery["phases"]
            .as_array()
            .unwrap()
            .iter()
            .find(|phase| phase["name"] == name)
            .cloned()
            .unwrap_or_default()
    };
    assert_eq!(phase(dev_v2, "AppPostDeployEvaluations")["outcome"], "pass");
    assert_eq!(phase(dev_v2, "PromotionTasks")["outcome"], "pass");
    assert_eq!(phase(dev_v3, "AppPostDeployEvaluations")["outcome"], "fail");
    assert_eq!(phase(dev_v3, "PromotionTasks")["outcome"], Value::Null);
    let why: Vec<&str> = spans
        .iter()
        .filter(|span| span["traceId"] == dev_v3["trace_id"])
        .flat_map(|span| span["events"].as_array().into_iter().flatten())
        .filter_map(|event| event["name"].as_str())
        .filter(|name| name.contains("did not meet objective '<500'"))
        .collect();
    assert!(!why.is_empty(), "no event says why v3 failed");
    assert_eq!(root_of(dev_v3)["status"]["code"], 2);
    assert_eq!(root_of(dev_v2)["status"]["code"], 1);

    // The two load tests of a delivery ran in parallel.
    let tasks: Vec<&Value> = spans
        .iter()
        .filter(|span| span["traceId"] == dev_v2["trace_id"])
        .filter(|span| {
            span["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("post-post-deployment-load"))
        })
        .collect();
    let nanoseconds = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    let [one, other] = tasks.as_slice() else {
        panic!("not two load tests: {tasks:?}")
    };
    assert!(nanoseconds(one, "startTimeUnixNano") < nanoseconds(other, "endTimeUnixNano"));
    assert!(nanoseconds(other, "startTimeUnixNano") < nanoseconds(one, "endTimeUnixNano"));

    // The repository: prod is on v2 with the traceparent, comments kept, and no branch is left.
    let repository = root.join("repository.git");
    let values = git(
        &repository,
        &["show", "main:charts/simple-go-prod/values.yaml"],
    );
    assert!(values.contains("\nserviceVersion: v2\n"), "{values}");
    assert!(values.contains("\nbackendServiceVersion: v2\n"), "{values}");
    assert!(values.starts_with("# What runs in this stage."), "{values}");
    let trace_parent = values
        .lines()
        .find_map(|line| line.strip_prefix("traceParent: "))
        .unwrap();
    assert!(
        trace_parent.contains(dev_v2["trace_id"].as_str().unwrap()),
        "{trace_parent}"
    );
    assert_eq!(
        git(
            &repository,
            &["for-each-ref", "--format=%(refname:short)", "refs/heads"]
        ),
        "main"
    );
    let dev = git(
        &repository,
        &["show", "main:charts/simple-go-dev/values.yaml"],
    );
    assert!(dev.contains("\nserviceVersion: v3\n"));

    // The page is there, and the ledgers tell the same in one look.
    let page = std::fs::read_to_string(root.join("trace.html")).unwrap();
    assert!(page.contains(dev_v3["trace_id"].as_str().unwrap()));
    let status = run(&["status", &root.to_string_lossy(), "-o", "json"]);
    assert_eq!(
        status.status.code(),
        Some(1),
        "dev is not as far as it should be"
    );
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let stage = |name: &str| {
        status
            .as_array()
            .unwrap()
            .iter()
            .find(|stage| stage["stage"] == name)
            .cloned()
            .unwrap()
    };
    assert_eq!(stage("prod")["current"]["revision"], prod_v2["revision"]);
    assert_eq!(stage("dev")["current"]["revision"], dev_v2["revision"]);
    let why = stage("dev")["whyNotFurther"].as_str().unwrap().to_owned();
    assert!(why.contains("response-time"), "{why}");
}

#[test]
fn an_unmerged_promotion_stays_a_branch() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("demo");
    let summary = demo(&root, &["--no-merge"]);
    let stages: Vec<&str> = summary["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|delivery| delivery["stage"].as_str().unwrap())
        .collect();
    assert_eq!(stages, ["dev", "prod", "dev", "dev"]);
    let repository = root.join("repository.git");
    let refs = git(
        &repository,
        &["for-each-ref", "--format=%(refname:short)", "refs/heads"],
    );
    let branches: BTreeSet<&str> = refs.lines().collect();
    assert_eq!(branches.len(), 2, "{branches:?}");
    let branch = branches.iter().find(|branch| **branch != "main").unwrap();
    let values = git(
        &repository,
        &[
            "show",
            &format!("{branch}:charts/simple-go-prod/values.yaml"),
        ],
    );
    assert!(values.contains("\nserviceVersion: v2\n"));
    let message = git(&repository, &["log", "-1", "--format=%B", branch]);
    assert!(
        message.contains("Stagelink-"),
        "the commit has no trailers: {message}"
    );
}

#[test]
fn a_folder_that_is_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "precious").unwrap();
    let output = command()
        .args(["demo", "--dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("is not empty"),
        "{}",
        stderr(&output)
    );
    assert!(output.stdout.is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
