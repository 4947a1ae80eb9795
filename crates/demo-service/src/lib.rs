//! The small HTTP service that the demo delivers: `demo-service`.
//!
//! One program plays every version of two services. `/` answers with its version after a latency
//! that a flag sets, and may ask a backend first; `/healthz` says that it runs; `/metrics` has counts
//! and durations in Prometheus' text format. It is an example to deliver, not part of a delivery.
//!
//! ```
//! use clap::Parser as _;
//! use stagelink_demo_service::{Arguments, Service};
//! use tokio_util::sync::CancellationToken;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let arguments = Arguments::parse_from(["demo-service", "--version=v2", "--latency=1ms"]);
//! let service = Service::bind(&arguments).await?;
//! assert!(service.address().ip().is_loopback());
//! let stop = CancellationToken::new();
//! stop.cancel();
//! service.serve(&stop).await;
//! # Ok::<(), stagelink_demo_service::StartError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arguments;
mod metrics;
mod program;
mod service;

pub use arguments::Arguments;
pub use program::main;
pub use service::{Service, StartError};
