//! The built-in tasks: `load`, `wait-for-target` and `promote`.
//!
//! They have one command line, `stagelink-task`. A hook runs them itself ([`builtin`]); under
//! Keptn's operator the same arguments and environment run as a container ([`main`]). A task tells
//! what it measured as numbers, which evaluations can ask for. This crate runs no foreign images
//! and decides nothing about a delivery.
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
mod environment;
pub mod load;
mod promote;
mod report;
mod standalone;
mod status;
pub mod wait;

pub use command::{Command, CommandLine, Format};
pub use environment::{Environment, EnvironmentError};
pub use standalone::main;
pub use status::ExpectedStatus;
