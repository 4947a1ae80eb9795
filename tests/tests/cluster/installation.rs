//! What installs Stagelink, as an API server takes it.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;
use stagelink_tests::cluster::{Cluster, PROBE};
use stagelink_tests::{command, output, repository, stderr};

/// The installation chart with everything that it has, for one namespace.
fn manifests(namespace: &str) -> String {
    let settings = json!({
        "namespaces": [{"name": namespace, "applications": ["shop"], "secrets": ["token"]}],
        "serviceAccount": {"create": true},
        "networkPolicy": {"restrictEgress": true, "egress": [{"ports": [{"port": 9090}]}]},
        "keptn": {"crds": true, "readDefinitions": true, "namespace": namespace},
    });
    let mut template = command();
    let rendered = output(
        template
            .current_dir(repository())
            .args(["template", "stagelink", "charts/stagelink", "--chart-only"])
            .args(["--namespace", namespace])
            .args(["--set-json", &settings.to_string()]),
    );
    assert!(rendered.status.success(), "{}", stderr(&rendered));
    String::from_utf8(rendered.stdout).unwrap()
}

#[test]
fn an_api_server_takes_the_chart_and_its_rights_are_narrow() {
    let Some(cluster) = Cluster::require("the installation chart") else {
        return;
    };
    let namespace = cluster.namespace("install");
    let manifests = manifests(namespace.name());

    // All of it, CRDs too, without changing a cluster that others use.
    let arguments = "apply --server-side --force-conflicts --dry-run=server -f -";
    let mut apply = cluster.kubectl(&arguments.split(' ').collect::<Vec<_>>());
    let mut child = apply
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(manifests.as_bytes()).unwrap();
    drop(stdin);
    let applied = child.wait_with_output().unwrap();
    assert!(applied.status.success(), "{}", stderr(&applied));
    let said = String::from_utf8(applied.stdout).unwrap();
    assert_eq!(said.matches("customresourcedefinition").count(), 11);

    // For good only what is in the namespace.
    let access: String = manifests
        .split("\n---\n")
        .filter(|document| !document.contains("kind: CustomResourceDefinition"))
        .map(|document| format!("{document}\n---\n"))
        .collect();
    cluster.apply(namespace.name(), &access);
    let user = format!("system:serviceaccount:{}:stagelink-hooks", namespace.name());
    for (words, may) in [
        ("create jobs", true),
        ("list pods", true),
        ("get pods --subresource=log", true),
        ("get configmaps/shop-stagelink-ledger", true),
        ("patch configmaps/shop-stagelink-ledger", true),
        ("patch configmaps/other-stagelink-ledger", false),
        ("delete configmaps/shop-stagelink-ledger", false),
        ("get secrets/token", true),
        ("get secrets/other", false),
        ("list secrets", false),
        ("create pods", false),
        ("patch deployments", false),
        ("get nodes", false),
    ] {
        // Its exit code is that of the answer.
        let arguments = format!("auth can-i {words} --quiet --as {user} --namespace");
        let mut arguments: Vec<&str> = arguments.split(' ').collect();
        arguments.push(namespace.name());
        let answer = output(&mut cluster.kubectl(&arguments));
        assert_eq!(answer.status.success(), may, "{words}: {}", stderr(&answer));
    }
}

#[test]
fn an_api_server_takes_the_sidecar() {
    let Some(cluster) = Cluster::require("the sidecar's patch") else {
        return;
    };
    let namespace = cluster.namespace("install");
    // What the patch relies on: the container and the volumes of Argo CD.
    cluster.apply(
        namespace.name(),
        &json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "argocd-repo-server"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": "repo-server"}},
                "template": {
                    "metadata": {"labels": {"app": "repo-server"}},
                    "spec": {
                        "containers": [{"name": "argocd-repo-server", "image": PROBE}],
                        "volumes": [
                            {"name": "var-files", "emptyDir": {}},
                            {"name": "plugins", "emptyDir": {}},
                        ],
                    },
                },
            },
        })
        .to_string(),
    );
    let patch = repository().join("charts/stagelink/install/sidecar.yaml");
    cluster.run(&[
        "--namespace",
        namespace.name(),
        "patch",
        "deployment",
        "argocd-repo-server",
        "--patch-file",
        patch.to_str().unwrap(),
    ]);
    let deployment = cluster
        .get(namespace.name(), "deployment", "argocd-repo-server")
        .unwrap();
    let pod = &deployment["spec"]["template"]["spec"];
    let names = |list: &str| -> Vec<String> {
        let items = pod[list].as_array().unwrap().iter();
        let mut names: Vec<String> = items
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("containers"), ["argocd-repo-server", "stagelink"]);
    assert_eq!(
        names("volumes"),
        ["plugins", "stagelink-seed", "stagelink-tmp", "var-files"]
    );
}
