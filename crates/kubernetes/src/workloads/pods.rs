//! What keeps a pod from being ready, in its own words.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Waiting for these is what every pod does.
const ORDINARY: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// A selector as the API server takes it in a query.
pub(crate) fn query(selector: &LabelSelector) -> String {
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .map(|(key, value)| format!("{key}={value}"));
    let expressions = selector
        .match_expressions
        .iter()
        .flatten()
        .map(|expression| {
            let key = &expression.key;
            let values = expression.values.clone().unwrap_or_default().join(",");
            match expression.operator.as_str() {
                "In" => format!("{key} in ({values})"),
                "NotIn" => format!("{key} notin ({values})"),
                "DoesNotExist" => format!("!{key}"),
                _ => key.clone(),
            }
        });
    equal.chain(expressions).collect::<Vec<_>>().join(",")
}

/// What keeps a workload from being healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Which pod, and what it says.
    pub(crate) text: String,
    /// It has failed; else it may only take long.
    pub(crate) has_failed: bool,
}

/// What the newest pod in trouble says.
pub(crate) fn trouble<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> Option<Trouble> {
    let mut pods: Vec<&Pod> = pods.into_iter().collect();
    pods.sort_by_key(|pod| std::cmp::Reverse(pod.metadata.creation_timestamp.clone()));
    let told = |of: fn(&Pod) -> Option<String>, has_failed| {
        pods.iter().find_map(|pod| {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let text = format!("pod {name}: {}", of(pod)?);
            Some(Trouble { text, has_failed })
        })
    };
    // Without any failure what they still wait for: their probes, a pull that takes long, a volume.
    told(problem, true)
        .or_else(|| told(unready, false))
        .or_else(|| told(waiting, false))
}

fn waiting(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let mut containers = status.container_statuses.iter().flatten();
    containers.find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        Some(format!(
            "container {} with image {}: still {}",
            container.name,
            container.image,
            waiting.reason.as_deref()?
        ))
    })
}

/// Labels by which controllers tell the pods of one version of a workload from those of another: of a
/// Deployment, of a StatefulSet or DaemonSet, of a Rollout.
const VERSIONS: [&str; 3] = [
    "pod-template-hash",
    "controller-revision-hash",
    "rollouts-pod-template-hash",
];

/// When the first pod of a workload's new version was ready. Which version that is tells `hash`, else the
/// newest pod; pods that are going do not count.
pub(crate) fn first_ready(pods: &[Pod], hash: Option<&str>) -> Option<Timestamp> {
    let staying = || {
        pods.iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
    };
    let newest = staying().max_by_key(|pod| {
        let created = pod.metadata.creation_timestamp.as_ref();
        created.map(|time| time.0)
    })?;
    let hash = hash.or_else(|| version(newest));
    staying()
        .filter(|pod| version(pod) == hash)
        .filter_map(ready_since)
        .min()
}

fn version(pod: &Pod) -> Option<&str> {
    let labels = pod.metadata.labels.as_ref()?;
    VERSIONS
        .iter()
        .find_map(|label| labels.get(*label).map(String::as_str))
}

fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let conditions = pod.status.as_ref()?.conditions.iter().flatten();
    let mut ready = conditions.filter(|one| one.type_ == "Ready" && one.status == "True");
    Some(ready.next()?.last_transition_time.as_ref()?.0)
}

fn problem(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let mut containers = status
        .init_container_statuses
        .iter()
        .flatten()
        .chain(status.container_statuses.iter().flatten());
    if let Some(problem) = containers.find_map(of_container) {
        return Some(problem);
    }
    if status.phase.as_deref() == Some("Failed") {
        return Some(joined(
            status.reason.as_deref().unwrap_or("Failed"),
            status.message.as_deref(),
        ));
    }
    condition(pod, "PodScheduled")
}

/// Started, and yet not ready: its readiness probe.
fn unready(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let started = all_run(status.container_statuses.as_deref());
    started.then(|| condition(pod, "ContainersReady"))?
}

/// What a condition of a pod says that does not hold.
fn condition(pod: &Pod, name: &str) -> Option<String> {
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    let condition =
        conditions.find(|condition| condition.type_ == name && condition.status == "False")?;
    Some(joined(
        condition.reason.as_deref().unwrap_or(name),
        condition.message.as_deref(),
    ))
}

fn all_run(containers: Option<&[ContainerStatus]>) -> bool {
    containers.is_some_and(|containers| {
        containers.iter().all(|container| {
            let state = container.state.as_ref();
            state.is_some_and(|state| state.running.is_some())
        })
    })
}

fn of_container(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    let last = container.last_state.as_ref();
    let ended = state.terminated.as_ref().filter(|end| end.exit_code != 0);
    let before = || last?.terminated.as_ref();
    let named = |text: String| Some(format!("container {}: {text}", container.name));
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        if reason.is_empty() || ORDINARY.contains(&reason) {
            return None;
        }
        let mut text = joined(reason, waiting.message.as_deref());
        if let Some(end) = before() {
            text = format!("{text}; it ended with exit code {}", end.exit_code);
        }
        return named(text);
    }
    let end = ended?;
    let reason = end.reason.as_deref().unwrap_or("Error");
    let mut text = format!("{reason}, exit code {}", end.exit_code);
    if let Some(message) = end.message.as_deref().filter(|message| !message.is_empty()) {
        text = joined(&text, Some(message));
    }
    named(text)
}

/// On one line, and not longer than a line may be.
fn joined(reason: &str, message: Option<&str>) -> String {
    let message = message.unwrap_or_default();
    let words: Vec<&str> = message.split_whitespace().collect();
    let short: String = words.join(" ").chars().take(300).collect();
    if short.is_empty() {
        return reason.to_owned();
    }
    format!("{reason}: {short}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(created: &str, status: Value) -> Pod {
        let name = format!("web-{}", &created[8..10]);
        serde_json::from_value(json!({
            "metadata": {"name": name, "creationTimestamp": created}, "status": status,
        }))
        .unwrap()
    }

    fn container(state: Value, last: Value) -> Value {
        json!({"name": "main", "ready": false, "restartCount": 0, "image": "", "imageID": "",
               "state": state, "lastState": last})
    }

    const DAY: &str = "2026-01-01T00:00:00Z";

    #[test]
    fn a_pod_says_what_is_wrong_with_it() {
        let one =
            |state: Value, last: Value| json!({"containerStatuses": [container(state, last)]});
        let running = json!({"running": {"startedAt": DAY}});
        for (status, expected) in [
            (json!({}), None),
            (
                one(
                    json!({"waiting": {"reason": "ContainerCreating"}}),
                    json!({}),
                ),
                None,
            ),
            (one(running.clone(), json!({})), None),
            (
                one(
                    json!({"terminated": {"exitCode": 0, "reason": "Completed"}}),
                    json!({}),
                ),
                None,
            ),
            (
                one(
                    json!({"waiting": {"reason": "ErrImagePull", "message": "no\n such   image"}}),
                    json!({}),
                ),
                Some("container main: ErrImagePull: no such image"),
            ),
            (
                one(
                    json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}),
                    json!({"terminated": {"exitCode": 3, "reason": "Error"}}),
                ),
                Some("container main: CrashLoopBackOff: back-off 10s; it ended with exit code 3"),
            ),
            (
                one(
                    json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
                    json!({}),
                ),
                Some("container main: OOMKilled, exit code 137"),
            ),
            (
                json!({"initContainerStatuses": [container(
                    json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "no database"}}), json!({}))]}),
                Some("container main: Error, exit code 1: no database"),
            ),
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False",
                    "reason": "Unschedulable", "message": "0/1 nodes are available"}]}),
                Some("Unschedulable: 0/1 nodes are available"),
            ),
            (
                json!({"containerStatuses": [container(running.clone(), json!({}))],
                    "conditions": [{"type": "ContainersReady", "status": "False",
                        "reason": "ContainersNotReady", "message": "containers with unready status: [main]"}]}),
                Some("ContainersNotReady: containers with unready status: [main]"),
            ),
            (
                json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
                Some("Evicted: low on memory"),
            ),
        ] {
            let shown = status.to_string();
            let pod = pod(DAY, status);
            let found = problem(&pod).or_else(|| unready(&pod));
            assert_eq!(found.as_deref(), expected, "{shown}");
        }
    }

    #[test]
    fn the_newest_pod_in_trouble_is_told_of() {
        let broken = |reason: &str| json!({"containerStatuses": [container(json!({"waiting": {"reason": reason}}), json!({}))]});
        let pods = [
            pod("2026-01-01T00:00:00Z", broken("Old")),
            pod("2026-01-03T00:00:00Z", json!({})),
            pod("2026-01-02T00:00:00Z", broken("New")),
        ];
        let told = |text: &str, has_failed| {
            Some(Trouble {
                text: text.to_owned(),
                has_failed,
            })
        };
        assert_eq!(
            trouble(&pods),
            told("pod web-02: container main: New", true)
        );
        assert_eq!(trouble(&pods[1..2]), None);
        let pulling = [
            pods[1].clone(),
            pod("2026-01-01T00:00:00Z", broken("ContainerCreating")),
        ];
        assert_eq!(
            trouble(&pulling),
            told(
                "pod web-01: container main with image : still ContainerCreating",
                false
            )
        );
    }

    #[test]
    fn the_first_ready_pod_of_the_new_version_is_found() {
        let one = |label: &str, hash: &str, created: &str, ready: Option<&str>| -> Pod {
            let conditions = match ready {
                Some(at) => json!([
                    {"type": "Initialized", "status": "True", "lastTransitionTime": DAY},
                    {"type": "Ready", "status": "True", "lastTransitionTime": at},
                ]),
                None => json!([{"type": "Ready", "status": "False", "lastTransitionTime": DAY}]),
            };
            let mut pod = pod(created, json!({"conditions": conditions}));
            pod.metadata.labels = Some([(label.to_owned(), hash.to_owned())].into());
            pod
        };
        let (early, late) = ("2026-01-05T00:00:07Z", "2026-01-05T00:00:09Z");
        let label = "pod-template-hash";
        let mut pods = vec![
            one(label, "old", "2026-01-01T00:00:00Z", Some(DAY)),
            one(label, "new", "2026-01-05T00:00:02Z", Some(late)),
            one(label, "new", "2026-01-05T00:00:01Z", Some(early)),
            one(label, "new", "2026-01-05T00:00:03Z", None),
        ];
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(first_ready(&pods, None), at(early));
        assert_eq!(first_ready(&pods, Some("old")), at(DAY));
        assert_eq!(first_ready(&pods[3..], None), None);
        assert_eq!(first_ready(&[], None), None);
        // One that is going is not waited for any more.
        pods[2].metadata.deletion_timestamp = pods[2].metadata.creation_timestamp.clone();
        assert_eq!(first_ready(&pods, None), at(late));
        // Of a ReplicaSet without a Deployment pods have no such label.
        let plain = [pod(
            DAY,
            json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": early}]}),
        )];
        assert_eq!(first_ready(&plain, None), at(early));
    }

    #[test]
    fn a_selector_becomes_a_query() {
        let selector = serde_json::from_value(json!({
            "matchLabels": {"app": "web", "tier": "front"},
            "matchExpressions": [
                {"key": "a", "operator": "In", "values": ["1", "2"]},
                {"key": "b", "operator": "NotIn", "values": ["3"]},
                {"key": "c", "operator": "Exists"},
                {"key": "d", "operator": "DoesNotExist"},
            ],
        }))
        .unwrap();
        assert_eq!(
            query(&selector),
            "app=web,tier=front,a in (1,2),b notin (3),c,!d"
        );
        assert_eq!(query(&LabelSelector::default()), "");
    }
}
