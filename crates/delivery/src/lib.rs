//! The delivery engine: phases, outcomes, attempts and the ledger.
//!
//! This is the domain of Stagelink. It knows no Kubernetes, HTTP or OTLP: what it needs from
//! outside it states as traits in [`ports`], and the outer crates implement them.
//!
//! Identity is computed, so that every program can name every span without asking anybody:
//!
//! ```
//! use stagelink_delivery::Phase;
//! use stagelink_delivery::identity::{AttemptId, LedgerId, SpanPath};
//!
//! let ledger = LedgerId("8f14e45f".to_owned());
//! let attempt = AttemptId { ledger: &ledger, delivery: 2, attempt: 1 };
//! let promotion = attempt.trace_parent(&SpanPath::phase(Phase::PromotionTasks));
//! assert_eq!(promotion.trace_id(), attempt.trace_id());
//! ```

pub mod engine;
pub mod event;
pub mod identity;
pub mod ledger;
pub mod ports;
pub mod status;

mod compaction;
mod definitions;
mod name;
mod outcome;
mod phase;
mod secrets;

pub use name::{app_version_name, resource_name, workload_name, workload_version_name};
pub use outcome::Outcome;
pub use phase::{CheckType, Phase, State};
