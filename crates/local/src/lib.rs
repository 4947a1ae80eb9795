//! One machine's side of the delivery traits: the ledger in a file, tasks in the hook or as
//! processes, workloads as whoever plays Argo CD tells of them, secrets in a folder.
//!
//! A cluster has a set of its own. Nothing here decides about a delivery.
//!
//! ```
//! # let folder = tempfile::tempdir()?;
//! use stagelink_local::LedgerFile;
//!
//! let path = folder.path().join("ledger.json");
//! let ledger = LedgerFile::open(&path)?;
//! assert!(LedgerFile::open(&path).is_err(), "one hook at a time");
//! # drop(ledger);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ledger_file;
mod process;
mod program;
mod secret_folder;
mod supervisor;
mod task_runner;
mod workload_file;

pub use ledger_file::LedgerFile;
pub use secret_folder::SecretFolder;
pub use supervisor::supervise;
pub use task_runner::{LocalTasks, LocalTasksSettings};
pub use workload_file::WorkloadFile;
