//! Helm charts: load, values, dependencies, functions, engine and manifests

pub mod chart;
pub mod dependencies;
pub mod semver;
pub mod values;

pub use chart::{Chart, ChartError, ChartErrorKind};
pub use dependencies::{ProcessedChart, process_dependencies};
