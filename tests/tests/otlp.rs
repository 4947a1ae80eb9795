//! Spans in a real Jaeger, as its query API shows them: over gRPC and HTTP, at once and late.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use stagelink_tests::{Stage, command, git, output, peer, stderr, wait_until};

/// A Jaeger of this test's own, in memory, ended with it.
struct Jaeger {
    child: Child,
    grpc: SocketAddr,
    http: SocketAddr,
    query: SocketAddr,
}

impl Jaeger {
    fn start(program: &Path) -> Self {
        for _ in 0..5 {
            if let Some(jaeger) = Self::try_start(program) {
                return jaeger;
            }
        }
        panic!("Jaeger does not start");
    }

    /// `None` if somebody else took one of its ports between choosing and use.
    fn try_start(program: &Path) -> Option<Self> {
        let [grpc, http, query] = free_addresses();
        let child = Command::new(program)
            .arg(format!("--collector.otlp.grpc.host-port={grpc}"))
            .arg(format!("--collector.otlp.http.host-port={http}"))
            .arg(format!("--query.http-server.host-port={query}"))
            .args(
                [
                    "--query.grpc-server.host-port",
                    "--collector.grpc-server.host-port",
                    "--collector.http-server.host-port",
                    "--admin.http.host-port",
                    "--http-server.host-port",
                    "--processor.jaeger-binary.server-host-port",
                    "--processor.jaeger-compact.server-host-port",
                    "--processor.zipkin-compact.server-host-port",
                ]
                .map(|flag| format!("{flag}=127.0.0.1:0")),
            )
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut jaeger = Self {
            child,
            grpc,
            http,
            query,
        };
        let mut has_ended = false;
        wait_until("Jaeger listens", || {
            has_ended = !matches!(jaeger.child.try_wait(), Ok(None));
            let listens = |address: &SocketAddr| TcpStream::connect(address).is_ok();
            has_ended || (listens(&grpc) && listens(&http) && jaeger.get("/api/services").is_some())
        });
        (!has_ended).then_some(jaeger)
    }

    /// An answer of the query API.
    fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(self.query).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        if !head.lines().next()?.contains(" 200 ") {
            return None;
        }
        serde_json::from_str(body).ok()
    }

    /// The spans of a trace, once it has as many as `count`.
    fn spans(&self, trace: &str, count: usize) -> Vec<Value> {
        let mut spans = Vec::new();
        wait_until(&format!("Jaeger shows {count} spans of {trace}"), || {
            let found = self.get(&format!("/api/traces/{trace}"));
            spans = found
                .and_then(|found| found["data"][0]["spans"].as_array().cloned())
                .unwrap_or_default();
            spans.len() >= count
        });
        assert_eq!(spans.len(), count, "a span is there twice");
        spans
    }

    /// Sends a command's spans here.
    fn receive(&self, command: &mut Command, protocol: &str) {
        let address = if protocol == "grpc" {
            self.grpc
        } else {
            self.http
        };
        command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    }
}

impl Drop for Jaeger {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Addresses that were free a moment ago.
fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

fn summary(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    assert!(!stderr(output).contains("warning: "), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("stdout holds the summary and nothing else")
}

fn count_of(spans: &[Value], trace: &Value) -> usize {
    spans
        .iter()
        .filter(|span| span["traceId"] == *trace)
        .count()
}

/// The root of prod's trace follows from the PromotionTasks span of dev's, and all else is within.
fn assert_linked(jaeger: &Jaeger, file: &Path, dev: &Value, prod: &Value) {
    let written = stagelink_tests::spans(file);
    let spans_of = |delivery: &Value| {
        let trace = &delivery["trace_id"];
        jaeger.spans(trace.as_str().unwrap(), count_of(&written, trace))
    };
    let (dev_spans, prod_spans) = (spans_of(dev), spans_of(prod));
    let promotion = dev_spans
        .iter()
        .find(|span| span["operationName"] == "PromotionTasks")
        .unwrap();
    let root = prod_spans
        .iter()
        .find(|span| span["spanID"] == prod["root_span_id"])
        .unwrap();
    let references = root["references"].as_array().unwrap();
    assert_eq!(references.len(), 1, "{root:#}");
    assert_eq!(references[0]["traceID"], dev["trace_id"]);
    assert_eq!(references[0]["spanID"], promotion["spanID"]);
    assert_eq!(references[0]["refType"], "FOLLOWS_FROM");
    for span in dev_spans
        .iter()
        .chain(&prod_spans)
        .filter(|span| span["spanID"] != root["spanID"])
    {
        assert!(span["warnings"].is_null(), "{span:#}");
    }
}

#[test]
fn a_demo_is_one_linked_trace_over_grpc() {
    let Some(program) = peer("jaeger", "spans over gRPC") else {
        return;
    };
    let jaeger = Jaeger::start(&program);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("demo");
    let mut command = command();
    command.args(["demo", "-o", "json", "--dir"]).arg(&root);
    jaeger.receive(&mut command, "grpc");
    let summary = summary(&output(&mut command));
    let deliveries = summary["deliveries"].as_array().unwrap();
    let passed: Vec<&Value> = deliveries
        .iter()
        .filter(|delivery| !delivery["links"].as_array().unwrap().is_empty())
        .collect();
    let [prod] = passed.as_slice() else {
        panic!("not one linked delivery: {deliveries:#?}")
    };
    let dev = deliveries
        .iter()
        .find(|delivery| delivery["trace_id"] == prod["links"][0]["trace_id"])
        .unwrap();
    assert_linked(&jaeger, &root.join("spans.jsonl"), dev, prod);
}

#[test]
fn deliveries_are_linked_over_http() {
    let Some(program) = peer("jaeger", "spans over HTTP") else {
        return;
    };
    let jaeger = Jaeger::start(&program);
    let stage = Stage::new();
    let mut command = stage.command();
    command.args(["-o", "json"]);
    jaeger.receive(&mut command, "http/protobuf");
    let dev = summary(&output(&mut command));

    // Somebody merges the promotion, and prod is delivered.
    let work = stage.path("work");
    git(&work, &["fetch", "-q", "origin"]);
    git(
        &work,
        &["merge", "-q", "--ff-only", "origin/promotion/shop/prod"],
    );
    stage.write(
        "work/prod/Chart.yaml",
        "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    );
    stage.write(
        "work/prod/templates/shop.yaml",
        "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata:\n  name: shop\nspec:\n  spanLinks:\n    - {{ .Values.traceParent }}\n",
    );
    stage.push("prod");
    let mut command = stagelink_tests::command();
    command
        .arg("deliver")
        .arg(stage.path("work/prod"))
        .arg("--state-dir")
        .arg(stage.path("state"));
    command.args(["-o", "json"]);
    jaeger.receive(&mut command, "http/protobuf");
    let prod = summary(&output(&mut command));
    assert_linked(&jaeger, &stage.path("state/spans.jsonl"), &dev, &prod);
}

/// What no collector took stays in the ledger; the next run sends it, and only once.
#[test]
fn a_collector_that_comes_later_gets_everything() {
    let Some(program) = peer("jaeger", "spans that are sent late") else {
        return;
    };
    let stage = Stage::new();
    let [nobody] = free_addresses();
    let mut command = stage.command();
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{nobody}"));
    let first = output(command.args(["-o", "json"]));
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert!(
        stderr(&first).contains("kept in the ledger"),
        "{}",
        stderr(&first)
    );

    let jaeger = Jaeger::start(&program);
    let mut delivered = Value::Null;
    for protocol in ["grpc", "http/protobuf"] {
        let mut command = stage.command();
        command.args(["-o", "json"]);
        jaeger.receive(&mut command, protocol);
        delivered = summary(&output(&mut command));
    }
    let trace = &delivered["trace_id"];
    jaeger.spans(trace.as_str().unwrap(), count_of(&stage.spans(), trace));
}
