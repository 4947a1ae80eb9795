//! The hooks as the separate programs that they are: a plan file, a ledger file, exit codes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod deliveries;
mod kills;
mod stage;
mod surroundings;
