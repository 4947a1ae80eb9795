//! `Analysis`: one run of an analysis definition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{GoDuration, NamespacedReference, lenient};

/// `Analysis.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisSpec {
    /// The time range that is analysed.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub timeframe: Timeframe,
    /// Values for the placeholders of the queries.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::texts"
    )]
    pub args: BTreeMap<String, String>,
    /// The AnalysisDefinition, in the namespace of the Analysis unless one is given.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub analysis_definition: NamespacedReference,
}

/// A time range: either the most recent one, or from one moment to another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeframe {
    /// Length of the range up to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent: Option<GoDuration>,
    /// Start of the range, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// End of the range, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}
