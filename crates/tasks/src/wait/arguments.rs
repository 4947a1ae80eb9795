//! The command line of `wait-for-target`.

use std::time::Duration;

use clap::Args;
use url::Url;

use crate::ExpectedStatus;

/// Wait until Prometheus and its target are up, or until an HTTP server answers.
///
/// Everything that is asked for must have been so once, one after the other: Prometheus is ready,
/// its targets are up, its query has a result, the URLs answer.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  wait-for-target --prometheus http://prometheus:9090 --job shop --timeout 90s
  wait-for-target --prometheus http://prometheus:9090 --query 'http_requests_total{version=\"v2\"}'
  wait-for-target --url http://shop.dev:8080/healthz")]
#[group(id = "server", required = true, multiple = true, args = ["prometheus", "urls"])]
pub struct WaitArguments {
    /// The Prometheus server.
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<Url>,

    /// The scrape job that must have targets, all of them up.
    #[arg(long, value_name = "JOB", requires = "prometheus")]
    pub job: Option<String>,

    /// The target (label instance, HOST:PORT) that must be up.
    #[arg(long, value_name = "INSTANCE", requires = "prometheus")]
    pub target: Option<String>,

    /// A query that must have a result, all of its values other than 0.
    #[arg(long, value_name = "PROMQL", requires = "prometheus")]
    pub query: Option<String>,

    /// A URL that must answer. Repeatable.
    #[arg(long = "url", value_name = "URL")]
    pub urls: Vec<Url>,

    /// The statuses that count as an answer of --url.
    #[arg(long, value_name = "STATUS", default_value = "2xx,3xx")]
    pub expect_status: ExpectedStatus,

    /// How long to wait for all of it.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}
