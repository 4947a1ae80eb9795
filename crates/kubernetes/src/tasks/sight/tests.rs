use serde_json::{Value, json};

use super::*;

/// What a pod with this status of its main container says.
fn sight_of(status: Value, rest: Value) -> PodSight {
    let mut main = status;
    main["name"] = json!("main");
    for (field, value) in [
        ("image", json!("")),
        ("imageID", json!("")),
        ("ready", json!(false)),
    ] {
        main[field] = value;
    }
    if main.get("restartCount").is_none() {
        main["restartCount"] = json!(0);
    }
    let sidecar = json!({
        "name": "sidecar", "image": "", "imageID": "", "ready": true, "restartCount": 3,
        "state": {"terminated": {"exitCode": 1}},
    });
    let mut pod = json!({
        "metadata": {"name": "p", "uid": "u"},
        "status": {"containerStatuses": [sidecar, main]},
    });
    for part in ["metadata", "status"] {
        if let Some(fields) = rest.get(part).and_then(Value::as_object) {
            for (key, value) in fields {
                pod[part][key] = value.clone();
            }
        }
    }
    let pod: Pod = serde_json::from_value(pod).unwrap();
    pod_sight(&pod, "main")
}

fn seen(status: Value) -> PodSight {
    sight_of(status, json!({}))
}

#[test]
fn only_the_main_container_counts() {
    let running = seen(json!({"state": {"running": {}}}));
    assert!(running.has_started && !running.has_succeeded);
    assert_eq!((running.failure, running.hindrance), (None, None));
    let waiting = seen(json!({"state": {"waiting": {"reason": "ContainerCreating"}}}));
    assert!(!waiting.has_started && waiting.hindrance.is_none());
    let ended = seen(
        json!({"state": {"terminated": {"exitCode": 0}}, "restartCount": 2,
        "lastState": {"terminated": {"exitCode": 1}}}),
    );
    assert!(ended.has_started && ended.has_succeeded && ended.failure.is_none());
}

#[test]
fn failures_are_counted_whatever_state_they_are_seen_in() {
    let end = json!({"terminated": {"exitCode": 3, "reason": "Error", "message": "boom"}});
    for (status, times, is_previous) in [
        (json!({"state": end}), 1, false),
        (
            json!({"state": end, "lastState": end, "restartCount": 1}),
            2,
            false,
        ),
        (
            json!({"state": {"running": {}}, "lastState": end, "restartCount": 1}),
            1,
            true,
        ),
        (
            json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": end, "restartCount": 2}),
            2,
            true,
        ),
    ] {
        let sight = seen(status);
        assert!(sight.has_started && !sight.has_succeeded && sight.hindrance.is_none());
        assert_eq!(
            sight.failure.unwrap(),
            Failure {
                times,
                is_previous,
                exit_code: 3,
                reason: "Error".to_owned(),
                message: "boom".to_owned(),
            }
        );
    }
}

#[test]
fn what_keeps_a_container_from_starting_is_told() {
    use HindranceKind::{Final, Image, Missing};
    for (reason, kind, told) in [
        ("ErrImagePull", Image, "ImagePullFailed"),
        ("ImagePullBackOff", Image, "ImagePullFailed"),
        ("InvalidImageName", Final, "InvalidImageName"),
        (
            "CreateContainerConfigError",
            Missing,
            "CreateContainerConfigError",
        ),
        ("RunContainerError", Missing, "RunContainerError"),
    ] {
        let hindrance = seen(json!({"state": {"waiting": {"reason": reason, "message": "why"}}}))
            .hindrance
            .unwrap();
        assert_eq!((hindrance.kind, hindrance.reason.as_str()), (kind, told));
        assert_eq!(hindrance.message, "why");
        // The runtime repeats the command, the kubelet's other messages do not.
        assert_eq!(hindrance.may_hold_secrets(), reason == "RunContainerError");
    }
    // A container that never ran has not failed, whether the kubelet tries again or not.
    let never =
        json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": "no such file"}});
    for status in [
        json!({"state": never}),
        json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": never, "restartCount": 1}),
    ] {
        let sight = seen(status);
        assert!(!sight.has_started && sight.failure.is_none());
        let hindrance = sight.hindrance.unwrap();
        assert_eq!(
            (hindrance.kind, hindrance.reason.as_str()),
            (Final, "StartError")
        );
        assert!(hindrance.may_hold_secrets());
    }
    let init = sight_of(
        json!({"state": {"waiting": {"reason": "PodInitializing"}}}),
        json!({"status": {"initContainerStatuses": [{
            "name": "init", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "no init"}},
        }]}}),
    );
    assert_eq!(init.hindrance.unwrap().message, "no init");
}

#[test]
fn a_pod_without_a_node_waits() {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "p", "uid": "u"},
        "status": {"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes",
        }]},
    }))
    .unwrap();
    let sight = pod_sight(&pod, "main");
    assert!(!sight.has_started && sight.disrupted.is_none());
    assert_eq!(
        sight.hindrance.unwrap(),
        Hindrance {
            kind: HindranceKind::Waiting,
            reason: "Unschedulable".to_owned(),
            message: "0/1 nodes".to_owned(),
        }
    );
}

#[test]
fn a_pod_that_is_taken_away_says_so() {
    let end = json!({"state": {"terminated": {"exitCode": 137}}});
    for (rest, expected) in [
        (
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            "it was deleted",
        ),
        (
            json!({"status": {"reason": "Evicted", "message": "The node was low on memory."}}),
            "The node was low on memory.",
        ),
        (
            json!({"status": {"conditions": [
                {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"},
            ]}}),
            "PreemptionByScheduler",
        ),
    ] {
        let sight = sight_of(end.clone(), rest);
        assert_eq!(sight.disrupted.as_deref(), Some(expected));
        assert_eq!(sight.failure.map(|failure| failure.exit_code), Some(137));
    }
    assert_eq!(seen(end).disrupted, None);
}

#[test]
fn a_jobs_end_is_known_before_its_last_condition() {
    let end = |conditions: Value| {
        let job = json!({"status": {"conditions": conditions}});
        job_end(&serde_json::from_value(job).unwrap())
    };
    assert_eq!(end(json!([])), None);
    assert_eq!(end(json!([{"type": "Suspended", "status": "True"}])), None);
    assert_eq!(end(json!([{"type": "Complete", "status": "False"}])), None);
    for condition in ["Complete", "SuccessCriteriaMet"] {
        let conditions = json!([{"type": condition, "status": "True"}]);
        assert_eq!(end(conditions), Some(JobEnd::Complete));
    }
    for condition in ["Failed", "FailureTarget"] {
        let conditions = json!([
            {"type": condition, "status": "True", "reason": "DeadlineExceeded", "message": "too long"},
        ]);
        let expected = JobEnd::Failed {
            reason: "DeadlineExceeded".to_owned(),
            message: "too long".to_owned(),
        };
        assert_eq!(end(conditions), Some(expected));
    }
}

#[test]
fn events_tell_what_pods_do_not() {
    use HindranceKind::{Missing, Waiting};
    for (reason, message, kind) in [
        ("FailedCreate", "exceeded quota", Some(Missing)),
        ("FailedMount", "configmap \"x\" not found", Some(Missing)),
        (
            "FailedMount",
            "references non-existent config key: code",
            Some(Missing),
        ),
        ("FailedMount", "timed out", Some(Waiting)),
        ("FailedCreatePodSandBox", "network", Some(Waiting)),
        ("Pulling", "image", None),
    ] {
        let hindrance = event_hindrance(reason, message);
        assert_eq!(hindrance.map(|hindrance| hindrance.kind), kind, "{reason}");
    }
}
