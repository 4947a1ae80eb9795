//! Pods of hooks that are taken away while their tasks run, and a node's kubelet that starts again.

use std::fs;
use std::process::Command;

use serde_json::json;
use stagelink_tests::cluster::Cluster;
use stagelink_tests::{output, stderr, wait_until};

use crate::shop::{Shop, Values, WELL};
use crate::traced::{JAEGER, Stage, begin};

const LASTS: &[&str] = &["/probe", "sleep", "15s"];

/// The pod of the hook that is at work.
fn pod(shop: &Shop) -> String {
    let mut names = Vec::new();
    wait_until("one pod of a hook runs", || {
        let pods = shop.cluster.list(
            shop.namespace.name(),
            "pods",
            "app.kubernetes.io/component=hooks",
        );
        let running = pods.iter().filter(|pod| {
            pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
        });
        names = running
            .map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        names.len() == 1
    });
    names.remove(0)
}

fn delete(shop: &Shop) {
    let pod = pod(shop);
    let namespace = shop.namespace.name();
    let arguments = ["--namespace", namespace, "delete", "pod", &pod];
    shop.cluster
        .run(&[&arguments[..], &["--force", "--grace-period=0"]].concat());
}

/// As a drained node does it.
fn evict(shop: &Shop) {
    let (namespace, pod) = (shop.namespace.name(), pod(shop));
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), eviction.to_string()).unwrap();
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/eviction");
    let from = file.path().to_str().unwrap();
    shop.cluster.run(&["create", "--raw", &path, "-f", from]);
}

/// As when memory runs out.
fn kill(shop: &Shop) {
    let host_name = format!("HOSTNAME={}", pod(shop));
    let of_pod = |process: &fs::DirEntry| {
        let variables = fs::read_to_string(process.path().join("environ")).unwrap_or_default();
        variables.split('\0').any(|variable| variable == host_name)
    };
    let processes: Vec<String> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(of_pod)
        .map(|process| process.file_name().into_string().unwrap())
        .collect();
    assert!(!processes.is_empty(), "no process with {host_name}");
    let killed = output(Command::new("kill").args(["-s", "KILL"]).args(&processes));
    assert!(killed.status.success(), "{}", stderr(&killed));
}

fn restart_kubelet(shop: &Shop) {
    pod(shop);
    let kubelet = shop.cluster.server("kubelet");
    kubelet.kill();
    kubelet.start_again();
}

#[test]
fn deliveries_go_on_when_the_pods_of_their_hooks_are_taken_away() {
    let Some(cluster) = Cluster::require("hooks whose pods are taken away") else {
        return;
    };
    let _turn = crate::turn();
    let values = Values {
        before: LASTS,
        after: LASTS,
        ..WELL
    };
    // The kubelet's restart last: it delays what the others wait for.
    let faults: [fn(&Shop); 4] = [delete, evict, kill, restart_kubelet];
    let stages = faults.map(|_| Stage::new(&cluster, &values, JAEGER));
    let operations = begin(&stages);
    for phase in ["AppPreDeployTasks", "AppPostDeployTasks"] {
        for (stage, fault) in stages.iter().zip(faults) {
            stage.shop.wait_for_phase(phase);
            fault(&stage.shop);
        }
    }
    for (stage, operation) in stages.iter().zip(&operations) {
        stage.assert_delivered_once(operation);
    }
}
