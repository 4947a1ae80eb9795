//! The chart that installs Stagelink, and the forms beside it for people without Helm.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use stagelink_tests::{command, output, peer, repository, stderr};

fn chart() -> PathBuf {
    repository().join("charts/stagelink")
}

fn read(name: &str) -> String {
    fs::read_to_string(chart().join(name)).unwrap()
}

fn parse(text: &str) -> Vec<Value> {
    text.split("\n---\n")
        .map(|document| serde_yaml::from_str(document.trim_start_matches("---\n")).unwrap())
        .filter(|document: &Value| !document.is_null())
        .collect()
}

/// What a program prints about the chart, or why it refuses.
fn template(mut program: Command, flags: &[&str]) -> Result<String, String> {
    let output = output(
        program
            .current_dir(chart())
            .args(["template", "stagelink", ".", "--namespace", "shop"])
            .args(flags),
    );
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(stderr(&output))
    }
}

fn ours(flags: &[&str]) -> Result<String, String> {
    let mut all = vec!["--chart-only"];
    all.extend(flags);
    template(command(), &all)
}

/// Settings that between them reach each line of the templates.
const SETTINGS: &[&[&str]] = &[
    &[],
    &["--values", "install/values.yaml"],
    &["--set", "keptn.crds=true"],
    &[
        "--set",
        "serviceAccount.create=true,serviceAccount.name=hooks,serviceAccount.imagePullSecrets={a,b}",
        "--set",
        "serviceAccount.annotations.example\\.com/role=x,role.rollouts=false,role.keptn=false",
    ],
    &[
        "--set",
        "keptn.readDefinitions=true,keptn.namespace=platform,networkPolicy.enabled=false",
        "--set",
        "namespaces[0].name=one,namespaces[1].name=two",
    ],
    &[
        "--set",
        "networkPolicy.restrictEgress=true,networkPolicy.allowNamespace=false,networkPolicy.apiServerPorts={8443}",
    ],
];

const REFUSED: &[&str] = &[
    "networkPolicy.apiServerPorts={none}",
    "networkPolicy.apiServerPorts={}",
    "namespaces[0].name=Upper",
    "namespaces[0].applications[0]=a",
    "namespaces[0].nam=a",
    "serviceAccount.annotations.a=1",
    "keptn.crd=true",
    "unknown=1",
];

#[test]
fn helm_and_stagelink_give_the_same_bytes() {
    let Some(helm) = peer("helm", "the installation chart against Helm") else {
        return;
    };
    let lint = output(Command::new(&helm).arg("lint").arg(chart()));
    assert!(lint.status.success(), "{lint:?}");
    for flags in SETTINGS {
        let theirs = template(Command::new(&helm), flags).unwrap();
        assert_eq!(ours(flags).unwrap(), theirs, "{flags:?}");
    }
    for setting in REFUSED {
        let refused = template(Command::new(&helm), &["--set", setting]);
        assert!(refused.is_err(), "{setting}: {refused:?}");
    }
}

#[test]
fn wrong_values_are_refused_by_the_schema() {
    for setting in REFUSED {
        let refused = ours(&["--set", setting]);
        assert!(refused.is_err(), "{setting}: {refused:?}");
    }
}

#[test]
fn the_plain_manifests_are_what_the_chart_renders() {
    assert_eq!(
        ours(&["--values", "install/values.yaml"]).unwrap(),
        read("install/manifests.yaml"),
        "write it again: cd charts/stagelink && stagelink template stagelink . --namespace shop \
         --chart-only --values install/values.yaml > install/manifests.yaml"
    );
}

#[test]
fn the_crds_are_keptns_own_with_ours_beside() {
    let rendered = parse(&ours(&["--set", "keptn.crds=true,networkPolicy.enabled=false"]).unwrap());
    let mut files: Vec<PathBuf> = fs::read_dir(chart().join("keptn-crds"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    files.sort();
    assert_eq!(rendered.len(), files.len());
    for file in files {
        let mut own: Value = serde_yaml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let mut found = rendered
            .iter()
            .find(|crd| crd["metadata"]["name"] == own["metadata"]["name"])
            .unwrap()
            .clone();
        // They outlive the chart, and are too large for an annotation of kubectl.
        assert_eq!(
            found["metadata"]["annotations"]["helm.sh/resource-policy"],
            "keep"
        );
        let version = "controller-gen.kubebuilder.io/version";
        assert_eq!(
            found["metadata"]["annotations"][version],
            own["metadata"]["annotations"][version]
        );
        found["metadata"] = Value::Null;
        own["metadata"] = Value::Null;
        assert_eq!(found, own, "{}", file.display());
    }
}

/// The pod of the patch for `kubectl` and kustomize.
fn patched_pod() -> Value {
    let patch: Value = serde_yaml::from_str(&read("install/sidecar.yaml")).unwrap();
    patch["spec"]["template"]["spec"].clone()
}

#[test]
fn the_sidecar_is_the_same_in_all_forms() {
    let pod = patched_pod();
    let values: Value = serde_yaml::from_str(&read("install/argo-cd-values.yaml")).unwrap();
    assert_eq!(
        json!({
            "containers": values["repoServer"]["extraContainers"],
            "volumes": values["repoServer"]["volumes"],
        }),
        pod
    );
}

#[test]
fn the_sidecar_is_restricted_and_of_this_version() {
    let pod = patched_pod();
    let sidecar = &pod["containers"][0];
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        sidecar["image"],
        format!("ghcr.io/stagelink/stagelink:{version}")
    );
    let about: Value = serde_yaml::from_str(&read("Chart.yaml")).unwrap();
    assert_eq!(about["version"], version);
    assert_eq!(about["appVersion"], version);
    // Pod Security "restricted", a root that cannot be written, and the repo-server's user.
    assert_eq!(
        sidecar["securityContext"],
        json!({
            "runAsNonRoot": true,
            "runAsUser": 999,
            "runAsGroup": 999,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
    // The folder in which the image has plugin.yaml.
    assert_eq!(
        sidecar["command"],
        json!([
            "/var/run/argocd/argocd-cmp-server",
            "--config-dir-path",
            "/etc"
        ])
    );
    let build = fs::read_to_string(repository().join("images/root")).unwrap();
    assert!(build.contains("install -m 644 plugin.yaml LICENSE NOTICE \"$root/etc/\""));
}

#[test]
fn kustomize_puts_the_sidecar_beside_the_repo_server() {
    let Some(kustomize) = peer("kustomize", "the installation by kustomize") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("stagelink");
    fs::create_dir(&component).unwrap();
    for name in ["kustomization.yaml", "sidecar.yaml"] {
        fs::copy(chart().join("install").join(name), component.join(name)).unwrap();
    }
    let server = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        // As with `namespace: argocd` in the kustomization of Argo CD.
        "metadata": {"name": "argocd-repo-server", "namespace": "argocd"},
        "spec": {"template": {"spec": {
            "containers": [{"name": "argocd-repo-server", "image": "quay.io/argoproj/argocd:v3.5.7"}],
            "volumes": [{"name": "var-files", "emptyDir": {}}, {"name": "plugins", "emptyDir": {}}],
        }}},
    });
    fs::write(folder.path().join("server.yaml"), server.to_string()).unwrap();
    fs::write(
        folder.path().join("kustomization.yaml"),
        "resources: [server.yaml]\ncomponents: [stagelink]\n",
    )
    .unwrap();
    let output = output(Command::new(kustomize).arg("build").arg(folder.path()));
    assert!(output.status.success(), "{}", stderr(&output));
    let built: Value = serde_yaml::from_slice(&output.stdout).unwrap();
    let pod = &built["spec"]["template"]["spec"];
    let patch = patched_pod();
    for (list, before) in [("containers", 1), ("volumes", 2)] {
        let list_now = pod[list].as_array().unwrap();
        let added = patch[list].as_array().unwrap();
        assert_eq!(list_now.len(), before + added.len());
        for item in added {
            assert!(list_now.contains(item), "{item}");
        }
    }
}

/// True if one of the rules allows a verb on a resource, by name if a name is given.
fn allows(rules: &Value, group: &str, resource: &str, verb: &str, name: Option<&str>) -> bool {
    let has = |list: &Value, wanted: &str| {
        list.as_array()
            .is_some_and(|list| list.iter().any(|item| item == wanted))
    };
    rules.as_array().unwrap().iter().any(|rule| {
        has(&rule["apiGroups"], group)
            && has(&rule["resources"], resource)
            && has(&rule["verbs"], verb)
            && match (&rule["resourceNames"], name) {
                (Value::Null, _) => true,
                (names, Some(name)) => has(names, name),
                (_, None) => false,
            }
    })
}

fn rules(documents: &[Value]) -> Value {
    documents
        .iter()
        .find(|document| document["kind"] == "Role")
        .unwrap()["rules"]
        .clone()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(|item| item.as_str().unwrap())
        .collect()
}

#[test]
fn the_charts_role_grants_what_the_plugins_own_would() {
    for (stage, namespace) in [
        ("simple-go-dev", "simple-go"),
        ("simple-go-prod", "simple-go"),
    ] {
        let rendered = output(
            command()
                .current_dir(repository())
                .args(["template", &format!("charts/{stage}")])
                .args(["--application", stage, "--namespace", namespace]),
        );
        assert!(rendered.status.success(), "{}", stderr(&rendered));
        let plugins = rules(&parse(&String::from_utf8(rendered.stdout).unwrap()));
        let secrets: Vec<&str> = plugins
            .as_array()
            .unwrap()
            .iter()
            .filter(|rule| texts(&rule["resources"]).contains(&"secrets"))
            .flat_map(|rule| texts(&rule["resourceNames"]))
            .collect();
        let namespaces =
            json!([{"name": namespace, "applications": [stage], "secrets": secrets}]).to_string();
        let charts = rules(&parse(
            &ours(&[
                "--set",
                "serviceAccount.create=true",
                "--set-json",
                &format!("namespaces={namespaces}"),
            ])
            .unwrap(),
        ));
        for rule in plugins.as_array().unwrap() {
            let mut names: Vec<Option<&str>> = texts(&rule["resourceNames"])
                .into_iter()
                .map(Some)
                .collect();
            if names.is_empty() {
                names.push(None);
            }
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        for name in &names {
                            assert!(
                                allows(&charts, group, resource, verb, *name),
                                "{stage}: {verb} {group}/{resource} {name:?}"
                            );
                        }
                    }
                }
            }
        }
        // Others' ledgers and secrets are not in it.
        assert!(!allows(&charts, "", "configmaps", "get", Some("other")));
        assert!(!allows(&charts, "", "secrets", "get", Some("other")));
    }
}
