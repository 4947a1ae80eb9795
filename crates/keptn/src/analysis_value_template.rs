//! `AnalysisValueTemplate`: a query with placeholders.

use serde::{Deserialize, Serialize};

use crate::{NamespacedReference, lenient};

/// `AnalysisValueTemplate.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisValueTemplateSpec {
    /// The KeptnMetricsProvider.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub provider: NamespacedReference,
    /// The query, a Go template over the arguments of the Analysis.
    #[serde(default)]
    pub query: String,
}
