//! The plugin stays small: what a short-lived program without network does not need is not in it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

use std::process::Command;

#[test]
fn there_is_no_async_runtime_no_tls_and_no_cluster_client() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--locked",
            "--package",
            "stagelink-cmp",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.contains(&"stagelink-helm"), "{tree}");
    for unwanted in [
        "tokio",
        "hyper",
        "reqwest",
        "rustls",
        "openssl-sys",
        "native-tls",
        "kube",
        "k8s-openapi",
        "opentelemetry",
    ] {
        assert!(!names.contains(&unwanted), "{unwanted} is in the plugin");
    }
}
