//! The Job of a task, as Keptn's operator makes it (`controllers/lifecycle/keptntask/job_utils.go`,
//! `runtime_builder.go`, `container_builder.go` and `KeptnTask.CreateKeptnAnnotations`).
//!
//! Where it differs from Keptn's, and why:
//! - The name is computed, so that the same attempt finds its Job again, and has 63 characters at
//!   most, because Kubernetes refuses longer ones.
//! - `TRACEPARENT` is in the environment, and the annotation `traceparent` on the Job.
//! - It is owned by what the hook names, not by a KeptnTask.
//! - Inline code is in a ConfigMap that belongs to the Job, not in the one that Keptn's operator
//!   makes of a definition some time after it was applied.
//! - No retries are `restartPolicy: Never`: with `OnFailure` the kubelet has started a failed
//!   container once more before the Job's controller stops it.
//! - No timeout is no deadline, and less than a second is one: a deadline of 0 fails every Job.
//! - The volume of a container without a memory limit may grow to 1 GiB, as Keptn's comment has it,
//!   and not to the one byte of Keptn's code.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use stagelink_delivery::ports::TaskRequest;
use stagelink_keptn::{
    Container, EnvironmentVariable, FunctionSource, ResolvedFunction, Runtime, TaskDefinitionSpec,
};
use stagelink_plan::DefinitionMetadata;
use stagelink_tasks::{container_variables, function_variables};

/// The annotation with the phase's span: it says which attempt a Job belongs to.
pub(super) const TRACE_PARENT: &str = "traceparent";
/// The annotation with the task's name.
pub(super) const TASK_NAME: &str = "keptn.sh/task-name";
/// The key of a function's code in its ConfigMap.
pub(super) const CODE: &str = "code";

/// The container of a function.
const FUNCTION_CONTAINER: &str = "keptn-function-runner";
/// The volume with a function's code.
const FUNCTION_VOLUME: &str = "function-mount";
/// A Job's name is a label of its pods.
const LONGEST_NAME: usize = 63;

/// Everything that a Job is made of.
pub(super) struct JobParts<'a> {
    pub(super) task: &'a TaskRequest<'a>,
    pub(super) definition: &'a TaskDefinitionSpec,
    pub(super) metadata: &'a DefinitionMetadata,
    pub(super) program: Program<'a>,
    pub(super) namespace: &'a str,
    pub(super) owners: &'a [OwnerReference],
}

/// What a Job's only container runs.
pub(super) enum Program<'a> {
    Container(&'a Container),
    Function {
        function: &'a ResolvedFunction<'a>,
        /// The image of its runtime.
        image: &'a str,
    },
}

impl Program<'_> {
    /// Name of the container.
    pub(super) fn container(&self) -> &str {
        match self {
            Self::Container(container) => &container.name,
            Self::Function { .. } => FUNCTION_CONTAINER,
        }
    }

    /// Code that is to be in a ConfigMap of the Job's name.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Function { function, .. } => match function.source {
                FunctionSource::Inline(code) => Some(code),
                _ => None,
            },
            Self::Container(_) => None,
        }
    }
}

/// The name of a task's Job: `<task>-<five digits>` as Keptn's, the same again for the same attempt.
pub(super) fn job_name(task: &TaskRequest<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(task.trace_parent.trace_id().to_string());
    hash.update(task.name);
    let hash = hash.finalize();
    let number = hash
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let number = 10_000 + number % 89_999;
    let name = task.name;
    if name.len() + 6 <= LONGEST_NAME {
        return format!("{name}-{number}");
    }
    // What is cut off is in the hash; the task's own number stays at the end.
    let short: String = hash
        .iter()
        .skip(8)
        .take(3)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let own = name.rsplit('-').next().filter(|own| own.len() == 5);
    let ending = match own {
        Some(own) => format!("-{short}-{own}-{number}"),
        None => format!("-{short}-{number}"),
    };
    let mut end = LONGEST_NAME - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", name[..end].trim_end_matches(['-', '.']))
}

/// The Job of a task.
///
/// # Errors
/// Only if the task's context or container cannot be written as JSON.
pub(super) fn job(parts: &JobParts<'_>) -> Result<Value, serde_json::Error> {
    let JobParts {
        task,
        definition,
        metadata,
        ..
    } = parts;
    let name = job_name(task);
    let (container, volumes) = match &parts.program {
        Program::Container(container) => container_and_volumes(container, task)?,
        Program::Function { function, image } => {
            function_and_volumes(function, image, &name, task)?
        }
    };
    let mut pod = json!({
        "restartPolicy": if definition.retries() == 0 { "Never" } else { "OnFailure" },
        "containers": [container],
    });
    if !volumes.is_empty() {
        pod["volumes"] = Value::Array(volumes);
    }
    if let Some(account) = &definition.service_account
        && !account.name.is_empty()
    {
        pod["serviceAccountName"] = json!(account.name);
    }
    if let Some(automount) = definition.automount_service_account_token {
        pod["automountServiceAccountToken"] = json!(automount.enabled);
    }
    if !definition.image_pull_secrets.is_empty() {
        let secrets = definition.image_pull_secrets.iter();
        pod["imagePullSecrets"] = secrets.map(|secret| json!({"name": secret.name})).collect();
    }
    let mut template = Map::new();
    let pod_metadata = labels_and_annotations(&metadata.labels, &metadata.annotations);
    if !pod_metadata.is_empty() {
        template.insert("metadata".to_owned(), Value::Object(pod_metadata));
    }
    template.insert("spec".to_owned(), pod);
    let mut spec = json!({
        "backoffLimit": definition.retries(),
        "ttlSecondsAfterFinished": definition.ttl_seconds(),
        "template": template,
    });
    if let Some(deadline) = deadline(definition) {
        spec["activeDeadlineSeconds"] = json!(deadline.as_secs());
    }
    let mut job_metadata = labels_and_annotations(&metadata.labels, &annotations(parts));
    job_metadata.insert("name".to_owned(), json!(name));
    job_metadata.insert("namespace".to_owned(), json!(parts.namespace));
    if !parts.owners.is_empty() {
        job_metadata.insert("ownerReferences".to_owned(), json!(parts.owners));
    }
    Ok(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": job_metadata,
        "spec": spec,
    }))
}

/// How long the Job may be active, in whole seconds; none if the definition sets no limit.
pub(super) fn deadline(definition: &TaskDefinitionSpec) -> Option<Duration> {
    let timeout = definition.timeout().as_std();
    (!timeout.is_zero()).then(|| Duration::from_secs(timeout.as_secs().max(1)))
}

fn labels_and_annotations(
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Map<String, Value> {
    let all = [("labels", labels), ("annotations", annotations)].into_iter();
    all.filter(|(_, texts)| !texts.is_empty())
        .map(|(field, texts)| (field.to_owned(), json!(texts)))
        .collect()
}

/// The definition's annotations, and what Keptn says of a task.
fn annotations(parts: &JobParts<'_>) -> BTreeMap<String, String> {
    let task = parts.task;
    let context = &task.context;
    let trace_parent = task.trace_parent.to_string();
    let mut own = vec![
        ("keptn.sh/app", &*context.app_name),
        (TASK_NAME, task.name),
        (TRACE_PARENT, &trace_parent),
    ];
    if context.workload_name.is_empty() {
        own.push(("keptn.sh/version", &context.app_version));
    } else {
        own.push(("keptn.sh/workload", &context.workload_name));
        own.push(("keptn.sh/version", &context.workload_version));
    }
    let mut annotations = parts.metadata.annotations.clone();
    annotations.extend(
        own.into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    annotations
}

fn container_and_volumes(
    container: &Container,
    task: &TaskRequest<'_>,
) -> Result<(Value, Vec<Value>), serde_json::Error> {
    let mut own = container.clone();
    own.env = container_variables(container, task)?;
    // Keptn makes one volume, in memory, for the first mount.
    let mount = container
        .rest
        .get("volumeMounts")
        .and_then(|mounts| mounts.get(0));
    let volumes = mount.map(|mount| {
        let limit = container
            .rest
            .get("resources")
            .and_then(|resources| resources.pointer("/limits/memory"))
            .cloned()
            .unwrap_or_else(|| json!("1Gi"));
        json!({"name": mount["name"], "emptyDir": {"medium": "Memory", "sizeLimit": limit}})
    });
    Ok((serde_json::to_value(own)?, volumes.into_iter().collect()))
}

fn function_and_volumes(
    function: &ResolvedFunction<'_>,
    image: &str,
    job_name: &str,
    task: &TaskRequest<'_>,
) -> Result<(Value, Vec<Value>), serde_json::Error> {
    let path = match function.runtime {
        Runtime::Python => "/var/data/function.py",
        _ => "/var/data/function.ts",
    };
    let (script, config_map) = match function.source {
        FunctionSource::Inline(_) => (path, Some(job_name)),
        FunctionSource::ConfigMap(name) => (path, Some(name)),
        FunctionSource::Url(url) => (url, None),
    };
    let variables: Vec<EnvironmentVariable> = function_variables(function, script, task)?;
    let mut container = json!({
        "name": FUNCTION_CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": variables,
    });
    let mut volumes = Vec::new();
    if let Some(name) = config_map {
        container["volumeMounts"] = json!([{
            "name": FUNCTION_VOLUME, "readOnly": true, "mountPath": path, "subPath": CODE,
        }]);
        volumes.push(json!({"name": FUNCTION_VOLUME, "configMap": {"name": name}}));
    }
    Ok((container, volumes))
}

/// The ConfigMap with a function's inline code, which goes when its Job goes.
pub(super) fn code_config_map(name: &str, namespace: &str, job_uid: &str, code: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "stagelink"},
            "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job_uid},
            ],
        },
        "immutable": true,
        "data": {CODE: code},
    })
}

#[cfg(test)]
mod tests;
