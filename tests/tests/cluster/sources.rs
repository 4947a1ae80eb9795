//! Where charts come from, and where Applications are: an OCI registry, a Helm repository, several sources, another
//! namespace than Argo CD's, manifests that were rendered before they were committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use stagelink_tests::cluster::{Application, Cluster, Ended, PROBE, Repository, parameter};
use stagelink_tests::{output, repository, stagelink, stderr};

const CHART: &str = "apiVersion: v2\nname: shop\nversion: 2024.1.5\n";

/// A task, so that there is a hook before the sync, and something to deploy.
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
  name: {{ .Release.Name }}-settings
data:
  greeting: hello
"#;

/// Writes the chart's files into a folder.
fn write_chart(folder: &Path) {
    fs::create_dir_all(folder.join("templates")).unwrap();
    fs::write(folder.join("Chart.yaml"), CHART).unwrap();
    let template = TEMPLATE.replace("@PROBE@", PROBE);
    fs::write(folder.join("templates/all.yaml"), template).unwrap();
}

fn repository_with_chart(cluster: &Cluster) -> Repository {
    let repository = Repository::new(cluster, "sources");
    write_chart(&repository.path("app"));
    repository
}

fn plugin(parameters: &[Value]) -> Value {
    json!({"name": "stagelink", "parameters": parameters})
}

fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn assert_succeeded(ended: &Ended) {
    assert_eq!(
        ended.phase, "Succeeded",
        "{}: {:#?}",
        ended.message, ended.resources
    );
    assert!(ended.hook("PreSync").is_some(), "{:#?}", ended.resources);
    assert!(ended.hook("PostSync").is_some(), "{:#?}", ended.resources);
}

/// The only attempt of the only delivery that a namespace's ledger tells of: it has passed, with both hooks.
fn only_attempt(ledger: &Value) -> Value {
    assert_eq!(ledger["deliveries"].as_array().unwrap().len(), 1);
    let attempts = ledger["deliveries"][0]["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "{ledger:#}");
    let attempt = attempts[0].clone();
    assert_eq!(attempt["outcome"], "pass", "{attempt:#}");
    let jobs = attempt["operation"]["jobs"].as_object().unwrap();
    let hooks: Vec<&String> = jobs.keys().collect();
    assert_eq!(hooks, ["PostSync", "PreSync"]);
    attempt
}

/// How often the chart's task has run in a namespace.
fn tasks_run(cluster: &Cluster, namespace: &str) -> usize {
    let jobs = cluster.list(namespace, "jobs", "");
    let tasks = jobs.iter().filter(|job| {
        let name = job["metadata"]["annotations"]["keptn.sh/task-name"].as_str();
        name.is_some_and(|name| name.starts_with("pre-before-"))
    });
    tasks.count()
}

/// An OCI artifact of the chart, served by the rig as image `name` with the tag `latest`; its digest.
fn publish_artifact(cluster: &Cluster, name: &str) -> String {
    let work = tempfile::tempdir().unwrap();
    write_chart(work.path());
    let archive = work.path().join("artifact.tar");
    let file = |name: &str| format!("{}=/{name}", work.path().join(name).display());
    let image = format!("{name}:latest");
    run(Command::new(repository().join("tests/rig/oci-archive"))
        .arg(&archive)
        .args(["0", "/none", &image, "--"])
        .args([file("Chart.yaml"), file("templates/all.yaml")]));
    let folder = Path::new(cluster.address("RIG_GIT_FOLDER")).join(name);
    fs::create_dir(&folder).unwrap();
    run(Command::new("tar")
        .arg("-xf")
        .arg(&archive)
        .arg("-C")
        .arg(&folder));
    let index: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("index.json")).unwrap()).unwrap();
    index["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

/// A Helm repository with the chart, served by the rig in the folder `name`.
fn publish_chart(cluster: &Cluster, name: &str) {
    let work = tempfile::tempdir().unwrap();
    write_chart(&work.path().join("shop"));
    let folder = Path::new(cluster.address("RIG_GIT_FOLDER")).join(name);
    fs::create_dir(&folder).unwrap();
    run(Command::new("tar")
        .arg("-czf")
        .arg(folder.join("shop-2024.1.5.tgz"))
        .arg("-C")
        .arg(work.path())
        .arg("shop"));
    let index = json!({"apiVersion": "v1", "entries": {"shop": [{
        "apiVersion": "v2", "name": "shop", "version": "2024.1.5", "urls": ["shop-2024.1.5.tgz"],
    }]}});
    fs::write(folder.join("index.yaml"), index.to_string()).unwrap();
}

/// Argo CD makes the names of hooks from the revision's first characters, which are `sha256:` and `2024.1.` here:
/// Kubernetes takes neither in a name.
#[test]
fn a_digest_and_a_chart_version_are_delivered_once_each() {
    let Some(cluster) = Cluster::require("an OCI artifact and a Helm repository") else {
        return;
    };
    let server = cluster.address("RIG_GIT_FROM_PODS").to_owned();
    let namespaces = [
        cluster.future_namespace("digest"),
        cluster.future_namespace("version"),
    ];
    let [artifact, chart] = [0, 1].map(|which| namespaces[which].name().to_owned());
    let digest = publish_artifact(&cluster, &artifact);
    publish_chart(&cluster, &chart);
    let url = format!("oci://{}/{artifact}", server.replace("http://", ""));
    cluster.apply(
        "argocd",
        &json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": artifact, "labels": {"argocd.argoproj.io/secret-type": "repository"}},
            "stringData": {"type": "oci", "url": url, "insecureOCIForceHttp": "true"},
        })
        .to_string(),
    );
    let stage = plugin(&[parameter("stage", "dev")]);
    let applications = [
        (
            &artifact,
            json!({"repoURL": url, "path": ".", "targetRevision": "latest", "plugin": stage}),
        ),
        (
            &chart,
            json!({"repoURL": format!("{server}/{chart}"), "chart": "shop", "targetRevision": "2024.1.5", "plugin": stage}),
        ),
    ]
    .map(|(name, source)| {
        Application::with_spec(&cluster, "argocd", name, name, json!({"source": source}))
    });
    // The second sync finds what the first has left under the same names, and that all has been delivered.
    for _ in 0..2 {
        let begun = applications
            .each_ref()
            .map(|application| application.begin_sync(&json!({})));
        for (application, id) in applications.iter().zip(begun) {
            assert_succeeded(&application.end_of_sync(&id));
        }
    }
    for (application, revision) in applications.iter().zip([digest.as_str(), "2024.1.5"]) {
        let attempt = only_attempt(&cluster.ledger(application.name(), application.name()));
        assert_eq!(attempt["revision"], revision);
    }
    cluster.run(&["--namespace", "argocd", "delete", "secret", &artifact]);
}

#[test]
fn applications_outside_of_argo_cds_namespace_stay_apart() {
    let Some(cluster) = Cluster::require("Applications in other namespaces") else {
        return;
    };
    let repository = repository_with_chart(&cluster);
    let revision = repository.push("shop");
    let target = cluster.namespace("shops");
    // `<namespace>_<name>` of both is the same but for where the underscore is.
    let team = cluster.namespace("team");
    let longer = cluster.named_namespace(&format!("{}-a", team.name()));
    let source = json!({
        "repoURL": repository.url(), "path": "app", "targetRevision": "main",
        "plugin": plugin(&[parameter("stage", "dev")]),
    });
    let applications =
        [(team.name(), "a-shop"), (longer.name(), "shop")].map(|(namespace, name)| {
            let spec = json!({"source": source});
            Application::with_spec(&cluster, namespace, name, target.name(), spec)
        });
    let begun = applications
        .each_ref()
        .map(|application| application.begin_sync(&json!({})));
    for (application, id) in applications.iter().zip(begun) {
        assert_succeeded(&application.end_of_sync(&id));
    }

    let maps: BTreeSet<String> = cluster
        .list(target.name(), "configmaps", "")
        .iter()
        .map(|map| map["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        maps.contains("a-shop-settings") && maps.contains("shop-settings"),
        "{maps:?}"
    );
    let ledgers: Vec<&str> = maps
        .iter()
        .filter_map(|name| name.strip_suffix("-stagelink-ledger"))
        .collect();
    assert_eq!(ledgers.len(), 2, "{maps:?}");
    let mut names = BTreeSet::new();
    for ledger in ledgers {
        let attempt = only_attempt(&cluster.ledger(target.name(), ledger));
        assert_eq!(attempt["revision"], revision.as_str());
        names.insert(attempt["application"].as_str().unwrap().to_owned());
    }
    let both = ["a-shop", "shop"].map(str::to_owned);
    assert_eq!(names, BTreeSet::from(both));
    assert_eq!(tasks_run(&cluster, target.name()), 2);
}

#[test]
fn one_of_several_sources_is_delivered_and_the_others_are_applied() {
    let Some(cluster) = Cluster::require("an Application of several sources") else {
        return;
    };
    let charts = repository_with_chart(&cluster);
    let revision = charts.push("shop");
    let others = Repository::new(&cluster, "others");
    others.write("values/shop.yaml", "greeting: good day\n");
    others.write(
        "plain/notice.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notice}\ndata: {open: always}\n",
    );
    others.push("others");
    let namespace = cluster.future_namespace("several");
    let sources = |parameters: &[Value]| {
        json!({"sources": [
            {"repoURL": others.url(), "path": "plain", "targetRevision": "main"},
            {"repoURL": charts.url(), "path": "app", "targetRevision": "main", "plugin": plugin(parameters)},
            {"repoURL": others.url(), "targetRevision": "main", "ref": "values"},
        ]})
    };
    let application = Application::with_spec(
        &cluster,
        "argocd",
        namespace.name(),
        namespace.name(),
        sources(&[parameter("stage", "dev")]),
    );
    let asking = Application::with_spec(
        &cluster,
        "argocd",
        &format!("{}-ref", namespace.name()),
        namespace.name(),
        sources(&[json!({"name": "value-files", "array": ["$values/values/shop.yaml"]})]),
    );
    let id = application.begin_sync(&json!({}));
    assert_succeeded(&application.end_of_sync(&id));
    let attempt = only_attempt(&cluster.ledger(namespace.name(), application.name()));
    assert_eq!(attempt["revision"], revision.as_str());
    for map in ["notice", &format!("{}-settings", application.name())] {
        let found = cluster.get(namespace.name(), "configmap", map);
        assert!(found.is_some(), "no ConfigMap {map}");
    }

    // Argo CD gives a plugin no other source's files, which the plugin says.
    let seen = asking.wait("says that it cannot have the values file", |application| {
        application["status"]["conditions"].is_array()
    });
    let conditions = seen["status"]["conditions"].to_string();
    assert!(
        conditions.contains("$values/values/shop.yaml"),
        "{conditions}"
    );
}

/// As Argo CD's Source Hydrator does it: the plugin is told nothing of the cluster, what it prints is committed, and
/// another commit is synced than the one that was rendered.
#[test]
fn manifests_that_were_rendered_before_are_delivered() {
    let Some(cluster) = Cluster::require("hydrated manifests") else {
        return;
    };
    let dry = repository_with_chart(&cluster);
    let rendered_revision = dry.push("dry");
    let hydrated = Repository::new(&cluster, "hydrated");
    let namespace = cluster.future_namespace("hydrated");
    let render = |revision: &str| {
        run(Command::new(stagelink().with_file_name("stagelink-cmp"))
            .arg("generate")
            .current_dir(dry.path("app"))
            .env_clear()
            .env("ARGOCD_APP_NAME", "shop")
            .env("ARGOCD_APP_NAMESPACE", namespace.name())
            .env("ARGOCD_APP_REVISION", revision)
            .env(
                "ARGOCD_APP_PARAMETERS",
                r#"[{"name":"stage","string":"dev"},{"name":"keptn-resources","string":"omit"}]"#,
            )
            .env("KUBE_VERSION", "")
            .env("KUBE_API_VERSIONS", ""))
    };
    hydrated.write("shop/manifest.yaml", &render(&rendered_revision));
    hydrated.push("hydrated");
    let application = Application::with_spec(
        &cluster,
        "argocd",
        namespace.name(),
        namespace.name(),
        json!({"source": {"repoURL": hydrated.url(), "path": "shop", "targetRevision": "main"}}),
    );
    assert_succeeded(&application.sync());
    let attempt = only_attempt(&cluster.ledger(namespace.name(), "shop"));
    assert_eq!(attempt["revision"], rendered_revision.as_str());

    // Another commit of the same content is hydrated again, as the revision stands in plan; nothing is delivered.
    dry.write("README.md", "not of the chart\n");
    hydrated.write("shop/manifest.yaml", &render(&dry.push("more")));
    hydrated.push("hydrated again");
    assert_succeeded(&application.sync());
    let attempt = only_attempt(&cluster.ledger(namespace.name(), "shop"));
    assert_eq!(attempt["revision"], rendered_revision.as_str());
    assert_eq!(tasks_run(&cluster, namespace.name()), 1);
}
