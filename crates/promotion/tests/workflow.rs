//! The demo repository's workflow: its script is taken out of the file and run with the real git.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail as tests do"
)]

mod support;

use std::process::{Command, Output};

use serde_json::Value;
use stagelink_promotion::{Target, promote};
use support::{BRANCH, LINK, OTHER_LINK, World, git, promotion};

const WORKFLOW: &str =
    include_str!("../../../charts/demo-repository/.github/workflows/promote.yaml");
const FROM: &str = "charts/simple-go-dev/values.yaml";
const TO: &str = "charts/simple-go-prod/values.yaml";
const DEV: &str = include_str!("../../../charts/simple-go-dev/values.yaml");
const PROD: &str = include_str!("../../../charts/simple-go-prod/values.yaml");

fn workflow() -> Value {
    stagelink_yaml::to_json(WORKFLOW).unwrap()
}

/// A repository with the demo's values, as the demo makes it.
fn world() -> World {
    let world = World::new();
    world.commit("demo", &[(FROM, DEV), (TO, PROD)]);
    world
}

fn release(world: &World, version: &str) -> String {
    world.commit(
        version,
        &[(
            FROM,
            &DEV.replace("ersion: v1", &format!("ersion: {version}")),
        )],
    )
}

/// Runs the step that pushes, in a fresh clone as `actions/checkout` makes it.
fn run(world: &World, trace_parent: &str, revision: &str) -> (Output, String) {
    let workflow = workflow();
    let step = &workflow["jobs"]["promote"]["steps"][1];
    assert_eq!(step["id"], "push");
    let folder = tempfile::tempdir().unwrap();
    git(
        folder.path(),
        &[
            "clone",
            "--quiet",
            world.remote().to_str().unwrap(),
            "checkout",
        ],
    );
    let output_file = folder.path().join("output");
    let mut command = Command::new("bash");
    command
        .args([
            "--noprofile",
            "--norc",
            "-eo",
            "pipefail",
            "-c",
            step["run"].as_str().unwrap(),
        ])
        .current_dir(folder.path().join("checkout"))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GITHUB_OUTPUT", &output_file)
        .env("TRACE_PARENT", trace_parent)
        .env("REVISION", revision);
    for (name, value) in workflow["env"].as_object().unwrap() {
        let value = value
            .as_str()
            .unwrap()
            .replace("${{ github.ref_name }}", "main");
        assert!(!value.contains("${{"), "{value}");
        command.env(name, value);
    }
    let output = command.output().unwrap();
    (
        output,
        std::fs::read_to_string(output_file).unwrap_or_default(),
    )
}

fn succeeds(world: &World, trace_parent: &str, revision: &str) -> (String, String) {
    let (output, outputs) = run(world, trace_parent, revision);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (said, outputs)
}

fn promoted(version: &str, link: &str) -> String {
    PROD.replace("ersion: v1", &format!("ersion: {version}"))
        .replace("traceParent: \"\"", &format!("traceParent: \"{link}\""))
}

#[test]
fn inputs_reach_the_scripts_as_variables_only() {
    let workflow = workflow();
    for step in workflow["jobs"]["promote"]["steps"].as_array().unwrap() {
        let Some(script) = step["run"].as_str() else {
            continue;
        };
        assert!(
            !script.contains("${{"),
            "an expression in a script is a way in: {script}"
        );
        let checked = Command::new("bash")
            .args(["-n", "-c", script])
            .status()
            .unwrap();
        assert!(checked.success());
    }
    let inputs = workflow["true"]["workflow_dispatch"]["inputs"].as_object();
    // YAML 1.1, as Helm reads it, takes `on` for true; GitHub does not.
    let names: Vec<&String> = inputs.unwrap().keys().collect();
    assert_eq!(names, ["revision", "traceParent"]);
}

#[test]
fn it_can_be_run_twice() {
    let world = world();
    let v2 = release(&world, "v2");
    let (said, outputs) = succeeds(&world, LINK, &v2);
    assert!(said.contains("Pushed promotion/simple-go/prod"), "{said}");
    assert!(
        outputs.contains("branch=promotion/simple-go/prod\n"),
        "{outputs}"
    );
    assert!(
        outputs.contains("- serviceVersion: v1 -> v2\n- backendServiceVersion: v1 -> v2\n"),
        "{outputs}"
    );
    assert_eq!(world.show(BRANCH, TO), promoted("v2", LINK));
    let first = world.revision(BRANCH);
    let trailers = git(
        &world.remote(),
        &["log", "-1", "--format=%(trailers)", BRANCH],
    );
    assert_eq!(
        trailers,
        format!(
            "Stagelink-App: simple-go\nStagelink-Stage: prod\nStagelink-File: {TO}\n\
             Stagelink-Traceparent: {LINK}\nPromoted-From-Stage: dev\nPromoted-From-Revision: {v2}"
        )
    );

    // The same again, with another trace: nothing is pushed, but the pull request is looked after.
    let (said, outputs) = succeeds(&world, OTHER_LINK, &v2);
    assert!(said.contains("Nothing to push"), "{said}");
    assert!(
        outputs.contains("branch=promotion/simple-go/prod\n"),
        "{outputs}"
    );
    assert_eq!(world.revision(BRANCH), first);

    // A newer version replaces what the branch proposes; traceParent is there once.
    let v3 = release(&world, "v3");
    succeeds(&world, OTHER_LINK, &v3);
    assert_eq!(world.show(BRANCH, TO), promoted("v3", OTHER_LINK));
    assert_eq!(
        world.revision(&format!("{BRANCH}^")),
        world.revision("main")
    );
}

#[test]
fn the_revision_that_passed_counts_and_a_merged_promotion_is_done() {
    let world = world();
    let v2 = release(&world, "v2");
    release(&world, "v9");
    succeeds(&world, "", &v2);
    assert_eq!(world.show(BRANCH, TO), promoted("v2", ""));

    let clone = world.clone();
    git(&clone, &["fetch", "--quiet", "origin"]);
    git(
        &clone,
        &["merge", "--quiet", "--no-edit", &format!("origin/{BRANCH}")],
    );
    git(&clone, &["push", "--quiet", "origin", "HEAD"]);
    let (said, outputs) = succeeds(&world, LINK, &v2);
    assert!(said.contains("Nothing to promote"), "{said}");
    assert_eq!(outputs, "");
}

#[test]
fn duplicates_line_endings_and_a_missing_trace_parent_are_put_right() {
    for (prod, after) in [
        (
            "traceParent: a\r\nserviceVersion: 'v1' # c\r\ntraceParent: b\r\nbackendServiceVersion: v1\r\n",
            format!(
                "serviceVersion: v2 # c\r\ntraceParent: \"{LINK}\"\r\nbackendServiceVersion: v2\r\n"
            ),
        ),
        (
            "serviceVersion: v1\nserviceVersionNote: v1\n",
            format!(
                "serviceVersion: v2\nserviceVersionNote: v1\nbackendServiceVersion: v2\ntraceParent: \"{LINK}\"\n"
            ),
        ),
    ] {
        let world = world();
        world.commit("prod", &[(TO, prod)]);
        let v2 = release(&world, "v2");
        succeeds(&world, LINK, &v2);
        assert_eq!(world.show(BRANCH, TO), after);
    }
}

#[test]
fn what_could_be_a_command_is_refused() {
    let world = world();
    let v2 = release(&world, "v2");
    let odd = world.commit(
        "odd",
        &[(
            FROM,
            "serviceVersion: $(touch x)\nbackendServiceVersion: v1\n",
        )],
    );
    for (trace_parent, revision, expected) in [
        (
            "$(touch x)",
            v2.as_str(),
            "traceParent is no W3C traceparent",
        ),
        (
            &format!("{LINK}\nx"),
            &v2,
            "traceParent is no W3C traceparent",
        ),
        (LINK, "HEAD", "revision is no full commit id"),
        (LINK, "--help", "revision is no full commit id"),
        (
            LINK,
            "0123456789012345678901234567890123456789",
            "is not there at",
        ),
        (
            LINK,
            &odd,
            "serviceVersion in charts/simple-go-dev/values.yaml is no version",
        ),
    ] {
        let (output, _) = run(&world, trace_parent, revision);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            !output.status.success() && said.contains(expected),
            "{expected}: {said}"
        );
    }
    assert_eq!(world.revision(BRANCH), None);
}

#[test]
fn work_of_others_is_not_overwritten() {
    let world = world();
    let v2 = release(&world, "v2");
    succeeds(&world, LINK, &v2);
    let v3 = release(&world, "v3");
    let clone = world.clone();
    git(&clone, &["fetch", "--quiet", "origin"]);
    git(
        &clone,
        &[
            "switch",
            "--quiet",
            "-c",
            BRANCH,
            &format!("origin/{BRANCH}"),
        ],
    );
    let theirs = world.commit("a person's", &[("README", "mine\n")]);
    let (output, _) = run(&world, LINK, &v3);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("not of a promotion"));
    assert_eq!(world.revision(BRANCH).unwrap(), theirs);
}

#[tokio::test]
async fn workflow_and_built_in_promotion_continue_each_others_branch() {
    let world = world();
    let v2 = release(&world, "v2");
    succeeds(&world, LINK, &v2);
    let mut promotion = promotion(&v2);
    promotion.values.source_file = FROM.to_owned();
    promotion.values.target_file = TO.to_owned();
    let target = Target::Git(Box::new(world.target()));
    let cancel = tokio_util::sync::CancellationToken::new();
    let same = promote(&promotion, &target, &cancel).await.unwrap();
    assert!(!same.changed, "{}", same.summary);

    let v3 = release(&world, "v3");
    promotion.revision = Some(v3.clone());
    assert!(promote(&promotion, &target, &cancel).await.unwrap().changed);
    let (said, _) = succeeds(&world, OTHER_LINK, &v3);
    assert!(said.contains("Nothing to push"), "{said}");
}
