//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use stagelink_http::Resolve;
use url::Url;

/// A small HTTP service to deliver: answers with its version, after a while.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "demo-service",
    disable_version_flag = true,
    after_help = "It prints its URL as its first and only line. GET / answers with JSON, /healthz with `ok`,
/metrics in Prometheus' text format.

Example:
  demo-service --version v2 --latency 20ms --backend http://127.0.0.1:9001/"
)]
pub struct Arguments {
    /// The version that it says it is.
    #[arg(long, value_name = "VERSION", default_value = "v1")]
    pub version: String,

    /// Where it listens; port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// How long it takes for an answer [default: 5ms, and 700ms in v3, the version that is too slow]
    #[arg(
        long,
        value_name = "DURATION",
        env = "DEMO_LATENCY",
        value_parser = humantime::parse_duration
    )]
    pub latency: Option<Duration>,

    /// A service that it asks first for every answer.
    #[arg(long, value_name = "URL")]
    pub backend: Option<Url>,

    /// Ask the backend at another address, like curl's --connect-to.
    #[arg(
        long,
        value_name = "HOST:PORT:ADDRESS:PORT",
        env = "STAGELINK_RESOLVE",
        default_value = "",
        hide_default_value = true
    )]
    pub resolve: Resolve,

    /// End when standard input is closed, so that it never outlives who started it.
    #[arg(long)]
    pub exit_on_stdin_close: bool,
}

/// The version that the demo's evaluation stops.
const SLOW_VERSION: &str = "v3";

impl Arguments {
    /// How long an answer takes: what was asked for, else what is usual for the version.
    pub fn usual_latency(&self) -> Duration {
        let usual = if self.version == SLOW_VERSION { 700 } else { 5 };
        self.latency.unwrap_or(Duration::from_millis(usual))
    }
}
