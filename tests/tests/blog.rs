//! The resources of the blog post on multi-stage delivery, and of the guide, as they are: charts of
//! the same shapes, with all that a strict reader would stumble over, rendered and delivered.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use stagelink_tests::{command, output, peer, repository, stderr};
use stagelink_yaml::Document;

const REVISION: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const TRACE_PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn chart(name: &str) -> PathBuf {
    repository().join("tests/charts").join(name)
}

/// Runs `stagelink` and gives its stdout.
fn stagelink(arguments: &[&str], chart: &Path) -> String {
    let (word, rest) = arguments.split_first().unwrap();
    let output = output(command().arg(word).arg(chart).args(rest));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Versions end in random characters; they are cut off.
fn without_random_characters(manifests: &str) -> String {
    let mut text = String::new();
    for line in manifests.lines() {
        let is_version = line
            .trim_start()
            .starts_with("app.kubernetes.io/version: v1-");
        let end = if is_version {
            line.len() - 16
        } else {
            line.len()
        };
        text.push_str(&line[..end]);
        text.push('\n');
    }
    text
}

fn documents(manifests: &str) -> Vec<Value> {
    let documents = Document::parse_all(manifests).unwrap();
    documents
        .iter()
        .map(|document| document.to_json().unwrap())
        .filter(|json| !json.is_null())
        .collect()
}

fn find<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    documents
        .iter()
        .find(|document| document["kind"] == kind && document["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

#[test]
fn the_charts_render_as_helm_renders_them() {
    let Some(helm) = peer("helm", "the blog's charts against Helm") else {
        return;
    };
    for name in ["blog-dev", "blog-prod", "guide-dev"] {
        for set in [
            "commitID=",
            &format!("commitID={REVISION}"),
            &format!("traceParent={TRACE_PARENT}"),
        ] {
            let arguments = ["--namespace", "simple-go", "--set", set];
            let ours = stagelink(
                &[
                    &["template", "--chart-only", "--release-name", "shop"],
                    &arguments[..],
                ]
                .concat(),
                &chart(name),
            );
            let theirs = output(
                Command::new(&helm)
                    .args(["template", "shop"])
                    .arg(chart(name))
                    .args(arguments),
            );
            assert!(theirs.status.success(), "{}", stderr(&theirs));
            let theirs = String::from_utf8(theirs.stdout).unwrap();
            assert_eq!(
                without_random_characters(&ours),
                without_random_characters(&theirs),
                "{name} {set}"
            );
        }
    }
}

/// The Application's `commitID: $ARGOCD_APP_REVISION` works as in Argo CD's own Helm source, and the
/// plugin changes nothing but the context.
#[test]
fn the_plugin_renders_the_charts_unchanged() {
    let trace_parent = format!("traceParent={TRACE_PARENT}");
    for (name, more, links) in [
        ("blog-dev", &[][..], Value::Null),
        (
            "blog-prod",
            &["--set", &trace_parent][..],
            json!([TRACE_PARENT]),
        ),
    ] {
        let common = [
            &["--namespace", "simple-go", "--release-name", name][..],
            more,
        ]
        .concat();
        let commit = format!("commitID={REVISION}");
        let alone = [&["template", "--chart-only", "--set", &commit], &common[..]].concat();
        let whole = [
            &[
                "template",
                "--revision",
                REVISION,
                "--set",
                "commitID=$ARGOCD_APP_REVISION",
            ],
            &common[..],
        ]
        .concat();
        let alone = documents(&without_random_characters(&stagelink(&alone, &chart(name))));
        let whole = documents(&without_random_characters(&stagelink(&whole, &chart(name))));
        for document in &alone {
            let (kind, resource) = (&document["kind"], &document["metadata"]["name"]);
            let ours = find(&whole, kind.as_str().unwrap(), resource.as_str().unwrap());
            if kind == "KeptnAppContext" {
                assert_eq!(ours["spec"], document["spec"], "{name}");
                assert_eq!(ours["spec"]["metadata"]["commitID"], REVISION);
                assert_eq!(ours["spec"]["spanLinks"], links);
                assert_eq!(
                    ours["metadata"]["annotations"]["argocd.argoproj.io/hook"],
                    "PreSync"
                );
            } else {
                assert_eq!(ours, document, "{name} {kind} {resource}");
            }
        }
        let plan = find(&whole, "ConfigMap", &format!("{name}-stagelink-plan"));
        let plan: Value =
            serde_json::from_str(plan["data"]["plan.json"].as_str().unwrap()).unwrap();
        assert_eq!(plan["app"], "simple-go");
        assert_eq!(plan["revision"], REVISION);
        assert_eq!(plan["metadata"]["commitID"], REVISION);
        assert_eq!(plan["links"], links);
        assert_eq!(plan["workloads"].as_array().unwrap().len(), 2, "{plan:#}");
    }
}

/// At first prod has no traceparent: `spanLinks` then has an item that is null, which no cluster
/// would take.
#[test]
fn an_empty_traceparent_becomes_no_link() {
    let output = output(
        command()
            .arg("template")
            .arg(chart("blog-prod"))
            .args(["--revision", REVISION]),
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let whole = documents(&String::from_utf8(output.stdout.clone()).unwrap());
    let context = find(&whole, "KeptnAppContext", "simple-go");
    assert!(
        context["spec"]["spanLinks"]
            .as_array()
            .is_none_or(Vec::is_empty),
        "{context:#}"
    );
    assert!(
        stderr(&output).contains("spanLinks[0]"),
        "{}",
        stderr(&output)
    );
}

fn deliver(chart: &Path, state: &Path, more: &[&str]) -> (i32, Value, String) {
    let mut command = command();
    command
        .arg("deliver")
        .arg(chart)
        .arg("--state-dir")
        .arg(state);
    command
        .args([
            "--namespace",
            "simple-go",
            "--revision",
            REVISION,
            "-o",
            "json",
        ])
        .args(more);
    let output = output(&mut command);
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), summary, stderr(&output))
}

/// Images are a cluster's business; the delivery says so, is closed and traced.
#[test]
fn a_delivery_ends_where_a_cluster_is_needed_and_says_so() {
    let trace_parent = format!("traceParent={TRACE_PARENT}");
    for (name, more) in [
        ("blog-dev", &[][..]),
        ("blog-prod", &["--set", &trace_parent][..]),
    ] {
        let state = tempfile::tempdir().unwrap();
        let common = [
            "--set",
            "commitID=$ARGOCD_APP_REVISION",
            "--allow-local-commands",
        ];
        let (code, summary, stderr) =
            deliver(&chart(name), state.path(), &[&common[..], more].concat());
        assert_eq!(code, 1, "{stderr}");
        assert_eq!(summary["app"], "simple-go");
        assert_eq!(summary["outcome"], "error");
        let reason = summary["reason"].as_str().unwrap();
        assert!(
            reason.contains(
                "wait-for-prometheus runs the image curlimages/curl:8.6.0, which needs a cluster"
            ),
            "{reason}"
        );
        let links = summary["links"].as_array().unwrap();
        assert_eq!(links.len(), usize::from(name == "blog-prod"));
        if let Some(link) = links.first() {
            assert!(TRACE_PARENT.contains(link["trace_id"].as_str().unwrap()));
            assert_eq!(link["relation"], "previous-stage");
        }
        let spans = stagelink_tests::spans(&state.path().join("spans.jsonl"));
        let root = spans
            .iter()
            .find(|span| stagelink_tests::is_root(span))
            .unwrap();
        assert_eq!(stagelink_tests::attribute(root, "commitID"), Some(REVISION));
    }
}

/// Runs the guide's promotion with a runtime of this machine, and reads what it was given.
fn guide(runtime: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("output.json");
    let secrets = folder.path().join("secrets");
    std::fs::create_dir_all(secrets.join("github-token")).unwrap();
    std::fs::write(
        secrets.join("github-token/SECURE_DATA"),
        r#"{"githubRepo": "shop", "githubRepoOwner": "team", "apiToken": "ghp_very_secret"}"#,
    )
    .unwrap();
    let state = folder.path().join("state");
    let more = [
        "--set",
        "commitID=$ARGOCD_APP_REVISION",
        "--set",
        &format!("runtime={runtime},output={}", file.display()),
        "--secrets",
        &secrets.to_string_lossy(),
        "--verbose",
    ];
    let (code, summary, stderr) = deliver(&chart("guide-dev"), &state, &more);
    assert_eq!(code, 1, "nobody allowed it: {stderr}");
    assert!(
        summary["reason"]
            .as_str()
            .unwrap()
            .contains("--allow-local-commands"),
        "{summary}"
    );

    let (code, summary, stderr) = deliver(
        &chart("guide-dev"),
        &state,
        &[&more[..], &["--allow-local-commands"]].concat(),
    );
    assert_eq!(code, 0, "{stderr}");
    let given: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(given["repository"], "shop");
    assert_eq!(given["context"]["appName"], "guide");
    assert_eq!(given["context"]["objectType"], "App");
    assert_eq!(given["context"]["metadata"]["commitID"], REVISION);
    let phases = summary["phases"].as_array().unwrap();
    let promotion = phases
        .iter()
        .find(|phase| phase["name"] == "PromotionTasks")
        .unwrap();
    assert_eq!(
        given["inputs"]["traceParent"],
        format!(
            "00-{}-{}-01",
            summary["trace_id"].as_str().unwrap(),
            promotion["span_id"].as_str().unwrap()
        )
    );
    assert!(!stderr.contains("ghp_very_secret"));
    let mut folders = vec![state];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                let text = String::from_utf8_lossy(&content);
                assert!(
                    !text.contains("ghp_very_secret"),
                    "the token is in {}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_guides_promotion_runs_with_deno() {
    if peer("deno", "the guide's promotion in Deno").is_some() {
        guide("deno");
    }
}

#[test]
fn the_guides_promotion_runs_with_python() {
    if peer("python3", "the guide's promotion in Python").is_some() {
        guide("python");
    }
}
