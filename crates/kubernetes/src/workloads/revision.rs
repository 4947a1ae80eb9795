//! Which of its states a workload is in, as its controller counts or names them.

use stagelink_delivery::ledger::WorkloadRevision;

use super::view::{Kind, View};

/// Label of the version that a pod runs, in Kubernetes' recommendation and in Keptn.
const VERSION: &str = "app.kubernetes.io/version";

/// The state of a workload; nothing if its controller has not seen it yet.
///
/// Where the controllers keep it: Deployment `deployment.kubernetes.io/revision`
/// (`pkg/controller/deployment/util`), DaemonSet `deprecated.daemonset.template.generation`
/// (`apps/v1` types), StatefulSet `status.updateRevision`, Rollout `rollout.argoproj.io/revision`
/// (argo-rollouts `utils/annotations`). A ReplicaSet has none: its pods stay as they are.
pub(super) fn revision(kind: Kind, view: &View) -> Option<WorkloadRevision> {
    let annotation = |name: &str| view.annotations.get(name).cloned();
    let rollout = match kind {
        Kind::Deployment => annotation("deployment.kubernetes.io/revision")?,
        Kind::DaemonSet => annotation("deprecated.daemonset.template.generation")?,
        Kind::Rollout => annotation("rollout.argoproj.io/revision")?,
        Kind::StatefulSet if view.status.update_revision.is_empty() => return None,
        Kind::StatefulSet => view.status.update_revision.clone(),
        Kind::ReplicaSet => String::new(),
    };
    let labels = &view.spec.template.metadata.labels;
    Some(WorkloadRevision {
        uid: view.uid.clone(),
        rollout,
        version: labels.get(VERSION).cloned().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_says_it_in_its_own_way() {
        let cases = [
            (
                "Deployment",
                json!({"deployment.kubernetes.io/revision": "7"}),
                "",
                Some("7"),
            ),
            ("Deployment", json!({}), "", None),
            (
                "DaemonSet",
                json!({"deprecated.daemonset.template.generation": "2"}),
                "",
                Some("2"),
            ),
            (
                "Rollout",
                json!({"rollout.argoproj.io/revision": "3"}),
                "",
                Some("3"),
            ),
            ("StatefulSet", json!({}), "web-5d9c", Some("web-5d9c")),
            ("StatefulSet", json!({}), "", None),
            ("ReplicaSet", json!({}), "", Some("")),
        ];
        for (kind, annotations, update, expected) in cases {
            let object = serde_json::from_value(json!({
                "apiVersion": "apps/v1", "kind": kind,
                "metadata": {"name": "web", "uid": "u", "annotations": annotations},
                "spec": {"template": {"metadata": {"labels": {VERSION: "v1"}}}},
                "status": {"updateRevision": update},
            }));
            let view = View::of(&object.unwrap()).unwrap();
            let found = revision(Kind::of(kind).unwrap(), &view);
            let expected = expected.map(|rollout| WorkloadRevision {
                uid: "u".to_owned(),
                rollout: rollout.to_owned(),
                version: "v1".to_owned(),
            });
            assert_eq!(found, expected, "{kind}");
        }
    }
}
