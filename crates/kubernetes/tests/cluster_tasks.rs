//! Tasks as Jobs of a real cluster: that they run, fail, cannot start, and are never run twice.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod rig;
#[path = "support/task.rs"]
mod task;

use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use rig::rig;
use serde_json::{Value, json};
use stagelink_delivery::Outcome;
use stagelink_kubernetes::ClusterTasksSettings;
use task::{HOOK, Run, probe, shell};

#[tokio::test]
async fn a_task_that_passes_is_known_before_its_job_is_complete() {
    let Some(rig) = rig("a task that passes").await else {
        return;
    };
    let run = Run::new(&rig).await;
    let started = Instant::now();
    let end = run.task("check", &probe(&["sleep", "100ms"])).await;
    let took = started.elapsed();
    assert_eq!(
        (end.outcome, end.report.message.as_str()),
        (Outcome::Pass, "")
    );
    let job: Job = rig.api().get(&end.report.details["job"]).await.unwrap();
    let conditions = job.status.unwrap().conditions.unwrap_or_default();
    assert!(
        conditions.is_empty() && took < Duration::from_secs(5),
        "{took:?} {conditions:?}"
    );
    // One creation, and a list and a watch each of Jobs and pods (of events, too, if it was slow to
    // start); nothing is asked again and again.
    let counts = run.cluster.calls().counts();
    for call in [
        "create jobs",
        "list jobs",
        "watch jobs",
        "list pods",
        "watch pods",
    ] {
        assert_eq!(counts[call], 1, "{counts:?}");
    }
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[tokio::test]
async fn a_task_finds_keptns_environment() {
    let Some(rig) = rig("a task's environment").await else {
        return;
    };
    let run = Run::new(&rig).await;
    let script = r#"echo "$KEPTN_CONTEXT" "$TRACEPARENT" >&2; exit 1"#;
    let end = run.task("check", &shell(script)).await;
    let context = format!(
        r#"{{"workloadName":"","appName":"shop","appVersion":"v1","workloadVersion":"","taskType":"pre","objectType":"App","metadata":{{"traceparent":"{0}"}}}} {0}"#,
        run.trace_parent
    );
    assert_eq!(end.report.details["log"], context);
    let job: Job = rig.api().get(&end.report.details["job"]).await.unwrap();
    assert_eq!(
        job.metadata.annotations.unwrap()["keptn.sh/task-name"],
        "pre-check-12345"
    );
}

#[tokio::test]
async fn a_failure_is_told_with_its_last_lines_and_without_secrets() {
    let Some(rig) = rig("a task that fails").await else {
        return;
    };
    rig.create::<Secret>(
        json!({"metadata": {"name": "token"}, "stringData": {"key": "s3cret-value"}}),
    )
    .await;
    let run = Run::new(&rig).await;
    let mut definition = shell("seq 1 30; echo token $TOKEN; exit 3");
    definition["container"]["env"] =
        json!([{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}}]);
    let end = run.task("check", &definition).await;
    assert_eq!(end.outcome, Outcome::Fail);
    assert_eq!(
        (end.report.reason.as_str(), end.report.message.as_str()),
        (
            "BackoffLimitExceeded",
            "the container ended with exit code 3: token •••"
        )
    );
    let log = &end.report.details["log"];
    assert!(
        log.starts_with("12\n13\n") && log.ends_with("30\ntoken •••"),
        "{log}"
    );
    assert!(
        run.told()
            .iter()
            .any(|line| line.ends_with("log: token •••"))
    );
    // Without retries it runs once.
    assert_eq!(run.pods().await[0].restarts, 0);
}

#[tokio::test]
async fn a_termination_message_counts_before_the_log() {
    let Some(rig) = rig("a termination message").await else {
        return;
    };
    let run = Run::new(&rig).await;
    let end = run
        .task(
            "check",
            &shell("echo why > /dev/termination-log; echo log; exit 1"),
        )
        .await;
    assert_eq!(
        end.report.message,
        "the container ended with exit code 1: why"
    );
    assert_eq!(end.report.details["log"], "log");
}

#[tokio::test]
async fn a_log_is_withheld_whose_secrets_cannot_be_known() {
    let Some(rig) = rig("a Secret that may not be read").await else {
        return;
    };
    rig.create::<Secret>(
        json!({"metadata": {"name": "token"}, "stringData": {"key": "s3cret-value"}}),
    )
    .await;
    task::allow(&rig, HOOK, &[]).await;
    let cluster = rig.cluster_as(HOOK).await;
    let run = Run::with(&rig, cluster, ClusterTasksSettings::default());
    let mut definition = shell("echo $TOKEN; exit 3");
    definition["container"]["env"] =
        json!([{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}}]);
    let end = run.task("check", &definition).await;
    assert_eq!(end.outcome, Outcome::Fail);
    assert!(
        end.report.message.contains("its log is withheld")
            && end.report.message.contains("forbidden"),
        "{}",
        end.report.message
    );
    assert!(!format!("{end:?}{:?}", run.told()).contains("s3cret"));
}

#[tokio::test]
async fn retries_are_counted_and_a_later_success_is_one() {
    let Some(rig) = rig("a task with retries").await else {
        return;
    };
    let run = Run::new(&rig).await;
    let mut fails = shell("echo no; exit 4");
    fails["retries"] = json!(1);
    let mut passes = shell("test -e /v/seen && exit 0; touch /v/seen; exit 5");
    passes["retries"] = json!(2);
    passes["container"]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    let (fails, passes) = tokio::join!(run.task("fails", &fails), run.task("passes", &passes));
    assert_eq!(passes.outcome, Outcome::Pass, "{passes:?}");
    assert_eq!(fails.outcome, Outcome::Fail);
    assert_eq!(
        (fails.report.reason.as_str(), fails.report.message.as_str()),
        (
            "BackoffLimitExceeded",
            "the container ended with exit code 4 after 2 tries: no"
        )
    );
    assert!(
        run.told()
            .iter()
            .any(|line| line.contains("pre-passes-12345 the container ended with exit code 5")),
        "{:?}",
        run.told()
    );
}

#[tokio::test]
async fn a_task_that_takes_too_long_fails_with_its_log() {
    let Some(rig) = rig("a task that takes too long").await else {
        return;
    };
    let run = Run::new(&rig).await;
    let mut definition = shell("echo still here; sleep 60");
    // Enough for its container to begin on a machine that does other things.
    definition["timeout"] = json!("15s");
    let end = run.task("check", &definition).await;
    assert_eq!(end.outcome, Outcome::Fail, "{end:?}");
    assert_eq!(
        (end.report.reason.as_str(), end.report.message.as_str()),
        (
            "DeadlineExceeded",
            "it took longer than its timeout of 15s: still here"
        )
    );
}

#[tokio::test]
async fn what_cannot_start_is_an_error_with_the_pods_message() {
    let Some(rig) = rig("tasks that cannot start").await else {
        return;
    };
    let settings = ClusterTasksSettings {
        image_grace: Duration::from_secs(1),
        start_grace: Duration::from_secs(1),
        ..ClusterTasksSettings::default()
    };
    let run = Run::with_settings(&rig, settings).await;
    let container = |fields: Value| {
        let mut definition = probe(&["sleep", "1s"]);
        for (field, value) in fields.as_object().unwrap() {
            definition["container"][field] = value.clone();
        }
        definition
    };
    let secret =
        json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k"}}}]);
    let mut account = probe(&["sleep", "1s"]);
    account["serviceAccount"] = json!({"name": "nobody"});
    let function = json!({"python": {"configMapRef": {"name": "no-code"}}, "retries": 0});
    let mut unschedulable = container(json!({"resources": {"requests": {"cpu": "1000"}}}));
    unschedulable["timeout"] = json!("4s");
    for (name, definition, reason, message) in [
        (
            "image",
            container(json!({"image": "127.0.0.1:1/none:1"})),
            "ImagePullFailed",
            "127.0.0.1:1/none:1",
        ),
        (
            "bad-image",
            container(json!({"image": "NONE"})),
            "InvalidImageName",
            "NONE",
        ),
        (
            "secret",
            container(json!({"env": secret})),
            "CreateContainerConfigError",
            "secret \"none\" not found",
        ),
        (
            "program",
            container(json!({"command": ["/none"]})),
            "StartError",
            "/none",
        ),
        (
            "account",
            account,
            "FailedCreate",
            "serviceaccount \"nobody\" not found",
        ),
        (
            "code",
            function,
            "FailedMount",
            "configmap \"no-code\" not found",
        ),
        ("node", unschedulable, "Unschedulable", "Insufficient cpu"),
    ] {
        let started = Instant::now();
        let end = run.task(name, &definition).await;
        let took = started.elapsed();
        assert_eq!(end.outcome, Outcome::Error, "{name}: {end:?}");
        assert_eq!(end.report.reason, reason, "{name}: {end:?}");
        assert!(end.report.message.contains(message), "{name}: {end:?}");
        assert!(took < Duration::from_secs(15), "{name}: {took:?}");
        // It must not start later.
        if reason != "Unschedulable" {
            task::wait_until_gone::<Job>(&rig, &end.report.details["job"]).await;
        }
    }
    assert!(
        run.told()
            .iter()
            .any(|line| line.starts_with("pre-node-12345 waits: Unschedulable: 0/1 nodes")),
        "{:?}",
        run.told()
    );
}

#[tokio::test]
async fn a_namespace_without_quota_for_it_is_told_in_seconds() {
    let Some(rig) = rig("a quota").await else {
        return;
    };
    rig.let_no_pod_in().await;
    let run = Run::new(&rig).await;
    let end = run.task("check", &probe(&["sleep", "1s"])).await;
    assert_eq!(
        (end.outcome, end.report.reason.as_str()),
        (Outcome::Error, "FailedCreate")
    );
    assert!(
        end.report.message.contains("exceeded quota: none"),
        "{}",
        end.report.message
    );
}

#[tokio::test]
async fn a_cancelled_task_is_stopped_and_an_interrupted_one_goes_on() {
    let Some(rig) = rig("a task that is cancelled").await else {
        return;
    };
    let settings = ClusterTasksSettings::default();
    let interrupted = settings.interrupted.clone();
    let run = Run::with_settings(&rig, settings).await;
    let definition = probe(&["sleep", "60s"]);
    let (end, ()) = tokio::join!(run.task("check", &definition), async {
        run.wait_for_pod().await;
        run.cancel.cancel();
    });
    assert_eq!(
        (end.outcome, end.report.reason.as_str()),
        (Outcome::Error, "Cancelled")
    );
    assert!(
        end.report.message.contains("was deleted"),
        "{}",
        end.report.message
    );
    let job: Option<Job> = rig.api().get_opt(&end.report.details["job"]).await.unwrap();
    assert!(job.is_none_or(|job| job.metadata.deletion_timestamp.is_some()));

    // The same attempt again, by the hook's next pod: after the old pod is gone.
    let again = run.again().await;
    let (end, ()) = tokio::join!(again.task("check", &definition), async {
        task::wait_for(|| async { !again.told().is_empty() }).await;
        again.wait_for_pod().await;
        assert_eq!(again.pods().await.len(), 1);
        interrupted.cancel();
        again.cancel.cancel();
    });
    assert_eq!(end.report.reason, "Cancelled");
    assert!(
        end.report.message.contains("goes on"),
        "{}",
        end.report.message
    );
    let job: Job = rig.api().get(&end.report.details["job"]).await.unwrap();
    assert_eq!(job.metadata.deletion_timestamp, None);
}

#[tokio::test]
async fn a_hook_that_never_comes_back_takes_its_tasks_along() {
    let Some(rig) = rig("a hook that never comes back").await else {
        return;
    };
    let hook = |name: &str, deadline: u32| {
        json!({
            "metadata": {"name": name},
            "spec": {
                "activeDeadlineSeconds": deadline,
                "template": {"spec": {
                    "restartPolicy": "Never",
                    // Its pod stays without a node.
                    "schedulingGates": [{"name": "none"}],
                    "containers": [{"name": "main", "image": "none"}],
                }},
            },
        })
    };
    let lives: Job = rig.create(hook("lives", 600)).await;
    let over: Job = rig.create(hook("over", 1)).await;
    task::wait_for(|| async {
        let over: Job = rig.api().get("over").await.unwrap();
        over.status
            .is_some_and(|status| status.conditions.is_some())
    })
    .await;
    let pod: Pod = rig
        .create(json!({
            "metadata": {"name": "pod"},
            "spec": {"schedulingGates": [{"name": "none"}], "containers": [{"name": "main", "image": "none"}]},
        }))
        .await;
    for (name, api_version, kind, uid, goes_on) in [
        ("lives", "batch/v1", "Job", lives.metadata.uid, true),
        ("over", "batch/v1", "Job", over.metadata.uid, false),
        ("pod", "v1", "Pod", pod.metadata.uid, false),
    ] {
        let owner = json!({"apiVersion": api_version, "kind": kind, "name": name, "uid": uid});
        let settings = ClusterTasksSettings {
            owners: vec![serde_json::from_value(owner).unwrap()],
            ..ClusterTasksSettings::default()
        };
        let interrupted = settings.interrupted.clone();
        let run = Run::with(&rig, rig.cluster().await, settings);
        let definition = probe(&["sleep", "60s"]);
        let (end, ()) = tokio::join!(run.task(name, &definition), async {
            task::wait_for(|| async { !run.told().is_empty() }).await;
            interrupted.cancel();
            run.cancel.cancel();
        });
        assert_eq!(end.report.reason, "Cancelled", "{end:?}");
        assert_eq!(end.report.message.contains("goes on"), goes_on, "{end:?}");
        let job: Option<Job> = rig.api().get_opt(&end.report.details["job"]).await.unwrap();
        let is_there = job.is_some_and(|job| job.metadata.deletion_timestamp.is_none());
        assert_eq!(is_there, goes_on, "{name}");
    }
}

#[tokio::test]
async fn a_killed_hook_finds_its_job_again() {
    let Some(rig) = rig("a hook that is killed").await else {
        return;
    };
    let run = Run::new(&rig).await;
    let definition =
        json!({"python": {"inline": {"code": "sleep 5; echo done; exit 3"}}, "retries": 0});
    tokio::select! {
        _ = run.task("check", &definition) => panic!("it was to be killed"),
        () = run.wait_for_pod() => {}
    }
    // By another process, with another connection.
    let again = run.again().await;
    let end = again.task("check", &definition).await;
    assert_eq!(
        end.report.message,
        "the container ended with exit code 3: done",
        "{:?}",
        again.told()
    );
    let pods = run.pods().await;
    assert_eq!((pods.len(), pods[0].restarts), (1, 0));
    // Its result is still there, and is not measured again.
    let third = run.again().await.task("check", &definition).await;
    assert_eq!((third.outcome, &third.report), (Outcome::Fail, &end.report));
    assert_eq!(run.pods().await.len(), 1);

    // What was begun long ago and is not there any more is never run again silently.
    let job = &end.report.details["job"];
    task::delete::<Job>(&rig, job).await;
    let mut late = run.again().await;
    late.begun_before = Some(jiff::Timestamp::now() - Duration::from_secs(301));
    let end = late.task("check", &definition).await;
    assert_eq!(
        (end.outcome, end.report.reason.as_str()),
        (Outcome::Error, "ResultLost")
    );
    assert_eq!(rig.api::<Job>().get_opt(job).await.unwrap(), None);
}

#[tokio::test]
async fn what_ended_while_no_hook_looked_has_its_end() {
    let Some(rig) = rig("a Job that ended unseen").await else {
        return;
    };
    let run = Run::new(&rig).await;
    let mut late = probe(&["sleep", "60s"]);
    late["timeout"] = json!("2s");
    let mut failing = shell("echo no; exit 4");
    failing["retries"] = json!(1);
    let passing = shell("exit 0");
    tokio::select! {
        _ = async { tokio::join!(run.task("late", &late), run.task("failing", &failing), run.task("passing", &passing)) } => panic!("it was to be killed"),
        () = task::wait_for(|| async { run.told().len() == 3 }) => {}
    }
    let jobs = rig.api::<Job>();
    task::wait_for(|| async {
        let jobs = jobs.list(&Default::default()).await.unwrap().items;
        let ended = jobs.iter().filter(|job| {
            let conditions = job
                .status
                .as_ref()
                .and_then(|status| status.conditions.as_ref());
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|condition| ["Complete", "Failed"].contains(&&*condition.type_))
        });
        ended.count() == 3
    })
    .await;
    let again = run.again().await;
    for (name, definition, outcome, reason) in [
        ("late", &late, Outcome::Fail, "DeadlineExceeded"),
        ("failing", &failing, Outcome::Fail, "BackoffLimitExceeded"),
        ("passing", &passing, Outcome::Pass, ""),
    ] {
        let end = again.task(name, definition).await;
        assert_eq!(
            (end.outcome, end.report.reason.as_str()),
            (outcome, reason),
            "{end:?}"
        );
    }
    assert_eq!(again.cluster.calls().counts().get("create jobs"), None);
}

#[tokio::test]
async fn a_job_of_somebody_else_is_left_alone() {
    let Some(rig) = rig("a Job of somebody else").await else {
        return;
    };
    let run = Run::new(&rig).await;
    let definition = probe(&["sleep", "1ms"]);
    let end = run.task("check", &definition).await;
    let name = &end.report.details["job"];
    let patch = json!({"metadata": {"annotations": {"traceparent": null}}});
    rig.api::<Job>()
        .patch(name, &Default::default(), &kube::api::Patch::Merge(patch))
        .await
        .unwrap();
    let end = run.task("check", &definition).await;
    assert_eq!(
        (end.outcome, end.report.reason.as_str()),
        (Outcome::Error, "NameTaken")
    );
}

#[tokio::test]
async fn code_is_run_as_keptn_runs_it_and_goes_with_its_job() {
    let Some(rig) = rig("functions").await else {
        return;
    };
    let run = Run::new(&rig).await;
    let definition = json!({
        "deno": {
            "inline": {"code": "echo $DATA $SECURE_DATA $SCRIPT; exit 7"},
            "parameters": {"map": {"a": "1"}}, "secureParameters": {"secret": "token"},
        },
        "retries": 0,
    });
    rig.create::<Secret>(
        json!({"metadata": {"name": "token"}, "stringData": {"SECURE_DATA": "s3cret"}}),
    )
    .await;
    let end = run.task("check", &definition).await;
    assert_eq!(
        end.report.message,
        r#"the container ended with exit code 7: {"a":"1"} ••• /var/data/function.ts"#
    );
    let name = &end.report.details["job"];
    let map: ConfigMap = rig.api().get(name).await.unwrap();
    assert!(map.data.unwrap()["code"].starts_with("echo $DATA"));
    task::delete::<Job>(&rig, name).await;
    task::wait_until_gone::<ConfigMap>(&rig, name).await;
}

#[tokio::test]
async fn what_the_cluster_takes_away_has_not_failed() {
    let Some(rig) = rig("a pod that is taken away").await else {
        return;
    };
    let run = Run::new(&rig).await;
    // A program that ends when it is told to, as one that fails would.
    let definition = probe(&["sleep", "60s"]);
    let (end, ()) = tokio::join!(run.task("pod", &definition), async {
        run.wait_for_pod().await;
        let pods = rig.api::<Pod>();
        let pod = pods
            .list(&Default::default())
            .await
            .unwrap()
            .items
            .remove(0);
        let name = pod.metadata.name.unwrap();
        pods.delete(&name, &Default::default()).await.unwrap();
    });
    assert_eq!(
        (end.outcome, end.report.reason.as_str()),
        (Outcome::Error, "PodDisrupted"),
        "{end:?}"
    );
    let (end, ()) = tokio::join!(run.task("job", &definition), async {
        run.wait_for_pod().await;
        let jobs = rig.api::<Job>();
        let all = jobs.list(&Default::default()).await.unwrap().items;
        let mut names = all.into_iter().filter_map(|job| job.metadata.name);
        let name = names.find(|name| name.starts_with("pre-job-")).unwrap();
        let parameters = kube::api::DeleteParams::background();
        jobs.delete(&name, &parameters).await.unwrap();
    });
    assert_eq!(
        (end.outcome, end.report.reason.as_str()),
        (Outcome::Error, "JobDeleted"),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_job_that_is_gone_with_its_end_has_ended_all_the_same() {
    let Some(rig) = rig("a Job that is not kept").await else {
        return;
    };
    let run = Run::new(&rig).await;
    let not_kept = |script: &str| {
        let mut definition = shell(script);
        definition["ttlSecondsAfterFinished"] = json!(0);
        definition
    };
    let (passes, fails) = (not_kept("exit 0"), not_kept("echo no; exit 1"));
    let (passes, failed) = tokio::join!(run.task("passes", &passes), run.task("fails", &fails));
    assert_eq!(passes.outcome, Outcome::Pass, "{passes:?}");
    assert_eq!(
        (failed.outcome, failed.report.message.as_str()),
        (Outcome::Fail, "the container ended with exit code 1: no")
    );
    // Nothing is left of it, and it is not run again.
    task::wait_until_gone::<Job>(&rig, &failed.report.details["job"]).await;
    let end = run.again().await.task("fails", &fails).await;
    assert_eq!(end.report.reason, "ResultLost", "{end:?}");
}

#[tokio::test]
async fn a_command_that_cannot_be_run_is_told_without_its_secrets() {
    let Some(rig) = rig("a command with a secret").await else {
        return;
    };
    rig.create::<Secret>(
        json!({"metadata": {"name": "token"}, "stringData": {"key": "s3cret-value"}}),
    )
    .await;
    let run = Run::new(&rig).await;
    let mut definition = probe(&[]);
    definition["container"]["command"] = json!(["/bin/$(TOKEN)"]);
    definition["container"]["env"] =
        json!([{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}}]);
    for retries in [0, 1] {
        definition["retries"] = json!(retries);
        let end = run.task(&format!("tries-{retries}"), &definition).await;
        assert_eq!(end.report.reason, "StartError");
        assert!(end.report.message.contains("/bin/•••"), "{end:?}");
        assert!(!format!("{end:?}{:?}", run.told()).contains("s3cret"));
    }
}
