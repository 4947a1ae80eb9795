//! `AnalysisDefinition`: weighted objectives and the score that passes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{NamespacedReference, lenient};

/// `AnalysisDefinition.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisDefinitionSpec {
    /// What is judged.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub objectives: Vec<AnalysisObjective>,
    /// Which score passes.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub total_score: TotalScore,
}

/// One objective of an analysis.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisObjective {
    /// The AnalysisValueTemplate, in the namespace of the definition unless one is given.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub analysis_value_template_ref: NamespacedReference,
    /// When the objective fails, or half counts.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub target: Target,
    /// How much it counts; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// True if the analysis fails when this objective does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_objective: Option<bool>,
}

/// When an objective fails, and when it only warns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// When this holds, the objective scores nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Operator>,
    /// When this holds and `failure` does not, the objective scores half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<Operator>,
}

/// A comparison; exactly one field is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operator {
    /// `≤`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub less_than_or_equal: Option<FixedValue>,
    /// `<`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub less_than: Option<FixedValue>,
    /// `>`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greater_than: Option<FixedValue>,
    /// `≥`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greater_than_or_equal: Option<FixedValue>,
    /// `=`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equal_to: Option<FixedValue>,
    /// Between the bounds, both included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_range: Option<RangeValue>,
    /// Outside the bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_in_range: Option<RangeValue>,
}

/// A value to compare with: a Kubernetes Quantity, as text or number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FixedValue {
    /// The value.
    #[serde(default)]
    pub fixed_value: Value,
}

/// Two bounds: Kubernetes Quantities, as text or number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RangeValue {
    /// The lower bound.
    #[serde(default)]
    pub low_bound: Value,
    /// The upper bound.
    #[serde(default)]
    pub high_bound: Value,
}

/// Which score, in per cent of the largest possible, passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TotalScore {
    /// From here on the analysis passes; 0 to 100.
    #[serde(default)]
    pub pass_percentage: i64,
    /// From here on it warns; 0 to 100, below the former.
    #[serde(default)]
    pub warning_percentage: i64,
}
