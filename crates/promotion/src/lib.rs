//! Promotion: carrying the versions that passed one stage to the next stage's values.
//!
//! This crate edits values files ([`edit`]), makes the texts that belong to a change ([`text`]) and
//! brings it to where it is reviewed: a branch or a commit in a git repository, or a workflow on
//! GitHub that makes the change itself ([`Target`]). It decides nothing about a delivery, knows no
//! plan but its traceparent, and merges nothing.
//!
//! ```
//! use stagelink_promotion::edit::{Change, edit};
//!
//! let values = "serviceVersion: 'v1' # what runs\nreplicas: 2\n";
//! let change = Change::text("serviceVersion".parse()?, "v2");
//! let edited = edit(values, &[change])?;
//! assert_eq!(edited.text, "serviceVersion: 'v2' # what runs\nreplicas: 2\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arguments;
mod branch;
pub mod edit;
mod error;
mod forge;
pub mod git;
mod github;
mod key;
mod promotion;
mod secret;
pub mod text;

pub use arguments::{Mode, PromoteArguments, PromotionContext};
pub use branch::{BranchName, BranchNameError};
pub use error::PromotionError;
pub use forge::{Forge, Proposal, Proposed};
pub use key::{KeyMapping, KeyPath, KeyPathError, Segment};
pub use promotion::{
    DEFAULT_ATTEMPTS, DEFAULT_TIMEOUT, GitMode, GitTarget, GithubWorkflow, Identity, Promoted,
    Promotion, Target, Values, promote,
};
pub use secret::{Secret, SecureData, SecureDataError};
