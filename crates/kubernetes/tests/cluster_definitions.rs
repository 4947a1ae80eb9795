//! Definitions that a chart does not have: looked for in the app's namespace, then in Keptn's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod rig;
#[path = "support/task.rs"]
mod task;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::DynamicObject;
use kube::core::{ApiResource, GroupVersionKind};
use rig::{Rig, rig};
use serde_json::{Value, json};
use stagelink_delivery::Outcome;
use stagelink_kubernetes::ClusterTasksSettings;
use task::{HOOK, Run, shell};

/// The definition of the kind, as Keptn has it.
const CRD: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../charts/stagelink/keptn-crds/lifecycle.keptn.sh_keptntaskdefinitions.yaml"
);

fn definitions(rig: &Rig, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("lifecycle.keptn.sh", "v1", "KeptnTaskDefinition");
    let resource = ApiResource::from_gvk_with_plural(&kind, "keptntaskdefinitions");
    Api::namespaced_with(rig.admin.clone(), namespace, &resource)
}

async fn define(rig: &Rig, namespace: &str, name: &str, spec: Value) {
    let definition = json!({
        "apiVersion": "lifecycle.keptn.sh/v1", "kind": "KeptnTaskDefinition",
        "metadata": {"name": name, "labels": {"team": "shop"}}, "spec": spec,
    });
    let definition = serde_json::from_value(definition).unwrap();
    let api = definitions(rig, namespace);
    api.create(&Default::default(), &definition).await.unwrap();
}

/// Makes Keptn's kind known to the cluster, and another namespace for Keptn.
async fn keptn(rig: &Rig) -> String {
    let crd = std::fs::read_to_string(CRD).unwrap();
    let crd: CustomResourceDefinition = serde_yaml::from_str(&crd).unwrap();
    match Api::all(rig.admin.clone())
        .create(&Default::default(), &crd)
        .await
    {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        Err(error) => panic!("{error}"),
    }
    let known = definitions(rig, &rig.namespace);
    task::wait_for(|| async { known.list(&Default::default()).await.is_ok() }).await;
    let namespace = format!("{}-keptn", rig.namespace);
    let created: Namespace =
        serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
    let namespaces = Api::all(rig.admin.clone());
    namespaces
        .create(&Default::default(), &created)
        .await
        .unwrap();
    namespace
}

#[tokio::test]
async fn definitions_are_found_at_home_then_in_keptns_namespace() {
    let Some(rig) = rig("definitions of the cluster").await else {
        return;
    };
    let keptn = keptn(&rig).await;
    let settings = ClusterTasksSettings {
        keptn_namespace: keptn.clone(),
        ..ClusterTasksSettings::default()
    };
    let run = Run::with_settings(&rig, settings).await;

    // Nothing there, and Keptn's namespace may not be looked into.
    let end = run.run("check", None).await;
    assert_eq!(
        (end.outcome, end.report.reason.as_str()),
        (Outcome::Error, "DefinitionNotFound")
    );
    for part in [
        "KeptnTaskDefinition check",
        &rig.namespace,
        &keptn,
        "forbidden",
    ] {
        assert!(end.report.message.contains(part), "{}", end.report.message);
    }
    let rule = json!({
        "apiGroups": ["lifecycle.keptn.sh"], "resources": ["keptntaskdefinitions"], "verbs": ["get"],
    });
    task::bind(&rig, &keptn, HOOK, &[rule]).await;
    task::wait_for(|| async {
        let message = run.run("check", None).await.report.message;
        !message.contains("forbidden")
    })
    .await;
    let end = run.run("check", None).await;
    assert_eq!(
        end.report.message,
        format!(
            "there is no KeptnTaskDefinition check in the chart, in the namespace {}, in the namespace {keptn}; add it to the chart or to the cluster",
            rig.namespace
        )
    );

    // In Keptn's namespace, with a function of another one there.
    let code = json!({"deno": {"inline": {"code": "echo $DATA; exit 3"}, "parameters": {"map": {"from": "keptn"}}}});
    define(&rig, &keptn, "code", code).await;
    let child = json!({"deno": {"functionRef": {"name": "code"}, "parameters": {"map": {"to": "shop"}}}, "retries": 0});
    define(&rig, &keptn, "check", child).await;
    let end = run.run("check", None).await;
    assert_eq!(
        end.report.message,
        r#"the container ended with exit code 3: {"from":"keptn","to":"shop"}"#
    );
    let job = &end.report.details["job"];
    let job: k8s_openapi::api::batch::v1::Job = rig.api().get(job).await.unwrap();
    assert_eq!(job.metadata.labels.unwrap()["team"], "shop");

    // At home wins.
    define(&rig, &rig.namespace, "other", shell("exit 0")).await;
    define(&rig, &keptn, "other", shell("exit 1")).await;
    assert_eq!(run.run("other", None).await.outcome, Outcome::Pass);

    // A parent that is nowhere is named with both places.
    define(
        &rig,
        &keptn,
        "lost",
        json!({"deno": {"functionRef": {"name": "nowhere"}}}),
    )
    .await;
    let end = run.run("lost", None).await;
    assert_eq!(end.report.reason, "DefinitionNotFound");
    for part in ["KeptnTaskDefinition nowhere", &rig.namespace, &keptn] {
        assert!(end.report.message.contains(part), "{}", end.report.message);
    }
}

#[tokio::test]
async fn a_cluster_without_keptn_has_no_definitions() {
    let Some(rig) = rig("a cluster without Keptn's kinds").await else {
        return;
    };
    // By a service account that may ask for anything, and a kind that no version has.
    let run = Run::with(&rig, rig.cluster().await, ClusterTasksSettings::default());
    let end = run.run("none", None).await;
    assert_eq!(
        (end.outcome, end.report.reason.as_str()),
        (Outcome::Error, "DefinitionNotFound"),
        "{end:?}"
    );
    assert!(
        end.report.message.contains("keptn-system"),
        "{}",
        end.report.message
    );
}
