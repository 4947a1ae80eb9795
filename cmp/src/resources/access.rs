//! What the hooks may do in the cluster: just what the plan names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stagelink_plan::{Phases, Plan};

use super::{Names, helper_metadata};
use crate::options::{HookKind, HookOptions};

const LIFECYCLE: &str = "lifecycle.keptn.sh";
const METRICS: &str = "metrics.keptn.sh";

/// A service account, and for each namespace with something of the plan a role and its binding.
pub(super) fn build(plan: &Plan, names: &Names, options: &HookOptions) -> Vec<Value> {
    let access = names.access();
    let mut resources = vec![json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": helper_metadata(&access, &plan.namespace, "hooks"),
        // The hooks' pods ask for their token themselves.
        "automountServiceAccountToken": false,
    })];
    let mut rules = workload_rules(plan);
    rules
        .entry(plan.namespace.as_str())
        .or_default()
        .extend(home_rules(plan, names, options));
    for rules in rules.values_mut() {
        // What happens is told at the hook and at the workloads. Kubernetes cannot restrict creation by name.
        rules.push(rule("", &["events"], &["create"], &[]));
    }
    for (namespace, rules) in rules {
        resources.push(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": helper_metadata(&access, namespace, "hooks"),
            "rules": rules,
        }));
        resources.push(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": helper_metadata(&access, namespace, "hooks"),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": access},
            "subjects": [{"kind": "ServiceAccount", "name": access, "namespace": plan.namespace}],
        }));
    }
    resources
}

fn rule(group: &str, resources: &[&str], verbs: &[&str], names: &[String]) -> Value {
    let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    if !names.is_empty() {
        rule["resourceNames"] = json!(names);
    }
    rule
}

/// Reading the workloads, by name, and what their pods say when they do not become healthy.
fn workload_rules(plan: &Plan) -> BTreeMap<&str, Vec<Value>> {
    let mut named: BTreeMap<(&str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    for workload in &plan.workloads {
        let (group, plural) = match workload.kind.as_str() {
            "Deployment" => ("apps", "deployments"),
            "StatefulSet" => ("apps", "statefulsets"),
            "DaemonSet" => ("apps", "daemonsets"),
            "ReplicaSet" => ("apps", "replicasets"),
            _ => ("argoproj.io", "rollouts"),
        };
        named
            .entry((workload.namespace.as_str(), group, plural))
            .or_default()
            .insert(&workload.resource);
    }
    let mut rules: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for ((namespace, group, plural), names) in named {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        rules.entry(namespace).or_default().push(rule(
            group,
            &[plural],
            &["get", "list", "watch"],
            &names,
        ));
    }
    for rules in rules.values_mut() {
        // Pods have names that nobody knows before.
        rules.push(rule("", &["pods"], &["list"], &[]));
    }
    rules
}

/// The ledger, the Jobs of tasks, the secrets that the plan names, and definitions that are not in it.
fn home_rules(plan: &Plan, names: &Names, options: &HookOptions) -> Vec<Value> {
    let mut rules = vec![
        // Kubernetes cannot restrict creation by name.
        rule("", &["configmaps"], &["create"], &[]),
        rule(
            "",
            &["configmaps"],
            &["get", "patch"],
            &[names.ledger(), names.spans()],
        ),
    ];
    if runs_tasks(plan) {
        rules.push(rule(
            "batch",
            &["jobs"],
            &["create", "get", "list", "watch", "delete"],
            &[],
        ));
        rules.push(rule("", &["pods", "events"], &["list", "watch"], &[]));
        rules.push(rule("", &["pods/log"], &["get"], &[]));
    }
    if options.kind == HookKind::Job && (options.trace_url.is_some() || promotes(plan)) {
        // Links to trace and promotion, on the hook's own Job.
        rules.push(rule("batch", &["jobs"], &["patch"], &[]));
    }
    let secrets = secrets(plan);
    if !secrets.is_empty() {
        rules.push(rule("", &["secrets"], &["get"], &secrets));
    }
    if misses_definitions(plan) {
        // Which ones they refer to is known only once they are read.
        rules.push(rule(LIFECYCLE, &["keptntaskdefinitions"], &["get"], &[]));
    }
    rules.extend(evaluation_rules(plan));
    rules
}

/// Evaluation definitions, metrics and providers of the app's namespace that are not in the plan, by name
/// as far as the plan tells.
fn evaluation_rules(plan: &Plan) -> Vec<Value> {
    let home = format!("{}/", plan.namespace);
    let definitions: BTreeSet<&String> = phases(plan)
        .flat_map(|phases| {
            let before = phases.pre_deployment_evaluations.iter();
            before.chain(&phases.post_deployment_evaluations)
        })
        .filter(|name| !plan.evaluation_definitions.contains_key(*name))
        .collect();
    let metrics: BTreeSet<&String> = plan
        .evaluation_definitions
        .values()
        .flat_map(|definition| &definition.objectives)
        .filter_map(|objective| objective.keptn_metric_ref.as_ref())
        .filter(
            |metric| match metric.namespace.as_deref().unwrap_or_default() {
                // One of Keptn's namespace, which has another name, may be in the plan as well.
                "" => !plan.metrics.keys().any(|key| has_name(key, &metric.name)),
                namespace => {
                    namespace == plan.namespace
                        && !plan.metrics.contains_key(&format!("{home}{}", metric.name))
                }
            },
        )
        .map(|metric| &metric.name)
        .collect();
    let providers: BTreeSet<&String> = plan
        .metrics
        .iter()
        .filter(|(key, _)| key.starts_with(&home))
        .map(|(_, metric)| &metric.provider.name)
        .filter(|name| {
            !plan
                .metrics_providers
                .contains_key(&format!("{home}{name}"))
        })
        .collect();
    // What one that is not in the plan names is known only once it is read.
    let (any_metric, any_provider) = (
        !definitions.is_empty(),
        !definitions.is_empty() || !metrics.is_empty(),
    );
    let wanted = [
        (LIFECYCLE, "keptnevaluationdefinitions", definitions, false),
        (METRICS, "keptnmetrics", metrics, any_metric),
        (METRICS, "keptnmetricsproviders", providers, any_provider),
    ];
    wanted
        .into_iter()
        .filter(|(_, _, names, any)| *any || !names.is_empty())
        .map(|(group, resource, names, any)| {
            let names: Vec<String> = names.into_iter().filter(|_| !any).cloned().collect();
            rule(group, &[resource], &["get"], &names)
        })
        .collect()
}

/// Whether a key `namespace/name` has this name.
fn has_name(key: &str, name: &str) -> bool {
    key.split_once('/').is_some_and(|(_, found)| found == name)
}

/// The app's phases, and those of each workload.
fn phases(plan: &Plan) -> impl Iterator<Item = &Phases> {
    std::iter::once(&plan.phases).chain(plan.workloads.iter().map(|workload| &workload.phases))
}

fn task_names(plan: &Plan) -> impl Iterator<Item = &String> {
    phases(plan).flat_map(|phases| {
        phases
            .pre_deployment_tasks
            .iter()
            .chain(&phases.post_deployment_tasks)
            .chain(&phases.promotion_tasks)
    })
}

fn promotes(plan: &Plan) -> bool {
    phases(plan).any(|phases| !phases.promotion_tasks.is_empty())
}

fn runs_tasks(plan: &Plan) -> bool {
    task_names(plan).next().is_some()
}

/// Secrets that the hooks read: those of providers, and those in the environment of tasks, which
/// may run within the hook, and whose log is told without them.
fn secrets(plan: &Plan) -> Vec<String> {
    let mut secrets = BTreeSet::new();
    for provider in plan.metrics_providers.values() {
        secrets.extend(
            provider
                .secret_key_ref
                .iter()
                .map(|reference| reference.name.clone()),
        );
    }
    for container in plan
        .task_definitions
        .values()
        .filter_map(|task| task.container.as_ref())
    {
        for variable in &container.env {
            let name = variable
                .value_from
                .as_ref()
                .and_then(|from| from["secretKeyRef"]["name"].as_str());
            secrets.extend(name.map(str::to_owned));
        }
        for source in container
            .rest
            .get("envFrom")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            secrets.extend(source["secretRef"]["name"].as_str().map(str::to_owned));
        }
    }
    let functions = plan.task_definitions.values();
    secrets.extend(functions.filter_map(|task| {
        let parameters = task.function_spec()?.secure_parameters.as_ref()?;
        parameters.secret.clone()
    }));
    secrets.remove("");
    secrets.into_iter().collect()
}

/// Whether there are tasks whose definition, or its function, is not in the plan.
fn misses_definitions(plan: &Plan) -> bool {
    let parents = plan.task_definitions.values().filter_map(|task| {
        let function = task.function_spec()?;
        Some(&function.function_ref.as_ref()?.name)
    });
    task_names(plan)
        .chain(parents)
        .any(|name| !name.is_empty() && !plan.task_definitions.contains_key(name))
}
