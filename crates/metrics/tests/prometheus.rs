//! Evaluations over a real Prometheus. Skipped with a message where none is installed.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "support/server.rs"]
mod server;
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde_json::{Value, json};
use stagelink_delivery::Outcome;
use stagelink_delivery::ports::{SecretError, SecretKey, SecretValue, Secrets};
use stagelink_http::{Options, Resolve};
use stagelink_metrics::prometheus::{BasicAuth, Client};
use stagelink_metrics::{Metrics, Settings};
use support::{definition, evaluate, plan};
use tokio_util::sync::CancellationToken;

/// A hundred values of `latency`, falling from 100 to 1 in the last hundred seconds; two series
/// `pair`; `nothing`, which is NaN.
fn data() -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let mut text = String::from("# TYPE latency gauge\n");
    for ago in (1..=100).rev() {
        writeln!(text, "latency {ago} {}", now - ago).unwrap();
    }
    text.push_str("# TYPE nothing gauge\n");
    writeln!(text, "nothing NaN {}", now - 1).unwrap();
    text.push_str("# TYPE pair gauge\n");
    for name in ["a", "b"] {
        writeln!(text, "pair{{name=\"{name}\"}} 1 {}", now - 1).unwrap();
    }
    text.push_str("# EOF\n");
    text
}

async fn ready(url: &str, credentials: Option<BasicAuth>, insecure: bool) {
    let options = Options {
        insecure_skip_tls_verify: insecure,
        ..Options::default()
    };
    let client = Client::new(
        &url.parse().unwrap(),
        credentials,
        &Resolve::default(),
        &options,
    )
    .unwrap();
    while client.ready().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn judged(
    metrics: &Metrics,
    provider: Value,
    metric: Value,
    target: &str,
) -> (Outcome, String) {
    let mut metric = metric;
    metric["provider"] = json!({"name": "monitoring"});
    let plan = plan(
        json!({"dev/m": metric}),
        json!({"dev/monitoring": provider}),
    );
    let cancel = CancellationToken::new();
    let end = evaluate(
        metrics,
        &plan,
        definition(1, &[("m", target)]),
        &BTreeMap::new(),
        &cancel,
    )
    .await;
    (end.outcome, end.report.objectives[0].message.clone())
}

#[tokio::test]
async fn queries_of_all_kinds() {
    let Some(server) = server::start(Some(&data()), "", |_| Some(Vec::new())) else {
        return;
    };
    let url = format!("http://127.0.0.1:{}/", server.port);
    ready(&url, None, false).await;
    let range = |aggregation: &str| json!({"query": "latency", "range": {"interval": "10m", "step": "1s", "aggregation": aggregation}});
    for (metric, target, outcome, message) in [
        // The newest of the values that fall from 100 to 1.
        (
            json!({"query": "latency"}),
            "<2",
            Outcome::Pass,
            "value '1' met objective '<2'",
        ),
        (
            json!({"query": "latency"}),
            ">1",
            Outcome::Fail,
            "value '1' did not meet objective '>1'",
        ),
        // Keptn would take the value of a minute ago.
        (
            json!({"query": "latency", "range": {"interval": "1m"}}),
            "<2",
            Outcome::Pass,
            "value '1' met objective '<2'",
        ),
        (
            json!({"query": "max_over_time(latency[10m])"}),
            ">99",
            Outcome::Pass,
            "value '100' met objective '>99'",
        ),
        (
            json!({"query": "sum(pair) / 3"}),
            "<1",
            Outcome::Pass,
            "value '0.6666666666666666' met objective '<1'",
        ),
        (
            json!({"query": "42"}),
            ">41",
            Outcome::Pass,
            "value '42' met objective '>41'",
        ),
        (
            json!({"query": "absent_metric"}),
            "<1",
            Outcome::Inconclusive,
            "no values in query result",
        ),
        (
            json!({"query": "nothing"}),
            "<1",
            Outcome::Inconclusive,
            "value 'NaN' did not meet objective '<1'",
        ),
        (
            json!({"query": "pair"}),
            ">0",
            Outcome::Error,
            "too many values in query result: 2 series",
        ),
        (
            json!({"query": "latency[1m]"}),
            ">0",
            Outcome::Error,
            "the query gives no number for one time",
        ),
        (
            json!({"query": "sum("}),
            ">0",
            Outcome::Error,
            "refuses the query: invalid parameter \"query\"",
        ),
        (
            range("max"),
            ">99",
            Outcome::Pass,
            "value '100' met objective '>99'",
        ),
        (
            range("min"),
            "<2",
            Outcome::Pass,
            "value '1' met objective '<2'",
        ),
        // The values of the hundred seconds, and the last one again for some more: Keptn's p99 of
        // values that fall would be near the smallest.
        (range("p99"), ">90", Outcome::Pass, "met objective '>90'"),
        (
            json!({"query": "absent_metric", "range": {"interval": "10m", "step": "1s", "aggregation": "avg"}}),
            "<1",
            Outcome::Inconclusive,
            "no values in query result",
        ),
        (
            json!({"query": "pair", "range": {"interval": "1m", "step": "1s", "aggregation": "avg"}}),
            "<2",
            Outcome::Error,
            "too many values in query result: 2 series",
        ),
        (
            json!({"query": "latency", "range": {"interval": "24h", "step": "1s", "aggregation": "avg"}}),
            "<2",
            Outcome::Error,
            "exceeded maximum resolution",
        ),
    ] {
        let provider = json!({"type": "prometheus", "targetServer": url});
        let (found, told) = judged(&Metrics::default(), provider, metric.clone(), target).await;
        assert_eq!(found, outcome, "{metric}: {told}");
        assert!(told.contains(message), "{metric}: {told}");
    }
}

/// The password of the server below.
#[derive(Debug)]
struct Password;

#[async_trait]
impl Secrets for Password {
    async fn get(&self, key: &SecretKey<'_>) -> Result<Option<SecretValue>, SecretError> {
        Ok(match (key.name, key.key) {
            ("good", "user") | ("bad", "user") => Some(SecretValue::new("me")),
            ("good", "password") => Some(SecretValue::new("s3cret")),
            ("bad", "password") => Some(SecretValue::new("other-s3cret")),
            _ => None,
        })
    }
}

#[tokio::test]
async fn passwords_and_certificates() {
    let more = |folder: &std::path::Path| {
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=127.0.0.1",
            ])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
            .arg(folder.join("key.pem"))
            .arg("-out")
            .arg(folder.join("certificate.pem"))
            .output();
        if !made.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: openssl is not installed");
            return None;
        }
        // bcrypt of `s3cret`: perl -e 'print crypt("s3cret", "\$2b\$05\$abcdefghijklmnopqrstuu")'
        let configuration = "tls_server_config: {cert_file: certificate.pem, key_file: key.pem}\n\
            basic_auth_users: {me: '$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK'}\n";
        std::fs::write(folder.join("web.yml"), configuration).unwrap();
        Some(vec![format!(
            "--web.config.file={}",
            folder.join("web.yml").display()
        )])
    };
    let Some(server) = server::start(Some(&data()), "", more) else {
        return;
    };
    let url = format!("https://127.0.0.1:{}/", server.port);
    let credentials = BasicAuth {
        user: "me".to_owned(),
        password: "s3cret".to_owned(),
    };
    ready(&url, Some(credentials), true).await;
    let metrics = Metrics::new(Settings {
        secrets: Arc::new(Password),
        ..Settings::default()
    });
    for (secret, skip, outcome, message) in [
        (
            Some("good"),
            true,
            Outcome::Pass,
            "value '1' met objective '<2'",
        ),
        (
            Some("bad"),
            true,
            Outcome::Error,
            "refuses access (status 401)",
        ),
        (None, true, Outcome::Error, "refuses access (status 401)"),
        (Some("good"), false, Outcome::Error, "certificate"),
    ] {
        let mut provider =
            json!({"type": "prometheus", "targetServer": url, "insecureSkipTlsVerify": skip});
        if let Some(name) = secret {
            provider["secretKeyRef"] = json!({"name": name, "key": "ignored"});
        }
        let (found, told) = judged(&metrics, provider, json!({"query": "latency"}), "<2").await;
        assert_eq!(found, outcome, "{told}");
        assert!(told.contains(message), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}
