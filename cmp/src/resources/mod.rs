//! Stagelink's own resources: the plan, what the hooks may do, and the hooks.
//!
//! All but the ledger are hooks of Argo CD in one wave, because each further wave costs two seconds; a
//! helper that is left over is updated in place, because waiting for its deletion costs two more.

mod access;
mod hooks;
mod ledger_config_map;
mod names;
mod plan_config_map;

use serde_json::{Value, json};
use stagelink_plan::Plan;

pub(crate) use names::Names;

use crate::PluginError;
use crate::options::HookOptions;

/// The label that says who made a resource.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "stagelink");

/// Annotation of Argo CD that makes a resource a hook.
pub(crate) const HOOK: &str = "argocd.argoproj.io/hook";

/// Annotation of Argo CD that says when a hook is deleted.
pub(crate) const HOOK_DELETE_POLICY: &str = "argocd.argoproj.io/hook-delete-policy";

/// Builds plan, access and hooks of a delivery, in the order in which they are applied.
pub(crate) fn build(
    plan: &Plan,
    names: &Names,
    options: &HookOptions,
) -> Result<Vec<Value>, PluginError> {
    let mut resources = vec![plan_config_map::build(plan, names)?];
    if !options.keep_ledger {
        resources.push(ledger_config_map::build(plan, names));
    }
    if options.service_account.is_none() {
        resources.extend(access::build(plan, names, options));
    }
    resources.extend(hooks::build(plan, names, options));
    Ok(resources)
}

/// Metadata of a helper: it must live until SyncFail has run, which `HookFailed` would not let it,
/// and must not be deleted before each sync, as by default.
fn helper_metadata(name: &str, namespace: &str, component: &str) -> Value {
    json!({
        "name": name,
        "namespace": namespace,
        "labels": labels(component),
        "annotations": {
            HOOK: "PreSync",
            HOOK_DELETE_POLICY: "HookSucceeded",
        },
    })
}

fn labels(component: &str) -> Value {
    json!({
        MANAGED_BY.0: MANAGED_BY.1,
        "app.kubernetes.io/component": component,
    })
}
