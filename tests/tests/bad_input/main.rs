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
    reason = "a test fails by panicking"
)]

mod charts;
mod surroundings;

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;
use stagelink_tests::{output, run, stderr};

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
