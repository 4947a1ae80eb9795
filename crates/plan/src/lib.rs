//! The plan: all that a delivery needs, taken from the rendered manifests at generate time.
//!
//! The plan, not a chart, is the contract between the plugin (`stagelink-cmp`), which writes it,
//! and the hooks, which read it. This crate holds its types, its serialised form and the content
//! digest; it knows no cluster, clock, network or template.
//!
//! ```
//! use stagelink_plan::TraceParent;
//!
//! let link: TraceParent = "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01".parse()?;
//! assert_eq!(link.trace_id().to_string(), "c088f5c586bab8649159ccc39a9862f7");
//! # Ok::<(), stagelink_plan::TraceParentError>(())
//! ```

mod build;
mod digest;
mod plan;
mod traceparent;

pub use build::{BuiltPlan, COMMIT_ID, Manifest, PlanSettings, build};
pub use digest::ContentDigest;
pub use plan::{DefinitionMetadata, PLAN_VERSION, Phases, Plan, PlanError, Source, Workload};
pub use traceparent::{SpanId, TraceId, TraceParent, TraceParentError};
