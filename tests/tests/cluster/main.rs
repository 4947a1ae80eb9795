//! The way of a release through a real Argo CD and a real cluster, on the rig of `tests/rig`. Without a
//! rig each test says that it is skipped.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod chart;
mod deletion;
mod failures;
mod installation;
mod interventions;
mod monorepo;
mod release;
mod retries;
mod scale;
mod shop;
mod sources;
mod tracing;
