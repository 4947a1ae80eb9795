//! The hooks: Jobs, or Pods of their own.

use serde_json::{Value, json};
use stagelink_plan::Plan;

use super::names::HookName;
use super::plan_config_map::KEY;
use super::{HOOK, HOOK_DELETE_POLICY, Names, labels};
use crate::options::{HookKind, HookOptions};

/// Seconds that a finished Job is kept for its log.
const TTL_SECONDS: u32 = 3600;

/// Restarts after the node took a pod away; a verdict is never tried again.
const BACKOFF_LIMIT: u32 = 3;

/// The hooks: one before the sync only if something runs there.
pub(super) fn build(plan: &Plan, names: &Names, options: &HookOptions) -> Vec<Value> {
    let mut hooks = Vec::new();
    if !plan.starts_at_sync() {
        hooks.push("PreSync");
    }
    hooks.extend(["PostSync", "SyncFail"]);
    hooks
        .into_iter()
        .map(|hook| match kind(hook, options) {
            HookKind::Job => job(hook, plan, names, options),
            HookKind::Pod => pod(hook, plan, names, options),
        })
        .collect()
}

/// SyncFail is always a Pod: it runs nothing that has to survive a node, since the next sync closes what it
/// left open, and its last word, the reason of the failure, is what Argo CD shows.
fn kind(hook: &str, options: &HookOptions) -> HookKind {
    if hook == "SyncFail" {
        HookKind::Pod
    } else {
        options.kind
    }
}

/// Survives its node, is kept for its log, and shows Argo CD's user no more of a failure than the exit
/// code; SyncFail says the rest.
fn job(hook: &str, plan: &Plan, names: &Names, options: &HookOptions) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(hook, plan, names),
        "spec": {
            "activeDeadlineSeconds": options.timeout.as_secs(),
            "backoffLimit": BACKOFF_LIMIT,
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "podFailurePolicy": {"rules": [
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
                {
                    "action": "FailJob",
                    // 1: did not pass, 2: wrong input, 3: broken environment.
                    "onExitCodes": {"containerName": "main", "operator": "In", "values": [1, 2, 3]},
                },
            ]},
            "template": {
                "metadata": {"labels": labels("hooks")},
                "spec": pod_spec(hook, plan, names, options),
            },
        },
    })
}

/// Shows Argo CD's user its termination message, and does not survive its node. Nothing would ever
/// remove it, so that Argo CD does as soon as the sync has ended.
fn pod(hook: &str, plan: &Plan, names: &Names, options: &HookOptions) -> Value {
    let mut metadata = metadata(hook, plan, names);
    let policy = match metadata.get("name") {
        Some(_) => "BeforeHookCreation,HookSucceeded,HookFailed",
        None => "HookSucceeded,HookFailed",
    };
    metadata["annotations"][HOOK_DELETE_POLICY] = json!(policy);
    let mut spec = pod_spec(hook, plan, names, options);
    spec["activeDeadlineSeconds"] = json!(options.timeout.as_secs());
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

fn metadata(hook: &str, plan: &Plan, names: &Names) -> Value {
    let mut metadata = json!({
        "namespace": plan.namespace,
        "labels": labels("hooks"),
        "annotations": {HOOK: hook},
    });
    match names.hook(hook, plan.revision.as_deref().unwrap_or_default()) {
        // Argo CD completes the name; a retry gets the same one with another UID.
        HookName::Generated(prefix) => metadata["generateName"] = json!(prefix),
        // What is left of another sync of the same revision has to go first.
        HookName::Fixed(name) => {
            metadata["name"] = json!(name);
            metadata["annotations"][HOOK_DELETE_POLICY] = json!("BeforeHookCreation");
        }
    }
    metadata
}

fn pod_spec(hook: &str, plan: &Plan, names: &Names, options: &HookOptions) -> Value {
    let mut pod = json!({
        "restartPolicy": "Never",
        "serviceAccountName": options.service_account.clone().unwrap_or_else(|| names.access()),
        "automountServiceAccountToken": true,
        "enableServiceLinks": false,
        "securityContext": {
            "runAsNonRoot": true,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": "main",
            "image": options.image,
            "command": [format!("stagelink-{}", hook.to_lowercase())],
            "env": environment(kind(hook, options), plan, names, options),
            "resources": {
                "requests": {"cpu": "10m", "memory": "32Mi"},
                "limits": {"memory": "256Mi"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true,
            },
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [
                {"name": "plan", "mountPath": "/etc/stagelink", "readOnly": true},
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        }],
        "volumes": [
            {"name": "plan", "configMap": {"name": names.plan()}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        ],
    });
    if !options.image_pull_secrets.is_empty() {
        let secrets: Vec<Value> = options
            .image_pull_secrets
            .iter()
            .map(|name| json!({"name": name}))
            .collect();
        pod["imagePullSecrets"] = json!(secrets);
    }
    pod
}

fn environment(kind: HookKind, plan: &Plan, names: &Names, options: &HookOptions) -> Vec<Value> {
    let text = |name: &str, value: &str| json!({"name": name, "value": value});
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    // Of what Argo CD made; it is the same for each pod of a Job.
    let (kind, name, uid) = match kind {
        HookKind::Job => (
            "job",
            "metadata.labels['batch.kubernetes.io/job-name']",
            "metadata.labels['batch.kubernetes.io/controller-uid']",
        ),
        HookKind::Pod => ("pod", "metadata.name", "metadata.uid"),
    };
    let mut variables = vec![
        text("STAGELINK_PLAN", &format!("/etc/stagelink/{KEY}")),
        text("STAGELINK_HOOK_KIND", kind),
        text("STAGELINK_LEDGER", &format!("configmap:{}", names.ledger())),
        field("STAGELINK_OPERATION", name),
        field("STAGELINK_JOB_UID", uid),
        field("STAGELINK_NAMESPACE", "metadata.namespace"),
        // The reason alone; without it Kubernetes takes the end of the log.
        text("STAGELINK_TERMINATION_LOG", "/dev/termination-log"),
    ];
    let images = [
        ("STAGELINK_TASK_IMAGE", &options.task_image),
        // Named as in the environment of Keptn's operator.
        ("FUNCTION_RUNNER_IMAGE", &options.deno_image),
        ("PYTHON_RUNNER_IMAGE", &options.python_image),
    ];
    for (name, image) in images {
        if let Some(image) = image {
            variables.push(text(name, image));
        }
    }
    if !options.keep_ledger {
        // The hook makes the ledger before Argo CD applies its own.
        let id = names.ledger_tracking_id(&plan.namespace);
        variables.push(text("STAGELINK_LEDGER_TRACKING_ID", &id));
    }
    if options.deliver_again {
        variables.push(text("STAGELINK_AGAIN", "true"));
    }
    if options.retry_failed {
        variables.push(text("STAGELINK_RETRY_FAILED", "true"));
    }
    if let Some(namespace) = &options.keptn_namespace {
        variables.push(text("STAGELINK_KEPTN_NAMESPACE", namespace));
    }
    if let Some(url) = &options.trace_url {
        variables.push(text("STAGELINK_TRACE_URL", url));
    }
    let collector = &options.collector;
    if let Some(endpoint) = &collector.endpoint {
        variables.push(text("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint));
    }
    if let Some(protocol) = &collector.protocol {
        variables.push(text("OTEL_EXPORTER_OTLP_PROTOCOL", protocol));
    }
    if let Some(secret) = &collector.headers_secret {
        variables.push(json!({
            "name": "OTEL_EXPORTER_OTLP_HEADERS",
            "valueFrom": {"secretKeyRef": {"name": secret, "key": "headers"}},
        }));
    }
    variables
}
