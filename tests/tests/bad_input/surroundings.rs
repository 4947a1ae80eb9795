//! What a delivery needs around it: repositories, a collector, its ledger, the disk.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use serde_json::{Value, json};
use stagelink_tests::{Stage, is_root, output, run, skip, stagelink, stderr};

use crate::{assert_error, summary};

/// Delivers a stage whose promotion fails; gives why.
fn failed_promotion(stage: &Stage) -> String {
    let failed = summary(&stage.deliver(), 1);
    assert_eq!(
        stage
            .remote(&["show", "main:prod/values.yaml"])
            .lines()
            .nth(1),
        Some("version: v0")
    );
    failed["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_promotion_that_cannot_be_made_says_why_and_is_made_once_it_can() {
    let stage = Stage::new();
    let repair = |stage: &Stage| {
        stage.commit("v1", &[], &[]);
        assert_eq!(summary(&stage.deliver(), 0)["outcome"], "pass");
        assert_eq!(
            stage.remote(&["rev-list", "--count", "main..promotion/shop/prod"]),
            "1"
        );
        stage.remote(&["branch", "-q", "-D", "promotion/shop/prod"]);
    };

    // No repository, no branch, a token in the URL.
    for (argument, expected) in [
        (
            "--repository=/no/such/repository",
            "there is no repository at /no/such/repository",
        ),
        ("--base-branch=nosuch", "has no branch nosuch"),
        (
            "--repository=https://user:ghp_very_secret@127.0.0.1:9/team/shop",
            "127.0.0.1:9",
        ),
    ] {
        stage.commit("v1", &[], &[argument]);
        let reason = failed_promotion(&stage);
        assert!(
            reason.starts_with("promote: ") && reason.contains(expected),
            "{reason}"
        );
        assert!(!reason.contains("ghp_very_secret"), "{reason}");
        assert!(!stage.ledger().to_string().contains("ghp_very_secret"));
    }
    repair(&stage);

    // A push that the server refuses.
    let hook = stage.path("remote.git/hooks/pre-receive");
    stage.commit("v1", &[], &["--timeout=50s"]);
    stage.write(
        "remote.git/hooks/pre-receive",
        "#!/bin/sh\necho no pushes on Fridays >&2\nexit 1\n",
    );
    let mut permissions = fs::metadata(&hook).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(&hook, permissions).unwrap();
    let reason = failed_promotion(&stage);
    assert!(reason.contains("no pushes on Fridays"), "{reason}");
    fs::remove_file(&hook).unwrap();
    repair(&stage);

    // The target's values are gone.
    fs::rename(
        stage.path("work/prod/values.yaml"),
        stage.path("values.yaml"),
    )
    .unwrap();
    stage.commit("v1", &[], &["--timeout=40s"]);
    let failed = summary(&stage.deliver(), 1);
    assert!(
        failed["reason"]
            .as_str()
            .unwrap()
            .contains("prod/values.yaml"),
        "{failed}"
    );
    fs::rename(
        stage.path("values.yaml"),
        stage.path("work/prod/values.yaml"),
    )
    .unwrap();
    repair(&stage);
}

#[test]
fn what_others_pushed_or_did_not_commit_yet_is_not_lost() {
    // The promotion's branch has a commit of somebody else.
    let stage = Stage::new();
    summary(&stage.deliver(), 0);
    let work = stage.path("work");
    stagelink_tests::git(&work, &["fetch", "-q", "origin"]);
    stagelink_tests::git(
        &work,
        &[
            "checkout",
            "-q",
            "-b",
            "theirs",
            "origin/promotion/shop/prod",
        ],
    );
    stage.write("work/prod/values.yaml", "# mine\nversion: v1\n");
    let name = [
        "-c",
        "user.name=somebody",
        "-c",
        "user.email=somebody@example.com",
    ];
    stagelink_tests::git(
        &work,
        &[&name[..], &["commit", "-q", "-a", "-m", "mine"]].concat(),
    );
    stagelink_tests::git(
        &work,
        &["push", "-q", "origin", "theirs:promotion/shop/prod"],
    );
    stagelink_tests::git(&work, &["checkout", "-q", "main"]);
    stage.commit("v2", &[], &[]);
    let failed = summary(&stage.deliver(), 1);
    assert!(
        failed["reason"]
            .as_str()
            .unwrap()
            .contains("promotion/shop/prod"),
        "{failed}"
    );
    assert_eq!(
        stage.remote(&["log", "-1", "--format=%s", "promotion/shop/prod"]),
        "mine"
    );

    // A repository with a work tree that somebody is at work in.
    let stage = Stage::new();
    let repository = format!("--repository={}", stage.path("work").display());
    stage.commit("v1", &[], &[&repository, "--mode=direct"]);
    stage.write(
        "work/prod/values.yaml",
        "# not committed yet\nversion: v0\n",
    );
    let failed = summary(&stage.deliver(), 1);
    assert!(
        failed["reason"].as_str().unwrap().contains("work"),
        "{failed}"
    );
    assert_eq!(
        fs::read_to_string(stage.path("work/prod/values.yaml")).unwrap(),
        "# not committed yet\nversion: v0\n"
    );
}

/// A server on loopback that answers each request with this text, or never if there is none.
fn server(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else {
                return;
            };
            if let Some(answer) = answer {
                // It need not understand the request.
                let _ = connection.read(&mut [0; 65536]);
                let _ = connection.write_all(answer.as_bytes());
            } else {
                kept.push(connection);
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn a_collector_that_is_absent_slow_or_refuses_decides_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (endpoint, what) in [
        (format!("http://{closed}"), "absent"),
        (server(None), "slow"),
        (
            server(Some(
                "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            )),
            "refusing",
        ),
        (
            server(Some(
                "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            )),
            "failing",
        ),
    ] {
        let stage = Stage::new();
        let mut command = stage.command();
        command.args(["-o", "json"]);
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        command.env(
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%20very-secret",
        );
        let output = output(&mut command);
        assert_eq!(summary(&output, 0)["outcome"], "pass", "{what}");
        let warning = stderr(&output);
        assert!(
            warning.contains("warning: ") && warning.contains("kept in the ledger"),
            "{what}: {warning}"
        );
        assert!(!warning.contains("very-secret"), "{what}: {warning}");
        let ledger = stage.ledger();
        // It is known to wait for all of them.
        let exported = &ledger["deliveries"][0]["attempts"][0]["exported"]["otlp"];
        assert_eq!(*exported, json!([]), "{what}");
        assert!(!ledger.to_string().contains("very-secret"));
        assert_eq!(
            stage.spans().iter().filter(|span| is_root(span)).count(),
            1,
            "{what}"
        );
    }
}

#[test]
fn a_ledger_that_is_damaged_or_newer_is_not_touched() {
    let stage = Stage::new();
    summary(&stage.deliver(), 0);
    let path = stage.path("state/dev/ledger.json");
    let whole = fs::read_to_string(&path).unwrap();
    for (content, expected) in [
        ("", "is damaged"),
        (&whole[..whole.len() / 2], "is damaged"),
        ("[]", "is damaged"),
        (
            &whole.replacen("\"version\": 1", "\"version\": 9", 1),
            "has version 9, newer than this program reads",
        ),
    ] {
        fs::write(&path, content).unwrap();
        for output in [
            stage.deliver(),
            run(&["status", &stage.path("state").to_string_lossy()]),
        ] {
            assert_error(&output, 3, &["ledger.json", expected]);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(summary(&stage.deliver(), 0)["delivery"], 1);
}

/// In a small file system of its own, which only root can make.
#[test]
fn a_full_disk_is_an_error_that_loses_nothing() {
    let stage = Stage::new();
    let script = r#"
set -u
mount -t tmpfs -o size=512k tmpfs "$STATE" || exit 77
deliver() { "$PROGRAM" deliver "$1" --state-dir "$STATE" --allow-local-commands --namespace shop; }
deliver "$CHART" >/dev/null 2>&1 || exit 10
cp "$STATE/dev/ledger.json" "$OUT/before.json"
# Full to the last byte.
dd if=/dev/zero of="$STATE/filler" bs=4096 2>/dev/null
deliver "$OTHER" >"$OUT/stdout" 2>"$OUT/stderr"
echo $? >"$OUT/code"
cp "$STATE/dev/ledger.json" "$OUT/after.json"
rm "$STATE/filler"
deliver "$OTHER" >/dev/null 2>"$OUT/stderr-again" || exit 11
cp "$STATE/dev/ledger.json" "$OUT/again.json"
"#;
    for folder in ["mount", "out", "other"] {
        fs::create_dir_all(stage.path(folder)).unwrap();
    }
    stage.deliver();
    fs::remove_file(stage.path("ran")).unwrap();
    let copied = output(
        Command::new("cp")
            .arg("-r")
            .arg(stage.path("work"))
            .arg(stage.path("other/work")),
    );
    assert!(copied.status.success());
    let values = fs::read_to_string(stage.path("work/dev/values.yaml")).unwrap();
    fs::write(
        stage.path("other/work/dev/values.yaml"),
        values.replacen("version: v1", "version: v2", 1),
    )
    .unwrap();

    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script]);
    command
        .env("PROGRAM", stagelink())
        .env("CHART", stage.path("work/dev"))
        .env("OTHER", stage.path("other/work/dev"));
    command
        .env("STATE", stage.path("mount"))
        .env("OUT", stage.path("out"));
    let Ok(ended) = command.output() else {
        skip("a full disk needs unshare");
        return;
    };
    if !stage.path("out/before.json").exists() && ended.status.code() != Some(10) {
        skip(&format!(
            "a full disk needs the right to mount: {}",
            stderr(&ended)
        ));
        return;
    }
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let read = |name: &str| fs::read_to_string(stage.path("out").join(name)).unwrap();
    assert_eq!(read("code").trim(), "3", "{}", read("stderr"));
    assert!(
        read("stderr")
            .lines()
            .last()
            .unwrap()
            .starts_with("error: "),
        "{}",
        read("stderr")
    );
    assert!(
        read("stderr").contains("No space left on device"),
        "{}",
        read("stderr")
    );
    assert!(read("stdout").is_empty());
    assert_eq!(read("after.json"), read("before.json"));
    let again: Value = serde_json::from_str(&read("again.json")).unwrap();
    let deliveries = again["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 2, "{again:#}");
    assert!(
        deliveries
            .iter()
            .all(|delivery| delivery["attempts"][0]["outcome"] == "pass")
    );
    // Two passed deliveries, so each task ran twice.
    assert_eq!(
        stage.ran().iter().filter(|task| *task == "smoke").count(),
        2
    );
}
