//! Metric providers and evaluations.
//!
//! An evaluation asks its metrics' providers at evaluation time and compares what they answer with
//! its targets.
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

pub mod prometheus;
