//! The ConfigMap that the hooks keep the ledger in.

use serde_json::{Value, json};
use stagelink_plan::Plan;

use super::{Names, labels};

/// An ordinary resource without content, so that the ledger goes when the Application is deleted. Argo
/// CD neither compares nor touches what the hooks write into it: a manifest without `data` says
/// nothing about it. Where a manifest comes without it, as once `keep-ledger` is set, Argo CD neither prunes it
/// nor calls the Application out of sync for it.
pub(super) fn build(plan: &Plan, names: &Names) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.ledger(),
            "namespace": plan.namespace,
            "labels": labels("ledger"),
            "annotations": {
                "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
                "argocd.argoproj.io/sync-options": "Prune=false",
            },
        },
    })
}
