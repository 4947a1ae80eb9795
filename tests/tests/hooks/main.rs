//! Plugin and hooks against a real cluster: with just the rights that they are given, and killed at every
//! step.
//!
//! The hooks run on this machine, as the service account; a test plays Argo CD.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod application;
mod killed;
mod proxy;
mod rights;
