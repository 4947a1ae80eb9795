//! Metric providers and evaluations
