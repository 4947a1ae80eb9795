//! `KeptnEvaluationDefinition`: what must hold.

use serde::{Deserialize, Serialize};

use crate::{EvaluationTarget, EvaluationTargetError, GoDuration, NamespacedReference, lenient};

/// `KeptnEvaluationDefinition.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationDefinitionSpec {
    /// What must hold: all of them.
    #[serde(default, deserialize_with = "lenient::list")]
    pub objectives: Vec<Objective>,
    /// How often the evaluation is tried; see [`retries`](Self::retries).
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "retries")]
    pub retry_limit: Option<i64>,
    /// The wait between two tries; see [`retry_interval`](Self::retry_interval).
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        rename = "retryInterval"
    )]
    pub retry_wait: Option<GoDuration>,
    /// Name of the provider as v1alpha1 and v1alpha2 have it; its objectives hold their own query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// One objective of an evaluation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Objective {
    /// The metric that is judged; absent only in the shape of v1alpha1 and v1alpha2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keptn_metric_ref: Option<NamespacedReference>,
    /// `>` or `<` and a number; see [`target`](Self::target).
    #[serde(default)]
    pub evaluation_target: String,
    /// Name of the objective as v1alpha1 and v1alpha2 have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Query to the definition's `source` as v1alpha1 and v1alpha2 have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

impl EvaluationDefinitionSpec {
    /// Tries when nothing is said (the CRD's default).
    pub const DEFAULT_RETRIES: u32 = 10;
    /// Wait between two tries when nothing is said (the CRD's default).
    pub const DEFAULT_RETRY_INTERVAL: GoDuration = GoDuration::from_seconds(5);

    /// How often the evaluation is tried in all; a negative number is zero.
    ///
    /// Keptn turns a `0` into 10, because it does not send zeros to the cluster; here 0 is 0, and an
    /// evaluation is tried at least once.
    pub fn retries(&self) -> u32 {
        self.retry_limit.map_or(Self::DEFAULT_RETRIES, |retries| {
            u32::try_from(retries.max(0)).unwrap_or(u32::MAX)
        })
    }

    /// The wait between two tries.
    pub fn retry_interval(&self) -> GoDuration {
        self.retry_wait.unwrap_or(Self::DEFAULT_RETRY_INTERVAL)
    }
}

impl Objective {
    /// Name of what is judged: the metric's, or the objective's own in the older shape.
    pub fn metric_name(&self) -> &str {
        match &self.keptn_metric_ref {
            Some(metric) => &metric.name,
            None => self.name.as_deref().unwrap_or_default(),
        }
    }

    /// The target, parsed.
    ///
    /// # Errors
    /// [`EvaluationTargetError`] when it is not `>` or `<` and a number.
    pub fn target(&self) -> Result<EvaluationTarget, EvaluationTargetError> {
        self.evaluation_target.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_shapes_are_read() {
        let now: EvaluationDefinitionSpec = serde_json::from_value(json!({
            "objectives": [{"keptnMetricRef": {"name": "m", "namespace": "n"}, "evaluationTarget": "<1"}], "retries": 0
        }))
        .unwrap();
        assert_eq!((now.retries(), now.objectives[0].metric_name()), (0, "m"));
        assert_eq!(now.retry_interval(), "5s".parse().unwrap());
        let older: EvaluationDefinitionSpec = serde_json::from_value(json!({
            "source": "prometheus", "objectives": [{"name": "cpu", "query": "sum(up)", "evaluationTarget": ">1"}]
        }))
        .unwrap();
        assert_eq!(
            (older.retries(), older.objectives[0].metric_name()),
            (10, "cpu")
        );
    }
}
