//! The delivery engine: phases, outcomes, attempts and the ledger.
//!
//! This is the domain of Stagelink. It knows no Kubernetes, HTTP or OTLP: what it needs from
//! outside it states as traits in [`ports`], and the outer crates implement them.

pub mod identity;
pub mod ledger;
pub mod ports;

mod outcome;
mod phase;

pub use outcome::Outcome;
pub use phase::{CheckType, Phase, State};
