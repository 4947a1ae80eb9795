//! The rules of deliveries, attempts and phases, and that a kill at any moment loses and doubles
//! nothing.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod attempts;
mod between;
mod events;
mod faults;
mod history;
mod phases;
mod world;
