//! Keptn's kinds appear in a cluster: `keptn-resources: auto` emits them where they are known.

use serde_json::{Value, json};
use stagelink_tests::cluster::{Application, Cluster, Ended, PROBE, Repository, parameter};

use crate::{alone, install_kinds};

const TEMPLATE: &str = r#"apiVersion: lifecycle.keptn.sh/v1
kind: KeptnAppContext
metadata:
  name: shop
spec:
  preDeploymentTasks: [before]
---
apiVersion: lifecycle.keptn.sh/v1
kind: KeptnTaskDefinition
metadata:
  name: before
spec:
  retries: 0
  timeout: 1m
  container:
    name: task
    image: @PROBE@
    command: [/probe, die, "0", "done"]
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
"#;

fn assert_delivered_once(
    cluster: &Cluster,
    namespace: &str,
    application: &Application,
    ended: &Ended,
) {
    assert_eq!(
        ended.phase, "Succeeded",
        "{}: {:#?}",
        ended.message, ended.resources
    );
    let ledger = cluster.ledger(namespace, application.name());
    let deliveries = ledger["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 1, "{ledger:#}");
    assert_eq!(deliveries[0]["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(
        deliveries[0]["attempts"][0]["outcome"], "pass",
        "{ledger:#}"
    );
}

fn keptns(resources: &Value) -> usize {
    let resources = resources.as_array().map(Vec::as_slice).unwrap_or_default();
    let kinds = resources
        .iter()
        .filter_map(|resource| resource["kind"].as_str());
    kinds.filter(|kind| kind.starts_with("Keptn")).count()
}

#[test]
fn keptns_resources_are_emitted_once_the_cluster_has_their_kinds() {
    let Some(cluster) = Cluster::require("Keptn's kinds in a cluster") else {
        return;
    };
    let _alone = alone();
    let charts = Repository::new(&cluster, "keptn-kinds");
    charts.write(
        "app/Chart.yaml",
        "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    );
    charts.write(
        "app/templates/all.yaml",
        &TEMPLATE.replace("@PROBE@", PROBE),
    );
    let revision = charts.push("shop");
    let namespace = cluster.future_namespace("keptn-kinds");
    let stage = [parameter("stage", "dev")];
    let application = Application::new(&cluster, "shop", &charts, "app", namespace.name(), &stage);

    // Without them the plan alone tells of the task, which runs. A rig may have some from other tests.
    let kinds = ["keptnappcontexts", "keptntaskdefinitions"];
    let known = kinds.iter().filter(|kind| {
        let name = format!("{kind}.lifecycle.keptn.sh");
        cluster.get("default", "crd", &name).is_some()
    });
    let known = known.count();
    let ended = application.sync();
    assert_delivered_once(&cluster, namespace.name(), &application, &ended);
    assert_eq!(keptns(&json!(ended.resources)), known, "{ended:#?}");

    // Argo CD tells the plugin of them soon, without a commit and without a hard refresh.
    install_kinds(&cluster);
    let mut syncs = std::iter::repeat_with(|| application.sync()).take(12);
    let ended = syncs.find(|ended| keptns(&json!(ended.resources)) == kinds.len());
    let ended = ended.expect("Argo CD never tells of the kinds");
    // The content is what it was: nothing is delivered again.
    assert_delivered_once(&cluster, namespace.name(), &application, &ended);
    let definition = cluster.get(namespace.name(), "keptntaskdefinitions", "before");
    assert_eq!(definition.unwrap()["spec"]["container"]["image"], PROBE);
    let context = cluster.get(namespace.name(), "keptnappcontexts", "shop");
    assert_eq!(
        context.unwrap()["spec"]["metadata"]["commitID"],
        revision.as_str()
    );
}
