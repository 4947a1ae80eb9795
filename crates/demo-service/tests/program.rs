//! The program as a process, asked over HTTP.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::process::Stdio;

use serde_json::{Value, json};
use stagelink_http::{Options, Resolve, Server, read};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use url::Url;

struct Demo {
    process: Child,
    url: Url,
}

impl Demo {
    async fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_demo-service"))
            .args(arguments)
            .arg("--exit-on-stdin-close")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        out.read_line(&mut line).await.unwrap();
        let url = line.trim_end().parse().unwrap();
        Self { process, url }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let server = Server::new(&self.url, &Resolve::default(), &Options::default()).unwrap();
        let request = server.request(reqwest::Method::GET, self.url.join(path).unwrap());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            String::from_utf8(read(answer, 1 << 20).await.unwrap()).unwrap(),
        )
    }

    async fn json(&self) -> (u16, Value) {
        let (status, body) = self.get("/").await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

#[tokio::test]
async fn it_answers_with_its_version_and_its_backends() {
    let backend = Demo::start(&["--version=v7", "--latency=0s"]).await;
    let resolve = format!(
        "simple-go-backend.dev:8080:127.0.0.1:{}",
        backend.url.port().unwrap()
    );
    let front = Demo::start(&[
        "--version=v2",
        "--latency=1ms",
        "--backend=http://simple-go-backend.dev:8080/",
        "--resolve",
        &resolve,
    ])
    .await;
    let both = json!({"version": "v2", "backend": {"version": "v7"}});
    assert_eq!(front.json().await, (200, both));
    assert_eq!(front.get("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(front.get("/other").await.0, 404);

    drop(backend);
    let (status, body) = front.json().await;
    assert_eq!((status, &body["version"]), (502, &json!("v2")));
    let (_, metrics) = front.get("/metrics").await;
    assert!(
        metrics.contains("demo_requests_total{version=\"v2\",status=\"200\"} 1\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("demo_requests_total{version=\"v2\",status=\"502\"} 1\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("demo_request_duration_seconds_count{version=\"v2\"} 2\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn its_latency_is_what_it_is_told() {
    let slow = Demo::start(&["--version=v3", "--latency=120ms"]).await;
    slow.json().await;
    let (_, metrics) = slow.get("/metrics").await;
    for (bound, count) in [("0.1", 0), ("+Inf", 1)] {
        let line = format!(
            "demo_request_duration_seconds_bucket{{version=\"v3\",le=\"{bound}\"}} {count}\n"
        );
        assert!(metrics.contains(&line), "{metrics}");
    }
}

#[tokio::test]
async fn it_ends_when_it_is_told_to() {
    let mut by_stdin = Demo::start(&[]).await;
    drop(by_stdin.process.stdin.take());
    assert!(by_stdin.process.wait().await.unwrap().success());

    let mut by_signal = Demo::start(&[]).await;
    let id = by_signal.process.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .unwrap()
            .success()
    );
    assert!(by_signal.process.wait().await.unwrap().success());
}

#[tokio::test]
async fn what_it_cannot_do_is_told_in_one_line() {
    let one = Demo::start(&[]).await;
    let taken = format!(
        "--listen={}",
        one.url
            .as_str()
            .trim_start_matches("http://")
            .trim_end_matches('/')
    );
    for (argument, code, expected) in [
        (taken.as_str(), 3, "choose another --listen"),
        ("--backend=ftp://a/", 3, "--backend: `ftp://a/` is no http"),
        ("--latency=fast", 2, "--latency"),
        ("--listen=here", 2, "--listen"),
    ] {
        let program = Command::new(env!("CARGO_BIN_EXE_demo-service"))
            .arg(argument)
            .output();
        let output = program.await.unwrap();
        assert_eq!(output.status.code(), Some(code), "{argument}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(expected), "{argument}: {error}");
    }
}
