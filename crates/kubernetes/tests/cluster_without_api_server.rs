//! An API server that hangs, is away, or comes back: nothing is lost, and nothing waits for ever.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod rig;
#[path = "support/task.rs"]
mod task;

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use rig::{plan, rig, workload};
use serde_json::json;
use stagelink_delivery::Outcome;
use stagelink_delivery::ports::{LedgerStore as _, WorkloadWatcher as _};
use stagelink_kubernetes::{ClusterTasksSettings, ClusterWorkloads, LedgerConfigMap};
use task::{Run, shell};
use tokio_util::sync::CancellationToken;

/// What a test does to the API server must not meet another.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Waits until controllers, scheduler and kubelet have found the API server again, and a namespace that
/// is made then has what pods need: other tests need them.
async fn settle() {
    let Some(rig) = rig("a cluster that has settled").await else {
        return;
    };
    let patience = Duration::from_secs(120);
    rig.create::<ReplicaSet>(json!({
        "metadata": {"name": "settled"},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "settled"}},
            "template": {
                "metadata": {"labels": {"app": "settled"}},
                "spec": {"containers": [{"name": "main", "image": "none"}]},
            },
        },
    }))
    .await;
    let workloads = ClusterWorkloads::new(&rig.cluster().await);
    let settled = workload("ReplicaSet", "settled", &rig.namespace);
    let end = workloads
        .wait_until_deployed(&settled, patience, &CancellationToken::new())
        .await;
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    let settings = ClusterTasksSettings {
        start_grace: patience,
        ..ClusterTasksSettings::default()
    };
    let run = Run::with(&rig, rig.cluster().await, settings);
    let end = run.task("settled", &shell("true")).await;
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    // The garbage collector is the last.
    let name = &end.report.details["job"];
    let jobs: kube::Api<Job> = rig.api();
    jobs.delete(name, &DeleteParams::background())
        .await
        .unwrap();
    let (pods, start): (kube::Api<Pod>, _) = (rig.api(), Instant::now());
    let its = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={name}"));
    while !pods.list(&its).await.unwrap().items.is_empty() {
        assert!(
            start.elapsed() < patience,
            "nobody removes the pods of a Job that is gone"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn an_api_server_that_hangs_is_waited_for() {
    let Some(rig) = rig("an API server that hangs").await else {
        return;
    };
    let _turn = TURN.lock().await;
    let cluster = rig.cluster().await;
    let store = LedgerConfigMap::new(&cluster, "ledger");
    let plan = plan(&rig.namespace);
    let (ledger, version) = store.load(&plan).await.unwrap();
    let server = rig.api_server();
    let start = Instant::now();
    server.pause();
    let (saved, ()) = tokio::join!(store.save(&ledger, &version), async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        server.resume();
    });
    let waited = start.elapsed();
    assert_eq!(store.load(&plan).await.unwrap(), (ledger, saved.unwrap()));
    assert!(waited >= Duration::from_secs(4), "{waited:?}");
    // One request, that waited: nothing was sent twice.
    assert_eq!(cluster.calls().counts()["patch configmaps"], 1);
}

#[tokio::test]
async fn an_api_server_that_is_away_comes_back() {
    let Some(rig) = rig("an API server that is killed").await else {
        return;
    };
    let _turn = TURN.lock().await;
    let cluster = rig.cluster().await;
    let store = LedgerConfigMap::new(&cluster, "ledger");
    let plan = plan(&rig.namespace);
    let (ledger, version) = store.load(&plan).await.unwrap();
    let server = rig.api_server();
    server.kill();
    let (saved, back) = tokio::join!(store.save(&ledger, &version), async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        server.start_again();
        Instant::now()
    });
    let late = back.elapsed();
    assert_eq!(store.load(&plan).await.unwrap(), (ledger, saved.unwrap()));
    assert!(
        late < Duration::from_secs(90),
        "{late:?} after it was started again"
    );
    assert!(
        cluster.calls().counts()["patch configmaps"] > 3,
        "{}",
        cluster.calls()
    );
    settle().await;
}

#[tokio::test]
async fn a_watch_goes_on_when_the_api_server_is_back() {
    let Some(rig) = rig("a watch over a restart").await else {
        return;
    };
    let _turn = TURN.lock().await;
    let cluster = rig.cluster().await;
    // No pods are needed: it is done when it is to have none.
    rig.create::<StatefulSet>(json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "none"}], "nodeName": "nowhere"},
            },
        },
    }))
    .await;
    let workloads = ClusterWorkloads::new(&cluster);
    let web = workload("StatefulSet", "web", &rig.namespace);
    let cancel = CancellationToken::new();
    let timeout = Duration::from_secs(90);
    let (end, ()) = tokio::join!(
        workloads.wait_until_deployed(&web, timeout, &cancel),
        async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let server = rig.api_server();
            server.kill();
            tokio::time::sleep(Duration::from_secs(2)).await;
            server.start_again();
            let api: kube::Api<StatefulSet> = rig.api();
            let none = json!({"spec": {"replicas": 0}});
            // Until it is ready.
            while let Err(error) = api
                .patch("web", &PatchParams::default(), &Patch::Merge(&none))
                .await
            {
                tokio::time::sleep(Duration::from_millis(200)).await;
                assert!(!error.to_string().contains("Forbidden"), "{error}");
            }
        }
    );
    assert_eq!((end.outcome, end.reason), (Outcome::Pass, None));
    settle().await;
    let calls = cluster.calls();
    assert!(calls.counts()["watch statefulsets"] > 1, "{calls}");
    assert!(calls.total() < 40, "{calls}");
}

#[tokio::test]
async fn a_task_outlives_an_api_server_that_is_killed() {
    let Some(rig) = rig("a task without an API server").await else {
        return;
    };
    let _turn = TURN.lock().await;
    let run = Run::new(&rig).await;
    let definition = shell("sleep 8; echo after; exit 9");
    let (end, ()) = tokio::join!(run.task("check", &definition), async {
        run.wait_for_pod().await;
        let server = rig.api_server();
        server.kill();
        tokio::time::sleep(Duration::from_secs(5)).await;
        server.start_again();
    });
    assert_eq!(
        (end.outcome, end.report.message.as_str()),
        (Outcome::Fail, "the container ended with exit code 9: after"),
        "{}",
        run.cluster.calls()
    );
    assert_eq!(run.pods().await.len(), 1);
    settle().await;
}
