//! Workloads of a real cluster, with real pods.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod rig;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use rig::{Rig, rig, workload};
use serde_json::{Value, json};
use stagelink_delivery::Outcome;
use stagelink_delivery::ports::{SecretKey, Secrets as _, WorkloadEnd, WorkloadWatcher as _};
use stagelink_kubernetes::{Cluster, ClusterSecrets, ClusterWorkloads};
use tokio_util::sync::CancellationToken;

/// Long enough for controllers that have lost the API server a moment ago, by another test.
const PATIENCE: Duration = Duration::from_secs(150);

async fn wait(cluster: &Cluster, kind: &str, name: &str, timeout: Duration) -> WorkloadEnd {
    let workloads = ClusterWorkloads::new(cluster);
    let workload = workload(kind, name, cluster.namespace());
    workloads
        .wait_until_deployed(&workload, timeout, &CancellationToken::new())
        .await
}

/// A pod's template; it is ready after a while.
fn template(name: &str, ready_after: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "main", "image": "rig.local/probe:1", "imagePullPolicy": "Never",
                "args": ["serve", ":8080", ready_after],
                "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
            }],
        },
    })
}

fn spec(name: &str, template: Value) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template},
    })
}

/// Looks until a workload's reason has all parts.
async fn until(cluster: &Cluster, kind: &str, name: &str, parts: &[&str]) -> WorkloadEnd {
    let start = Instant::now();
    loop {
        let end = wait(cluster, kind, name, Duration::ZERO).await;
        if parts.iter().all(|part| reason(&end).contains(part)) {
            return end;
        }
        assert!(start.elapsed() < PATIENCE, "{parts:?}: {end:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn reason(end: &WorkloadEnd) -> &str {
    end.reason.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn a_deployment_is_watched_from_its_beginning_to_its_end() {
    let Some(rig) = rig("a Deployment's rollout").await else {
        return;
    };
    let cluster = rig.cluster().await;
    let created = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = Timestamp::now();
        rig.create::<Deployment>(spec("web", template("web", "2s")))
            .await;
        before
    };
    let (end, before) = tokio::join!(wait(&cluster, "Deployment", "web", PATIENCE), created);
    let now = Timestamp::now();
    assert_eq!((end.outcome, reason(&end)), (Outcome::Pass, ""));
    let second = jiff::SignedDuration::from_secs(1);
    let (started, ended) = (end.started_at.unwrap(), end.ended_at.unwrap());
    // The API server's times are whole seconds.
    assert!(
        started >= before - second && started <= now,
        "{started}, created {before}"
    );
    assert!(
        ended >= started + second && ended <= now,
        "{started} to {ended}, seen {now}"
    );
    assert!(
        now.duration_since(ended) < second * 2,
        "{ended}, seen {now}"
    );
    // Watched, not polled.
    assert_eq!(
        cluster.calls().to_string(),
        "3 API calls: list deployments 1, list pods 1, watch deployments 1"
    );
    let ready = end.first_ready_at.unwrap();
    assert!(
        ready >= started + second && ready <= ended,
        "{started}, ready {ready}, {ended}"
    );
    assert_eq!(end.replicas, Some(2));

    // What has not changed keeps its times, and is told at once.
    let again = wait(&cluster, "Deployment", "web", PATIENCE).await;
    assert_eq!(again, end);
    assert_eq!(cluster.calls().total(), 5);
    // A look does not ask when it became so.
    let looked = wait(&cluster, "Deployment", "web", Duration::ZERO).await;
    let glance = WorkloadEnd {
        first_ready_at: None,
        ..end.clone()
    };
    assert_eq!(looked, glance);

    // A new version has times of its own.
    let api: Api<Deployment> = rig.api();
    let changed = json!({"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}});
    tokio::time::sleep(Duration::from_secs(1)).await;
    api.patch("web", &PatchParams::default(), &Patch::Merge(changed))
        .await
        .unwrap();
    let next = wait(&cluster, "Deployment", "web", PATIENCE).await;
    assert_eq!(next.outcome, Outcome::Pass);
    assert!(
        next.started_at.unwrap() > started && next.ended_at.unwrap() > ended,
        "{next:?}"
    );
    // Its pods are others, and the first of them was ready before all were.
    let first = next.first_ready_at.unwrap();
    assert!(first > ended && first <= next.ended_at.unwrap(), "{next:?}");
}

#[tokio::test]
async fn every_kind_becomes_healthy() {
    let Some(rig) = rig("workloads of every kind").await else {
        return;
    };
    let cluster = rig.cluster().await;
    let mut stateful = spec("state", template("state", "0s"));
    stateful["spec"]["serviceName"] = json!("state");
    let mut daemon = spec("daemon", template("daemon", "0s"));
    daemon["spec"]["replicas"].take();
    rig.create::<StatefulSet>(stateful).await;
    rig.create::<DaemonSet>(daemon).await;
    rig.create::<ReplicaSet>(spec("set", template("set", "0s")))
        .await;
    let ends = tokio::join!(
        wait(&cluster, "StatefulSet", "state", PATIENCE),
        wait(&cluster, "DaemonSet", "daemon", PATIENCE),
        wait(&cluster, "ReplicaSet", "set", PATIENCE),
    );
    for (end, replicas) in [(ends.0, 2), (ends.1, 1), (ends.2, 2)] {
        assert_eq!((end.outcome, reason(&end)), (Outcome::Pass, ""));
        assert_eq!(end.replicas, Some(replicas));
        assert!(end.first_ready_at >= end.started_at, "{end:?}");
        assert!(end.first_ready_at <= end.ended_at, "{end:?}");
        assert!(end.ended_at.unwrap() > end.started_at.unwrap(), "{end:?}");
    }
}

#[tokio::test]
async fn what_does_not_become_healthy_says_why() {
    let Some(rig) = rig("workloads that fail").await else {
        return;
    };
    let cluster = rig.cluster().await;
    // Its image is not there.
    let mut image = template("image", "0s");
    image["spec"]["containers"][0]["image"] = json!("rig.local/absent:1");
    rig.create::<Deployment>(spec("image", image)).await;
    // It never starts: no node is like that. Its controller gives up.
    let mut node = template("node", "0s");
    node["spec"]["nodeSelector"] = json!({"nowhere": "true"});
    let mut given_up = spec("node", node);
    given_up["spec"]["progressDeadlineSeconds"] = json!(2);
    rig.create::<Deployment>(given_up).await;
    // It starts, and ends.
    let mut crash = template("crash", "0s");
    crash["spec"]["containers"][0]["args"] = json!(["die", "3", "broken"]);
    let mut crash = spec("crash", crash);
    crash["spec"]["serviceName"] = json!("crash");
    rig.create::<StatefulSet>(crash).await;

    let image = [
        "0 of 2 new replicas are available; pod image-",
        ": container main: ErrImageNeverPull: ",
    ];
    let unready = [
        "0 of 2 replicas are ready; pod crash-0: container main: ",
        "exit code 3",
    ];
    let (node, image, crash, absent) = tokio::join!(
        wait(&cluster, "Deployment", "node", PATIENCE),
        until(&cluster, "Deployment", "image", &image),
        until(&cluster, "StatefulSet", "crash", &unready),
        wait(&cluster, "DaemonSet", "absent", Duration::from_secs(1)),
    );
    let node_text = reason(&node);
    assert!(
        node_text.starts_with("it exceeded its progress deadline; pod node-"),
        "{node_text}"
    );
    assert!(
        node_text.contains(": Unschedulable: 0/1 nodes are available"),
        "{node_text}"
    );
    assert_eq!(
        reason(&absent),
        "it did not become healthy within 1 s: it is not there"
    );
    for end in [&node, &image, &crash, &absent] {
        assert_eq!((end.outcome, end.ended_at), (Outcome::Fail, None));
    }
    assert!(image.started_at.is_some() && absent.started_at.is_none());

    // Whoever waits is told the same, and for how long it waited.
    let waited = wait(&cluster, "Deployment", "image", Duration::from_secs(2)).await;
    let text = format!("it did not become healthy within 2 s: {}", reason(&image));
    assert_eq!(reason(&waited)[..60], text[..60]);
    // Whoever only looks cannot tell that it would not have become healthy.
    let looked = wait(&cluster, "Deployment", "absent", Duration::ZERO).await;
    assert_eq!(
        (looked.outcome, reason(&looked)),
        (Outcome::Error, "it is not there")
    );
    let looked = wait(&cluster, "CronJob", "absent", Duration::ZERO).await;
    assert_eq!(looked.outcome, Outcome::Error);
}

#[tokio::test]
async fn a_quota_and_missing_rights_are_told() {
    let Some(rig) = rig("workloads under a quota").await else {
        return;
    };
    rig.let_no_pod_in().await;
    rig.create::<Deployment>(spec("web", template("web", "0s")))
        .await;
    let cluster = rig.cluster().await;
    let parts = ["0 of 2 new replicas are there: ", "exceeded quota: none"];
    let end = until(&cluster, "Deployment", "web", &parts).await;
    assert_eq!(end.outcome, Outcome::Error);
    let end = wait(&cluster, "Deployment", "web", Duration::from_secs(1)).await;
    assert_eq!(end.outcome, Outcome::Fail);

    let stranger = rig.cluster_as("stranger").await;
    let start = Instant::now();
    for timeout in [PATIENCE, Duration::ZERO] {
        let end = wait(&stranger, "Deployment", "web", timeout).await;
        assert_eq!(end.outcome, Outcome::Error);
        assert!(reason(&end).contains("deployments.apps"), "{end:?}");
        assert!(reason(&end).contains("is forbidden: User"), "{end:?}");
    }
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());

    // A hook that must end does not wait.
    let cancel = CancellationToken::new();
    let workloads = ClusterWorkloads::new(&cluster);
    let web = workload("Deployment", "web", &rig.namespace);
    let (_, ()) = tokio::join!(
        workloads.wait_until_deployed(&web, PATIENCE, &cancel),
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            cancel.cancel();
        }
    );
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_rollout_is_watched_where_the_cluster_has_them() {
    let Some(rig) = rig("Rollouts").await else {
        return;
    };
    let cluster = rig.cluster().await;
    for timeout in [PATIENCE, Duration::ZERO] {
        let end = wait(&cluster, "Rollout", "web", timeout).await;
        assert_eq!(
            (end.outcome, reason(&end)),
            (
                Outcome::Error,
                "the cluster has no Rollout (argoproj.io/v1alpha1); install what brings it"
            )
        );
    }
    let definitions: Api<CustomResourceDefinition> = Api::all(rig.admin.clone());
    let definition = json!({
        "metadata": {"name": "rollouts.argoproj.io"},
        "spec": {
            "group": "argoproj.io", "scope": "Namespaced",
            "names": {"kind": "Rollout", "plural": "rollouts"},
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema":
                    {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    });
    definitions
        .create(
            &Default::default(),
            &serde_json::from_value(definition).unwrap(),
        )
        .await
        .unwrap();
    let end = rollout(&rig, &cluster).await;
    definitions
        .delete("rollouts.argoproj.io", &DeleteParams::default())
        .await
        .unwrap();
    let (absent, paused, healthy) = end;
    assert_eq!(reason(&absent), "it is not there");
    assert_eq!(paused.outcome, Outcome::Fail);
    assert!(
        reason(&paused).ends_with("it is paused: CanaryPauseStep"),
        "{paused:?}"
    );
    assert_eq!(healthy.outcome, Outcome::Pass);
    assert!(
        healthy.started_at.is_some() && healthy.ended_at.is_some(),
        "{healthy:?}"
    );
}

/// Plays the controller of Argo Rollouts.
async fn rollout(rig: &Rig, cluster: &Cluster) -> (WorkloadEnd, WorkloadEnd, WorkloadEnd) {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout"));
    let api: Api<DynamicObject> = Api::namespaced_with(rig.admin.clone(), &rig.namespace, &kind);
    // The API server serves a new kind in a moment.
    let mut absent = wait(cluster, "Rollout", "web", Duration::ZERO).await;
    for _ in 0..100 {
        if reason(&absent) == "it is not there" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        absent = wait(cluster, "Rollout", "web", Duration::ZERO).await;
    }
    let mut object = DynamicObject::new("web", &kind);
    object.data = json!({"spec": {"selector": {"matchLabels": {"app": "web"}}}});
    api.create(&Default::default(), &object).await.unwrap();
    let status = async |status: Value| {
        let patch = json!({"status": status});
        api.patch_status("web", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
    };
    status(json!({"observedGeneration": "1", "phase": "Paused", "message": "CanaryPauseStep"}))
        .await;
    let paused = wait(cluster, "Rollout", "web", Duration::from_secs(1)).await;
    let (healthy, ()) = tokio::join!(wait(cluster, "Rollout", "web", PATIENCE), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        status(json!({"observedGeneration": "1", "phase": "Healthy", "message": null})).await;
    });
    (absent, paused, healthy)
}

#[tokio::test]
async fn secrets_are_read_by_name_and_never_shown() {
    let Some(rig) = rig("Secrets").await else {
        return;
    };
    rig.create::<Secret>(json!({
        "metadata": {"name": "token"},
        "stringData": {"SECURE_DATA": "s3cret\n"}, "data": {"binary": "/wD/"},
    }))
    .await;
    let cluster = rig.cluster().await;
    let secrets = ClusterSecrets::new(&cluster);
    let key = |name: &'static str, key: &'static str| SecretKey {
        namespace: "",
        name,
        key,
    };
    let value = secrets
        .get(&key("token", "SECURE_DATA"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(value.expose(), "s3cret\n");
    assert!(!format!("{value:?}").contains("s3cret"));
    assert!(secrets.get(&key("token", "other")).await.unwrap().is_none());
    assert!(
        secrets
            .get(&key("other", "SECURE_DATA"))
            .await
            .unwrap()
            .is_none()
    );
    let error = secrets.get(&key("token", "binary")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "key binary of Secret token cannot be read: it is no UTF-8 text"
    );
    assert_eq!(cluster.calls().to_string(), "4 API calls: get secrets 4");
    let elsewhere = SecretKey {
        namespace: "kube-system",
        name: "token",
        key: "SECURE_DATA",
    };
    assert!(secrets.get(&elsewhere).await.unwrap().is_none());

    let stranger = ClusterSecrets::new(&rig.cluster_as("stranger").await);
    let error = stranger
        .get(&key("token", "SECURE_DATA"))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("secrets \"token\" is forbidden"), "{error}");
}
