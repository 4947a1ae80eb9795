//! `promote` in a real git repository.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::path::Path;
use std::process::Command;

use stagelink_delivery::Outcome;
use stagelink_delivery::ports::{ItemEnd, KeptnContext};
use stagelink_tasks::{Environment, builtin};
use support::container;
use tokio_util::sync::CancellationToken;

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args([
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@stagelink.invalid",
        ])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with the values of two stages; gives the commit.
fn repository(folder: &Path) -> String {
    git(folder, &["init", "-q", "-b", "main"]);
    std::fs::write(folder.join("dev.yaml"), "serviceVersion: v2\n").unwrap();
    std::fs::write(
        folder.join("prod.yaml"),
        "# prod\nserviceVersion: v1\ntraceParent: \"\"\n",
    )
    .unwrap();
    git(folder, &["add", "."]);
    git(folder, &["commit", "-q", "-m", "first"]);
    git(folder, &["rev-parse", "HEAD"])
}

async fn promote(
    arguments: &[&str],
    environment: &Environment,
    cancel: &CancellationToken,
) -> ItemEnd {
    let all = ["promote", "--to-stage=prod"].iter().chain(arguments);
    let line = builtin::parse(&container(all.map(|text| (*text).to_owned()).collect()));
    builtin::run(&line.unwrap().unwrap(), environment, cancel).await
}

const LINK: &str = "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01";
const FILES: [&str; 3] = [
    "--from-file=dev.yaml",
    "--to-file=prod.yaml",
    "--key=serviceVersion",
];

#[tokio::test]
async fn what_the_delivery_knows_need_not_be_said() {
    let folder = tempfile::tempdir().unwrap();
    let commit = repository(folder.path());
    let environment = Environment {
        context: KeptnContext {
            app_name: "simple-go".to_owned(),
            ..KeptnContext::default()
        },
        trace_parent: Some(LINK.parse().unwrap()),
        stage: Some("dev".to_owned()),
        repository: Some(folder.path().to_str().unwrap().to_owned()),
        revision: Some(commit),
        delivery: Some("3.1".to_owned()),
        ..Environment::default()
    };
    let cancel = CancellationToken::new();
    let end = promote(&FILES, &environment, &cancel).await;
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    let details = &end.report.details;
    assert_eq!(details["promotion.changed"], "true");
    let branch = &details["promotion.branch"];
    let values = git(folder.path(), &["show", &format!("{branch}:prod.yaml")]);
    assert!(values.contains("serviceVersion: v2"), "{values}");
    assert!(values.contains(LINK), "{values}");
    assert_eq!(
        details["promotion.commit"],
        git(folder.path(), &["rev-parse", branch])
    );
    let message = git(folder.path(), &["log", "-1", "--format=%B", branch]);
    assert!(message.contains("Stagelink-Delivery: 3.1"), "{message}");

    // Once is enough.
    let again = promote(&FILES, &environment, &cancel).await;
    assert_eq!(again.outcome, Outcome::Pass);
    assert_eq!(
        again.report.details["promotion.commit"],
        details["promotion.commit"]
    );
}

#[tokio::test]
async fn what_cannot_be_promoted_ends_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let commit = repository(folder.path());
    let known = Environment {
        context: KeptnContext {
            app_name: "simple-go".to_owned(),
            ..KeptnContext::default()
        },
        stage: Some("dev".to_owned()),
        repository: Some(folder.path().to_str().unwrap().to_owned()),
        revision: Some(commit),
        ..Environment::default()
    };
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let go_on = CancellationToken::new();
    let nothing = Environment::default();
    for (environment, arguments, cancel, outcome, reason) in [
        (
            &nothing,
            &FILES[..],
            &go_on,
            Outcome::Fail,
            "InvalidArguments",
        ),
        (
            &known,
            &FILES[..2],
            &go_on,
            Outcome::Fail,
            "InvalidArguments",
        ),
        (
            &known,
            &[
                "--from-file=dev.yaml",
                "--to-file=other.yaml",
                "--key=serviceVersion",
            ],
            &go_on,
            Outcome::Fail,
            "PromotionFailed",
        ),
        (&known, &FILES, &cancelled, Outcome::Error, "Cancelled"),
    ] {
        let end = promote(arguments, environment, cancel).await;
        assert_eq!(
            (end.outcome, end.report.reason.as_str()),
            (outcome, reason),
            "{end:?}"
        );
        assert_eq!(end.report.message.lines().count(), 1, "{end:?}");
    }
    assert_eq!(
        git(folder.path(), &["branch", "--format=%(refname:short)"]),
        "main"
    );
}
