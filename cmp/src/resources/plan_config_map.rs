//! The ConfigMap with the plan.

use serde_json::{Value, json};
use stagelink_plan::Plan;

use super::{Names, helper_metadata};
use crate::PluginError;

/// Key of the plan in its ConfigMap.
pub(super) const KEY: &str = "plan.json";

/// Largest plan, in bytes: a ConfigMap may hold 1 MiB with everything.
const MAX_PLAN: usize = 1_000_000;

pub(super) fn build(plan: &Plan, names: &Names) -> Result<Value, PluginError> {
    let json = plan
        .to_json()
        .map_err(|error| PluginError::Environment(error.to_string()))?;
    if json.len() > MAX_PLAN {
        return Err(PluginError::input(format!(
            "the plan has {} bytes, more than a ConfigMap can hold; move long inline functions into ConfigMaps",
            json.len()
        )));
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": helper_metadata(&names.plan(), &plan.namespace, "plan"),
        "data": { KEY: json },
    }))
}
