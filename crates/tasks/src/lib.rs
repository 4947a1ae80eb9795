//! The built-in tasks: `load`, `wait-for-target` and `promote`.
//!
//! They have one command line, `stagelink-task`. A hook runs them itself ([`builtin`]); under
//! Keptn's operator the same arguments and environment run as a container ([`main`]). A task tells
//! what it measured as numbers, which evaluations can ask for.
//!
//! What is the same for every task, wherever it runs, is here too: its environment as Keptn gives it
//! ([`container_variables`], [`function_variables`]), and its log as a report tells it ([`LogEnd`]).
//! This crate runs no foreign images and decides nothing about a delivery.
//!
//! ```
//! use stagelink_tasks::builtin;
//!
//! let container = stagelink_keptn::Container {
//!     image: Some("ghcr.io/stagelink/stagelink-task:1.2".to_owned()),
//!     args: ["load", "--url=http://shop.dev:8080/", "--rate=50/s"].map(String::from).into(),
//!     ..Default::default()
//! };
//! assert!(builtin::parse(&container)?.is_some());
//! # Ok::<(), builtin::ParseError>(())
//! ```

pub mod builtin;
mod command;
mod contract;
mod environment;
mod json;
pub mod load;
mod log;
mod mask;
mod promote;
mod report;
mod standalone;
mod status;
pub mod wait;

pub use command::{Command, CommandLine, Format};
pub use contract::{container_variables, function_variables};
pub use environment::{Environment, EnvironmentError};
pub use log::{LOG_DETAIL, LogEnd};
pub use mask::masked;
pub use standalone::main;
pub use status::ExpectedStatus;
