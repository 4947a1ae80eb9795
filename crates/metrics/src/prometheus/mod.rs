//! Prometheus' HTTP API, as far as evaluations and `wait-for-target` need it.
//!
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>

mod answer;
mod client;
mod provider;

pub use answer::{Answer, Sample, Series};
pub use client::{BasicAuth, Client, PrometheusError};
pub(crate) use provider::Prometheus;
