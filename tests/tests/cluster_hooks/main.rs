//! Plugin and hooks against a real cluster: with just the rights that they are given, killed at every step, and
//! with an API server that answers otherwise than it should.
//!
//! The hooks run on this machine, as the service account; a test plays Argo CD.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod answers;
mod application;
mod clocks;
mod killed;
mod ledger;
mod proxy;
mod rights;
mod spool;
