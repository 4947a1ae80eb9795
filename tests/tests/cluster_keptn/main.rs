//! Keptn's kinds in the cluster of the rig: where they appear, and where somebody used them. A test program of its
//! own, since they are there for everybody; within it one test runs at a time. Without a rig each says that it is
//! skipped.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod kinds;
mod user;

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stagelink_tests::cluster::Cluster;
use stagelink_tests::repository;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Held for as long as a test runs.
fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes Keptn's kinds known to the cluster. They stay: Argo CD 3.5.7 stands still for minutes after kinds are
/// removed that it has watched.
fn install_kinds(cluster: &Cluster) {
    let folder = repository().join("charts/stagelink/keptn-crds");
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        if file
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let file = file.to_str().unwrap();
            cluster.run(&["apply", "--server-side", "--force-conflicts", "-f", file]);
        }
    }
    let all = "wait crd --all --for=condition=Established --timeout=60s";
    cluster.run(&all.split(' ').collect::<Vec<_>>());
}
