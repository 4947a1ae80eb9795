//! The cluster's side of a delivery: what the engine asks for, done with a Kubernetes API server.
//!
//! Nothing here decides about a delivery, and nothing is polled: what takes time is watched.

mod annotations;
mod calls;
mod client;
mod definitions;
mod error;
mod events;
mod ledger_config_map;
mod ledger_spool;
mod ledger_summary;
mod retry;
mod secrets;
mod tasks;
mod workloads;

pub use annotations::annotate_job;
pub use calls::ApiCalls;
pub use client::{Cluster, ConnectError};
pub use definitions::ClusterDefinitions;
pub use error::ApiError;
pub use events::{ClusterEvents, EventsLost};
pub use ledger_config_map::LedgerConfigMap;
pub use secrets::ClusterSecrets;
pub use tasks::{ClusterTasks, ClusterTasksSettings, DENO_IMAGE, PYTHON_IMAGE, Tell};
pub use workloads::ClusterWorkloads;
