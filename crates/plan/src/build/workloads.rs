//! Workloads, from labels and annotations with Keptn's precedence (Keptn: `pod_mutator/handlers`).

use std::collections::BTreeMap;

use serde_json::Value;
use stagelink_keptn::{Finding, Severity};

use super::{Resource, texts, version};
use crate::{Phases, Workload};

/// Kinds that Keptn knows as workloads.
const KINDS: [&str; 5] = [
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Rollout",
];

/// The workloads of the app, its name, and where each was found.
pub(super) struct Found {
    pub app: String,
    pub workloads: Vec<Workload>,
    /// Source and id of each workload's resource, in the order of `workloads`.
    pub places: Vec<(String, String)>,
}

/// What a workload says about itself.
struct Candidate<'b, 'a> {
    resource: &'b Resource<'a>,
    app: Option<String>,
    /// Its own name, and whether labels state it.
    name: String,
    named_by_label: bool,
    workload: Workload,
}

/// Finds the workloads of the app; `named` is its name if a KeptnAppContext or KeptnApp states it.
pub(super) fn find(
    resources: &[Resource<'_>],
    named: Option<&str>,
    application: &str,
    findings: &mut Vec<Finding>,
) -> Found {
    let mut candidates: Vec<Candidate<'_, '_>> = resources
        .iter()
        .filter(|resource| KINDS.contains(&resource.kind) && !is_hook(resource.value))
        .map(|resource| read(resource, findings))
        .collect();
    let app = match named {
        Some(name) => name.to_owned(),
        None => only_app(&candidates).unwrap_or_else(|| application.to_owned()),
    };
    if named.is_some() {
        keep_own(&mut candidates, &app, findings);
    }
    name_apart(&mut candidates);
    let places = candidates
        .iter()
        .map(|candidate| {
            (
                candidate.resource.source.to_owned(),
                candidate.resource.id(),
            )
        })
        .collect();
    let workloads = candidates
        .into_iter()
        .map(|candidate| Workload {
            name: candidate.name,
            ..candidate.workload
        })
        .collect();
    Found {
        app,
        workloads,
        places,
    }
}

/// Keptn sees only workloads with a name from labels or annotations, and counts one that states
/// another app to that. Where nothing is labelled, all are kept: they are traced all the same.
fn keep_own(candidates: &mut Vec<Candidate<'_, '_>>, app: &str, findings: &mut Vec<Finding>) {
    let labelled = candidates.iter().any(|candidate| candidate.named_by_label);
    candidates.retain(|candidate| {
        if labelled && !candidate.named_by_label {
            return false;
        }
        let Some(other) = candidate.app.as_ref().filter(|stated| *stated != app) else {
            return true;
        };
        findings.push(
            candidate
                .resource
                .finding(
                    Severity::Warning,
                    format!("it belongs to the app {other:?} and is not watched in the delivery of {app:?}"),
                )
                .advise(format!("label it app.kubernetes.io/part-of: {app} to have it watched")),
        );
        false
    });
}

/// The app that all workloads that state one agree on.
fn only_app(candidates: &[Candidate<'_, '_>]) -> Option<String> {
    let mut stated = candidates
        .iter()
        .filter_map(|candidate| candidate.app.as_ref());
    let first = stated.next()?;
    stated.all(|other| other == first).then(|| first.clone())
}

/// Several workloads of a chart may share `app.kubernetes.io/name`; a delivery needs names apart, so
/// those go by the names of their resources.
fn name_apart(candidates: &mut [Candidate<'_, '_>]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for candidate in candidates.iter() {
        *seen.entry(candidate.name.clone()).or_default() += 1;
    }
    for candidate in candidates.iter_mut() {
        if seen.get(&candidate.name).is_some_and(|count| *count > 1) && candidate.named_by_label {
            candidate.name = candidate.resource.name.to_owned();
        }
    }
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for candidate in candidates.iter_mut() {
        let count = taken.entry(candidate.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            // A Deployment and a StatefulSet of one name, or one name in two namespaces.
            candidate.name = format!(
                "{}-{}-{}",
                candidate.name,
                candidate.resource.kind.to_lowercase(),
                candidate.resource.namespace
            );
        }
    }
}

/// Hooks of Argo CD or Helm are no workloads of the app.
fn is_hook(value: &Value) -> bool {
    let annotations = &value["metadata"]["annotations"];
    ["argocd.argoproj.io/hook", "helm.sh/hook"]
        .iter()
        .any(|key| annotations[*key].is_string())
}

/// Labels and annotations of a resource or a pod template.
struct Metadata<'a> {
    annotations: BTreeMap<&'a str, &'a str>,
    labels: BTreeMap<&'a str, &'a str>,
}

impl<'a> Metadata<'a> {
    fn of(metadata: &'a Value) -> Self {
        Self {
            annotations: texts(&metadata["annotations"]),
            labels: texts(&metadata["labels"]),
        }
    }

    /// `keptn.sh/<name>` as annotation or label, else `app.kubernetes.io/<common>` likewise
    /// (`objectmeta.go`); an empty one does not count.
    fn find(&self, name: &str, common: &str) -> Option<&'a str> {
        let keys = [
            Some(format!("keptn.sh/{name}")),
            (!common.is_empty()).then(|| format!("app.kubernetes.io/{common}")),
        ];
        keys.iter().flatten().find_map(|key| {
            [&self.annotations, &self.labels]
                .into_iter()
                .find_map(|map| {
                    map.get(key.as_str())
                        .copied()
                        .filter(|text| !text.is_empty())
                })
        })
    }
}

fn read<'b, 'a>(resource: &'b Resource<'a>, findings: &mut Vec<Finding>) -> Candidate<'b, 'a> {
    let template = &resource.value["spec"]["template"];
    let pod = Metadata::of(&template["metadata"]);
    let owner = Metadata::of(&resource.value["metadata"]);
    // A pod that names its workload speaks for itself; else its owner does, and the pod adds to it.
    let pod_named = pod.find("workload", "name").is_some();
    let speakers: &[&Metadata<'_>] = if pod_named { &[&pod] } else { &[&owner, &pod] };
    let find = |name: &str, common: &str| {
        speakers
            .iter()
            .find_map(|speaker| speaker.find(name, common))
    };
    let list = |name: &str| -> Vec<String> {
        find(name, "")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let name = find("workload", "name");
    let version = find("version", "version").map_or_else(
        || {
            let container = find("container", "");
            let computed = version::of_containers(&template["spec"], container);
            if computed.unknown_container {
                findings.push(
                    resource
                        .finding(
                            Severity::Warning,
                            format!(
                                "keptn.sh/container names {:?}, which the pod does not have",
                                container.unwrap_or_default()
                            ),
                        )
                        .advise("correct it; until then the version is a hash over the containers"),
                );
            }
            computed.version
        },
        str::to_owned,
    );
    Candidate {
        app: find("app", "part-of").map(resource_name),
        name: name.map_or_else(|| resource.name.to_owned(), resource_name),
        named_by_label: name.is_some(),
        workload: Workload {
            name: String::new(),
            version: version.to_lowercase(),
            kind: resource.kind.to_owned(),
            resource: resource.name.to_owned(),
            namespace: resource.namespace.to_owned(),
            metadata: metadata(find("metadata", "").unwrap_or_default()),
            phases: Phases {
                pre_deployment_tasks: list("pre-deployment-tasks"),
                pre_deployment_evaluations: list("pre-deployment-evaluations"),
                post_deployment_tasks: list("post-deployment-tasks"),
                post_deployment_evaluations: list("post-deployment-evaluations"),
                promotion_tasks: Vec::new(),
            },
        },
        resource,
    }
}

/// A label's text as the name of a resource: lowercase, `_` as `-` (Keptn: `CreateResourceName`).
fn resource_name(text: &str) -> String {
    text.to_lowercase().replace('_', "-")
}

/// `k=v,k2=v2`; entries without exactly one `=` are dropped, as in Keptn (`workload.go`).
fn metadata(text: &str) -> BTreeMap<String, String> {
    text.split(',')
        .filter_map(|entry| {
            let (key, value) = entry.split_once('=')?;
            (!value.contains('=')).then(|| (key.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}
