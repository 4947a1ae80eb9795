//! Bad input: a clear error in one line that says what, where and what to do; nothing half-written,
//! nothing lost, no secret, and the right exit code.
//!
//! | what is bad | test here | tests beside the code |
//! |---|---|---|
//! | Chart.yaml missing or broken | `a_chart_that_cannot_be_rendered…` | helm `loading.rs` |
//! | template error, empty render | `a_chart_that_cannot_be_rendered…` | cmp `black_box.rs` |
//! | two KeptnAppContexts, unsupported target `>=5` | `a_chart_that_cannot_be_rendered…` | cmp `black_box.rs` |
//! | values file missing or broken | `a_chart_that_cannot_be_rendered…` | helm `values.rs` |
//! | symlink and `..` out of the chart, file over 5 MiB | `a_chart_that_cannot_be_rendered…`, `no_path_leads_out…` | helm `loading.rs` |
//! | 1 GB `repeat`, endless recursion | `a_chart_that_would_eat_the_machine…` | helm `limits.rs` |
//! | context naming an unknown task or evaluation | `what_a_context_names…` | cmp `black_box.rs` |
//! | malformed traceparent | `a_malformed_traceparent…` | cmp `black_box.rs`, plan `traceparent.rs` |
//! | YAML duplicate keys, null list items | `duplicate_keys_and_null_items…`, `blog.rs` | yaml `golden.rs` |
//! | promotion target missing, dirty or diverged; push refused | `a_promotion_that_cannot_be_made…`, `what_others_pushed…` | promotion `refusals.rs` |
//! | 401, 403, 404, 422, 429, 5xx and hang of the forge | – | promotion `github.rs` |
//! | collector absent, slow or answering errors | `a_collector_that…` | telemetry `export.rs`, hooks `programs.rs` |
//! | ledger truncated, newer or locked | `a_ledger_that…`, `deliver.rs` | local `ledger_file.rs`, hooks `programs.rs` |
//! | disk full | `a_full_disk…` | – |
//! | SIGTERM and kill -9 | `deliver.rs` | hooks `programs.rs` |

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and a skipped one must be seen"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use stagelink_tests::{Stage, is_root, output, run, stagelink, stderr};

/// A chart in a temporary folder.
struct Chart {
    folder: tempfile::TempDir,
}

impl Chart {
    fn new() -> Self {
        let chart = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        chart.write("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
        chart.write(
            "templates/shop.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\ndata: {a: b}\n",
        );
        chart
    }

    fn with(file: &str, content: &str) -> Self {
        let chart = Self::new();
        chart.write(file, content);
        chart
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("shop").join(name)
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn write(&self, file: &str, content: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn deliver(&self, more: &[&str]) -> Output {
        let mut command = stagelink_tests::command();
        command
            .arg("deliver")
            .arg(self.path(""))
            .arg("--state-dir")
            .arg(self.state());
        output(
            command
                .args(["--revision", "0123456", "-o", "json"])
                .args(more),
        )
    }

    /// It is refused as wrong input, and nothing is written.
    fn assert_refused(&self, more: &[&str], expected: &[&str]) {
        assert_error(&self.deliver(more), 2, expected);
        assert!(!self.state().exists(), "something was written");
        let template = run(&[&["template", &self.path("").to_string_lossy()], more].concat());
        assert_error(&template, 2, expected);
    }
}

/// One line of error, with these words in it, and no output.
fn assert_error(output: &Output, code: i32, expected: &[&str]) {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(
        output.stdout.is_empty(),
        "half an output: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: "), "{stderr}");
    assert_eq!(
        stderr
            .lines()
            .filter(|line| line.contains("error: "))
            .count(),
        1,
        "{stderr}"
    );
    for words in expected {
        assert!(last.contains(words), "{words:?} is not in: {stderr}");
    }
}

fn summary(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("stdout holds the summary and nothing else")
}

fn context(spec: &str) -> String {
    format!(
        "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata:\n  name: shop\nspec:\n{spec}"
    )
}

#[test]
fn a_chart_that_cannot_be_rendered_is_an_error_with_its_place() {
    let two = format!(
        "{}---\n{}",
        context("  metadata: {}\n"),
        context("  metadata: {}\n").replace("shop", "other")
    );
    let target = format!(
        "{}---\napiVersion: lifecycle.keptn.sh/v1\nkind: KeptnEvaluationDefinition\nmetadata:\n  name: fast\nspec:\n  objectives:\n    - keptnMetricRef: {{name: time}}\n      evaluationTarget: \">=5\"\n",
        context("  preDeploymentEvaluations: [fast]\n")
    );
    let big = "#".repeat(5 * 1024 * 1024 + 1);
    for (file, content, expected) in [
        (
            "Chart.yaml",
            "name: [\n",
            &["Chart.yaml:2:1", "correct the YAML"][..],
        ),
        (
            "Chart.yaml",
            "apiVersion: v2\nversion: 1.0.0\n",
            &["Chart.yaml", "name"],
        ),
        (
            "templates/shop.yaml",
            "a: 1\nb: {{ .Values.a.b.c }}\n",
            &[
                "templates/shop.yaml:2:",
                "nil pointer",
                "correct the template",
            ],
        ),
        (
            "templates/shop.yaml",
            "a: 1\nb: {{ nosuch }}\n",
            &["templates/shop.yaml:2", "nosuch"],
        ),
        ("templates/shop.yaml", "a: [\n", &["templates/shop.yaml"]),
        (
            "templates/shop.yaml",
            "",
            &["no resource at all", "check its values"],
        ),
        (
            "templates/two.yaml",
            &two,
            &[
                "templates/two.yaml",
                "KeptnAppContext/other",
                "keep one of them",
            ],
        ),
        (
            "templates/target.yaml",
            &target,
            &[
                "templates/target.yaml",
                "spec.objectives[0].evaluationTarget",
                "\">=5\" is not supported",
                "write \">5\"",
            ],
        ),
        ("values.yaml", "a: 1\n\tb: 2\n", &["values.yaml:2:1", "tab"]),
        (
            "templates/big.yaml",
            &big,
            &["templates/big.yaml", "5242880", "make it smaller"],
        ),
    ] {
        Chart::with(file, content).assert_refused(&[], expected);
    }

    let chart = Chart::new();
    fs::remove_file(chart.path("Chart.yaml")).unwrap();
    chart.assert_refused(&[], &["Chart.yaml file is missing", "give the directory"]);
    Chart::new().assert_refused(
        &["-f", "nosuch.yaml"],
        &["nosuch.yaml", "does not exist", "correct the path"],
    );
    Chart::new().assert_refused(&["--set", "novalue"], &["--set takes KEY=VALUE"]);
    assert_error(
        &run(&["deliver", "/no/such/chart"]),
        2,
        &["there is no chart at /no/such/chart"],
    );
}

#[test]
fn a_chart_that_would_eat_the_machine_is_stopped() {
    for (template, expected) in [
        (
            "a: {{ repeat 1000000000 \"x\" }}",
            "1000000000 bytes is more than",
        ),
        (
            "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}a: {{ include \"a\" . }}",
            "nested reference",
        ),
        (
            "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}a: {{ template \"a\" . }}",
            "templates/shop.yaml",
        ),
    ] {
        let chart = Chart::with("templates/shop.yaml", template);
        // With little memory, so that it cannot just be had.
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -v 1000000; exec \"$@\"", "sh"])
            .arg(stagelink());
        command
            .arg("deliver")
            .arg(chart.path(""))
            .arg("--state-dir")
            .arg(chart.state());
        assert_error(
            &output(&mut command),
            2,
            &["templates/shop.yaml:1", expected],
        );
        assert!(!chart.state().exists());
    }
}

#[test]
fn no_path_leads_out_of_the_chart() {
    let chart = Chart::new();
    let secret = chart.folder.path().join("secret.yaml");
    fs::write(&secret, "password: hunter2\n").unwrap();
    std::os::unix::fs::symlink(&secret, chart.path("templates/link.yaml")).unwrap();
    chart.assert_refused(
        &[],
        &[
            "templates/link.yaml",
            "leads out of the chart",
            "copy the file",
        ],
    );
    assert!(!stderr(&chart.deliver(&[])).contains("hunter2"));

    let chart = Chart::with(
        "templates/shop.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {a: {{ .Files.Get \"../secret.yaml\" | quote }}}\n",
    );
    fs::write(
        chart.folder.path().join("secret.yaml"),
        "password: hunter2\n",
    )
    .unwrap();
    let template = run(&["template", &chart.path("").to_string_lossy()]);
    assert_eq!(template.status.code(), Some(0), "{}", stderr(&template));
    assert!(!String::from_utf8_lossy(&template.stdout).contains("hunter2"));

    // Neither does a stage's name.
    let output = Chart::new().deliver(&["--stage", "../out"]);
    assert_error(
        &output,
        2,
        &["\"../out\"", "--stage takes a name without slashes"],
    );
}

#[test]
fn what_a_context_names_and_is_not_there_is_named_and_gates() {
    for (spec, name) in [
        ("  preDeploymentTasks: [nosuch]\n", "nosuch"),
        ("  preDeploymentEvaluations: [nothing]\n", "nothing"),
    ] {
        let chart = Chart::with("templates/context.yaml", &context(spec));
        let output = chart.deliver(&["--allow-local-commands"]);
        let summary = summary(&output, 1);
        assert_ne!(summary["outcome"], "pass");
        assert!(
            summary["reason"].as_str().unwrap().contains(name),
            "{summary}"
        );
        let warning = stderr(&output);
        assert!(
            warning.contains("warning: ")
                && warning.contains("templates/context.yaml")
                && warning.contains(name),
            "{warning}"
        );
    }
}

#[test]
fn a_malformed_traceparent_is_left_out_with_a_warning() {
    let chart = Chart::new();
    let output = chart.deliver(&["--trace-parent", "00-nonsense"]);
    assert_eq!(summary(&output, 0)["links"], Value::Array(Vec::new()));
    assert!(
        stderr(&output).contains("warning: parameter \"trace-parent\" is left out"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn duplicate_keys_and_null_items_are_said_with_their_place() {
    let chart = Chart::with(
        "templates/context.yaml",
        &context("  spanLinks:\n    -\n  preDeploymentTasks:\n    -\n"),
    );
    chart.write("values.yaml", "a: 1\nb: 2\na: 3\n");
    let output = chart.deliver(&[]);
    summary(&output, 0);
    let warnings = stderr(&output);
    assert!(
        warnings.contains("spec.spanLinks[0] is left out"),
        "{warnings}"
    );
    assert!(
        warnings.contains("spec.preDeploymentTasks[0] is empty"),
        "{warnings}"
    );
    let lint = run(&["lint", &chart.path("").to_string_lossy()]);
    assert_eq!(lint.status.code(), Some(1), "{}", stderr(&lint));
    let findings = String::from_utf8(lint.stdout).unwrap();
    for words in [
        "values.yaml:3: a: the key is already in line 1",
        "spec.spanLinks[0]",
        "spec.preDeploymentTasks[0]",
    ] {
        assert!(findings.contains(words), "{words} is not in: {findings}");
    }
}

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
        assert!(
            ledger["deliveries"][0]["attempts"][0]["exported"]["otlp"].is_null(),
            "{what}"
        );
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
        eprintln!("skipped: a full disk needs unshare");
        return;
    };
    if !stage.path("out/before.json").exists() && ended.status.code() != Some(10) {
        eprintln!(
            "skipped: a full disk needs the right to mount: {}",
            stderr(&ended)
        );
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
