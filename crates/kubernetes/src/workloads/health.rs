//! Whether a workload has its new version running: the rules by which Argo CD calls it healthy
//! (gitops-engine `pkg/health/health_{deployment,statefulset,daemonset,replicaset}.go`), which are
//! those of `kubectl rollout status`, and for a Rollout what its controller says of itself
//! (argo-rollouts `utils/rollout/rolloututil.go`).

use super::view::{Kind, View};

/// How far a workload's rollout is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    /// All of it runs.
    Healthy,
    /// Not yet, and what it waits for.
    Progressing(String),
    /// Its controller has given it up, and why.
    Degraded(String),
}

use Health::{Degraded, Healthy, Progressing};

pub(crate) fn health(kind: Kind, view: &View) -> Health {
    match kind {
        Kind::Deployment => deployment(view),
        Kind::StatefulSet => stateful_set(view),
        Kind::DaemonSet => daemon_set(view),
        Kind::ReplicaSet => replica_set(view),
        Kind::Rollout => rollout(view),
    }
}

fn unobserved(view: &View) -> Option<Health> {
    let observed = view.status.observed_generation.as_i64().unwrap_or_default();
    (observed < view.generation)
        .then(|| Progressing("its controller has not seen the change yet".to_owned()))
}

fn deployment(view: &View) -> Health {
    let status = &view.status;
    if view.spec.paused {
        return Progressing("it is paused".to_owned());
    }
    if let Some(unobserved) = unobserved(view) {
        return unobserved;
    }
    let exceeded = view
        .condition("Progressing")
        .is_some_and(|condition| condition.reason == "ProgressDeadlineExceeded");
    let failure = replica_failure(view);
    if exceeded {
        let why = failure.map(|why| format!(": {why}")).unwrap_or_default();
        return Degraded(format!("it exceeded its progress deadline{why}"));
    }
    let waits = |text: String| match failure {
        Some(why) => Progressing(format!("{text}: {why}")),
        None => Progressing(text),
    };
    let wanted = view.spec.replicas.unwrap_or(1);
    if status.updated_replicas < wanted {
        return waits(format!(
            "{} of {wanted} new replicas are there",
            status.updated_replicas
        ));
    }
    if status.replicas > status.updated_replicas {
        let old = status.replicas - status.updated_replicas;
        return waits(format!("{old} old replicas are still there"));
    }
    if status.available_replicas < status.updated_replicas {
        return waits(format!(
            "{} of {} new replicas are available",
            status.available_replicas, status.updated_replicas
        ));
    }
    Healthy
}

fn stateful_set(view: &View) -> Health {
    let status = &view.status;
    if let Some(unobserved) = unobserved(view) {
        return unobserved;
    }
    let wanted = view.spec.replicas.unwrap_or(1);
    if status.ready_replicas < wanted {
        return Progressing(format!(
            "{} of {wanted} replicas are ready",
            status.ready_replicas
        ));
    }
    let strategy = &view.spec.update_strategy;
    if strategy.name == "OnDelete" {
        return Healthy;
    }
    if let Some(partition) = strategy.rolling_update.partition.filter(|from| *from > 0) {
        let wanted = (wanted - partition).max(0);
        if status.updated_replicas < wanted {
            return Progressing(format!(
                "{} of {wanted} replicas of the partition are new",
                status.updated_replicas
            ));
        }
        return Healthy;
    }
    if status.update_revision != status.current_revision {
        return Progressing(format!(
            "{} of {wanted} replicas are new",
            status.updated_replicas
        ));
    }
    Healthy
}

fn daemon_set(view: &View) -> Health {
    let status = &view.status;
    if let Some(unobserved) = unobserved(view) {
        return unobserved;
    }
    if view.spec.update_strategy.name == "OnDelete" {
        return Healthy;
    }
    let wanted = status.desired_number_scheduled;
    if status.updated_number_scheduled < wanted {
        return Progressing(format!(
            "{} of {wanted} pods are new",
            status.updated_number_scheduled
        ));
    }
    if status.number_available < wanted {
        return Progressing(format!(
            "{} of {wanted} pods are available",
            status.number_available
        ));
    }
    Healthy
}

fn replica_set(view: &View) -> Health {
    if let Some(unobserved) = unobserved(view) {
        return unobserved;
    }
    if let Some(why) = replica_failure(view) {
        return Degraded(why.to_owned());
    }
    let wanted = view.spec.replicas.unwrap_or(1);
    if view.status.available_replicas < wanted {
        return Progressing(format!(
            "{} of {wanted} replicas are available",
            view.status.available_replicas
        ));
    }
    Healthy
}

/// Why pods cannot even be made, for example by a quota.
fn replica_failure(view: &View) -> Option<&str> {
    let failure = view.condition("ReplicaFailure")?;
    (failure.status == "True").then_some(failure.message.as_str())
}

fn rollout(view: &View) -> Health {
    let status = &view.status;
    let observed: Option<i64> = match &status.observed_generation {
        serde_json::Value::String(text) => text.parse().ok(),
        number => number.as_i64(),
    };
    // What is no number, or ahead, is the hash of an old controller and cannot be compared.
    let is_seen = match observed {
        Some(observed) if observed <= view.generation => observed == view.generation,
        Some(_) => true,
        None => !status.observed_generation.is_null(),
    };
    if !is_seen {
        return Progressing("its controller has not seen the change yet".to_owned());
    }
    let message = |otherwise: &str| match status.message.as_str() {
        "" => otherwise.to_owned(),
        message => message.to_owned(),
    };
    match status.phase.as_str() {
        "Healthy" => Healthy,
        "Degraded" => Degraded(message("its controller says that it is degraded")),
        _ if view.spec.paused => Progressing("it is paused".to_owned()),
        "Paused" => Progressing(format!(
            "it is paused: {}",
            message("it waits to be promoted")
        )),
        _ => Progressing(message("its rollout goes on")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judge(kind: Kind, spec: Value, mut status: Value) -> Health {
        if status.get("observedGeneration").is_none() {
            status["observedGeneration"] = json!(2);
        }
        let object = serde_json::from_value(json!({
            "apiVersion": "apps/v1", "kind": "x", "metadata": {"name": "web", "generation": 2},
            "spec": spec, "status": status,
        }))
        .unwrap();
        health(kind, &View::of(&object).unwrap())
    }

    fn waits(text: &str) -> Health {
        Progressing(text.to_owned())
    }

    const UNSEEN: &str = "its controller has not seen the change yet";

    #[test]
    fn a_deployment_is_healthy_when_all_replicas_are_new_and_available() {
        let done = json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2});
        let with = |changes: Value| {
            let mut status = done.clone();
            status
                .as_object_mut()
                .unwrap()
                .extend(changes.as_object().unwrap().clone());
            status
        };
        let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message});
        let quota = condition("ReplicaFailure", "FailedCreate", "exceeded quota");
        let deadline = condition("Progressing", "ProgressDeadlineExceeded", "timed out");
        let two = json!({"replicas": 2});
        for (spec, status, expected) in [
            (two.clone(), done.clone(), Healthy),
            (
                json!({"replicas": 2, "paused": null}),
                done.clone(),
                Healthy,
            ),
            (json!({"replicas": 0}), json!({}), Healthy),
            (
                two.clone(),
                with(json!({"observedGeneration": 1})),
                waits(UNSEEN),
            ),
            (
                two.clone(),
                with(json!({"observedGeneration": null})),
                waits(UNSEEN),
            ),
            (
                two.clone(),
                with(json!({"updatedReplicas": 1})),
                waits("1 of 2 new replicas are there"),
            ),
            (json!({}), json!({}), waits("0 of 1 new replicas are there")),
            (
                two.clone(),
                with(json!({"replicas": 3})),
                waits("1 old replicas are still there"),
            ),
            (
                two.clone(),
                with(json!({"availableReplicas": 1})),
                waits("1 of 2 new replicas are available"),
            ),
            (
                json!({"replicas": 2, "paused": true}),
                done.clone(),
                waits("it is paused"),
            ),
            (
                two.clone(),
                with(json!({"updatedReplicas": 0, "conditions": [quota]})),
                waits("0 of 2 new replicas are there: exceeded quota"),
            ),
            (
                two.clone(),
                with(json!({"conditions": [deadline]})),
                Degraded("it exceeded its progress deadline".to_owned()),
            ),
            (
                two.clone(),
                with(json!({"conditions": [deadline, quota]})),
                Degraded("it exceeded its progress deadline: exceeded quota".to_owned()),
            ),
            (two, with(json!({"conditions": null})), Healthy),
        ] {
            let shown = status.to_string();
            assert_eq!(judge(Kind::Deployment, spec, status), expected, "{shown}");
        }
    }

    #[test]
    fn a_stateful_set_is_healthy_when_its_revision_is_everywhere() {
        let done = json!({"readyReplicas": 3, "updatedReplicas": 3, "currentRevision": "b", "updateRevision": "b"});
        let rolling = json!({"readyReplicas": 3, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"});
        let three = json!({"replicas": 3, "updateStrategy": {"type": "RollingUpdate"}});
        let partition = |from: u64| json!({"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": from}}});
        for (spec, status, expected) in [
            (three.clone(), done, Healthy),
            (
                three.clone(),
                json!({"readyReplicas": 2}),
                waits("2 of 3 replicas are ready"),
            ),
            (
                three.clone(),
                rolling.clone(),
                waits("1 of 3 replicas are new"),
            ),
            (
                partition(0),
                rolling.clone(),
                waits("1 of 3 replicas are new"),
            ),
            (
                partition(1),
                rolling.clone(),
                waits("1 of 2 replicas of the partition are new"),
            ),
            (partition(2), rolling.clone(), Healthy),
            (partition(5), rolling.clone(), Healthy),
            (
                json!({"replicas": 3, "updateStrategy": {"type": "OnDelete"}}),
                rolling,
                Healthy,
            ),
            (three, json!({"observedGeneration": 1}), waits(UNSEEN)),
        ] {
            let shown = format!("{spec} {status}");
            assert_eq!(judge(Kind::StatefulSet, spec, status), expected, "{shown}");
        }
    }

    #[test]
    fn a_daemon_set_is_healthy_when_it_is_new_on_every_node() {
        let counts = |updated: u64, available: u64| json!({"desiredNumberScheduled": 2, "updatedNumberScheduled": updated, "numberAvailable": available});
        for (spec, status, expected) in [
            (json!({}), counts(2, 2), Healthy),
            (json!({}), counts(1, 2), waits("1 of 2 pods are new")),
            (json!({}), counts(2, 1), waits("1 of 2 pods are available")),
            (
                json!({"updateStrategy": {"type": "OnDelete"}}),
                counts(1, 1),
                Healthy,
            ),
            (json!({}), json!({"observedGeneration": 0}), waits(UNSEEN)),
        ] {
            let shown = format!("{spec} {status}");
            assert_eq!(judge(Kind::DaemonSet, spec, status), expected, "{shown}");
        }
    }

    #[test]
    fn a_replica_set_is_healthy_when_all_replicas_are_available() {
        let failure =
            json!([{"type": "ReplicaFailure", "status": "True", "message": "no such account"}]);
        for (status, expected) in [
            (json!({"availableReplicas": 1}), Healthy),
            (json!({}), waits("0 of 1 replicas are available")),
            (
                json!({"conditions": failure}),
                Degraded("no such account".to_owned()),
            ),
            (
                json!({"conditions": failure, "observedGeneration": 1}),
                waits(UNSEEN),
            ),
        ] {
            let shown = status.to_string();
            assert_eq!(
                judge(Kind::ReplicaSet, json!({}), status),
                expected,
                "{shown}"
            );
        }
    }

    #[test]
    fn a_rollout_is_what_its_controller_says() {
        let status = |generation: Value, phase: &str, message: &str| json!({"observedGeneration": generation, "phase": phase, "message": message});
        for (spec, status, expected) in [
            (json!({}), status(json!("2"), "Healthy", ""), Healthy),
            (json!({}), status(json!("1"), "Healthy", ""), waits(UNSEEN)),
            (json!({}), status(json!("6c4f8d"), "Healthy", ""), Healthy),
            (json!({}), status(json!("3"), "Healthy", ""), Healthy),
            (json!({}), status(json!(null), "Healthy", ""), waits(UNSEEN)),
            (
                json!({}),
                status(json!("2"), "Progressing", "more replicas"),
                waits("more replicas"),
            ),
            (
                json!({}),
                status(json!("2"), "", ""),
                waits("its rollout goes on"),
            ),
            (
                json!({}),
                status(json!("2"), "Paused", "CanaryPauseStep"),
                waits("it is paused: CanaryPauseStep"),
            ),
            (
                json!({"paused": true}),
                status(json!("2"), "Paused", ""),
                waits("it is paused"),
            ),
            (
                json!({}),
                status(json!("2"), "Degraded", "RolloutAborted: metric failed"),
                Degraded("RolloutAborted: metric failed".to_owned()),
            ),
        ] {
            let shown = format!("{spec} {status}");
            assert_eq!(judge(Kind::Rollout, spec, status), expected, "{shown}");
        }
    }
}
