//! What happens when parts of the cluster are away or behave otherwise: each of these tests disturbs all
//! others, so that they take turns and have a program of their own. Without a rig each says that it is
//! skipped.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod api_server;
mod collector;
mod hook_pods;
mod node;
#[path = "../cluster/shop.rs"]
#[allow(dead_code, reason = "shared with the other tests of the cluster")]
mod shop;
mod sync_timeout;
mod traced;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Held by the test whose turn it is.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longest wait for an operation that something was away from for a minute.
const PATIENCE: Duration = Duration::from_secs(400);
