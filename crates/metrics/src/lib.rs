//! Metric providers and evaluations.
//!
//! [`Metrics`] carries out a KeptnEvaluationDefinition: it asks the provider of every KeptnMetric
//! when it evaluates, not every few seconds as Keptn's operator does, and compares what it is told
//! with the targets. Providers: Prometheus (and Thanos and Cortex, which speak its API), and the
//! results of this attempt's built-in tasks. What the plan does not hold is
//! looked up through a port of `stagelink-delivery`; this crate knows no cluster.
//!
//! ```
//! use stagelink_metrics::prometheus::Answer;
//!
//! let answer: Answer = serde_json::from_str(
//!     r#"{"resultType": "vector", "result": [{"metric": {}, "value": [1.5, "0.25"]}]}"#,
//! )?;
//! assert_eq!(answer.values(), [0.25]);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod aggregation;
mod evaluation;
mod lookup;
mod number;
pub mod prometheus;
mod provider;
mod results;

pub use evaluation::{Metrics, Settings};
