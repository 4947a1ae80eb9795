//! The Keptn resources as Rust types, and their validation.
//!
//! Field names, defaults and constraints are those of the CRDs of Keptn's lifecycle-toolkit
//! (commit 40e195d, Apache-2.0), in all versions that it serves: the older shapes are read too, and
//! helper methods hide the difference. Nothing here talks to a cluster, runs a task or asks a
//! provider; reading is lenient (a `null` is an absent field, unknown fields are ignored) and
//! [`validate`] says everything that is wrong, with its place.
//!
//! ```
//! use stagelink_keptn::{Runtime, TaskDefinitionSpec};
//!
//! let spec: TaskDefinitionSpec = serde_json::from_value(serde_json::json!({
//!     "retries": 2,
//!     "container": {"name": "test", "image": "busybox:1.36", "command": ["true"]},
//! }))?;
//! assert_eq!(spec.runtime(), Some(Runtime::Container));
//! assert_eq!(spec.retries(), 2);
//! assert_eq!(spec.timeout().to_string(), "5m0s");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod analysis;
mod analysis_definition;
mod analysis_value_template;
mod app;
mod app_context;
mod app_creation_request;
mod app_version;
mod config;
mod container;
mod duration;
mod evaluation;
mod evaluation_definition;
mod evaluation_provider;
mod evaluation_target;
mod finding;
mod function;
mod kind;
mod lenient;
mod metric;
mod metrics_provider;
mod nearest;
mod quantity;
mod reference;
mod task;
mod task_definition;
mod timestamp;
mod validate;
mod workload;
mod workload_instance;
mod workload_version;

pub use analysis::{AnalysisSpec, Timeframe};
pub use analysis_definition::{
    AnalysisDefinitionSpec, AnalysisObjective, FixedValue, Operator, RangeValue, Target, TotalScore,
};
pub use analysis_value_template::AnalysisValueTemplateSpec;
pub use app::{AppSpec, WorkloadReference};
pub use app_context::AppContextSpec;
pub use app_creation_request::AppCreationRequestSpec;
pub use app_version::AppVersionSpec;
pub use config::ConfigSpec;
pub use container::{Container, EnvironmentVariable};
pub use duration::{DurationError, GoDuration};
pub use evaluation::EvaluationSpec;
pub use evaluation_definition::{EvaluationDefinitionSpec, Objective};
pub use evaluation_provider::EvaluationProviderSpec;
pub use evaluation_target::{EvaluationTarget, EvaluationTargetError, Verdict};
pub use finding::{Finding, Severity};
pub use function::{FunctionError, FunctionSource, ResolvedFunction};
pub use kind::KeptnKind;
pub use metric::{Aggregation, MetricRange, MetricSpec};
pub use metrics_provider::{MetricsProviderSpec, ProviderType};
pub use nearest::nearest;
pub use reference::{NameReference, NamespacedReference, ResourceReference, SecretKeyReference};
pub use task::{TaskContext, TaskSpec};
pub use task_definition::{
    AutomountServiceAccountToken, FunctionSpec, InlineFunction, Parameters, Runtime,
    SecureParameters, TaskDefinitionSpec, UrlReference,
};
pub use validate::{validate, validate_document};
pub use workload::{WorkloadPhases, WorkloadSpec};
pub use workload_instance::WorkloadInstanceSpec;
pub use workload_version::WorkloadVersionSpec;
