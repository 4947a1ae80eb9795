//! The demo with a real Prometheus: targets are waited for, response times are asked for live.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use stagelink_tests::{peer, run, stderr};

/// A Prometheus of this test's own, ended with it.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    fn start(program: &Path, folder: &Path, targets: &str) -> Self {
        // The port is free when it is asked for; Prometheus takes it a moment later.
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let config = format!(
            "global: {{scrape_interval: 500ms}}\nscrape_configs:\n  - job_name: demo\n    file_sd_configs:\n      - files: [{targets:?}]\n        refresh_interval: 500ms\n"
        );
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let child = Command::new(program)
            .arg(format!(
                "--config.file={}",
                folder.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let prometheus = Self { child, address };
        let start = Instant::now();
        while !prometheus.is_ready() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "Prometheus does not become ready"
            );
            sleep(Duration::from_millis(50));
        }
        prometheus
    }

    fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else {
            return false;
        };
        let request = "GET /-/ready HTTP/1.0\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.0 200")
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demo_evaluates_with_a_real_prometheus() {
    let Some(program) = peer("prometheus", "the demo with a real Prometheus") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("demo");
    let targets = format!("{}/prometheus/*.json", root.display());
    let prometheus = Prometheus::start(&program, folder.path(), &targets);
    let url = format!("http://{}", prometheus.address);
    let output = run(&[
        "demo",
        "--dir",
        &root.to_string_lossy(),
        "--prometheus",
        &url,
        "-o",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["as_told"], true);
    let slow = &summary["deliveries"][4];
    // Seconds, as Prometheus has them, not the milliseconds of the built-in tasks.
    let reason = slow["reason"].as_str().unwrap();
    assert!(
        reason.contains("did not meet objective '<0.50'"),
        "{reason}"
    );
}
