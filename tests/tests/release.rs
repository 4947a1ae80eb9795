//! What a release is made of, beside the programs: the list of contents, and the workflow.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;
use stagelink_tests::{output, peer, repository, stderr};

fn contents() -> Vec<u8> {
    let output = output(
        Command::new(repository().join("images/sbom"))
            .arg("amd64")
            .current_dir(repository()),
    );
    assert!(output.status.success(), "{}", stderr(&output));
    output.stdout
}

#[test]
fn the_list_of_contents_names_what_is_in_the_image() {
    if peer("jq", "the list of the image's contents").is_none() {
        return;
    }
    let text = contents();
    assert_eq!(text, contents(), "the same sources give the same bytes");
    let list: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(list["bomFormat"], "CycloneDX");
    let components = list["components"].as_array().unwrap();
    let names: BTreeSet<&str> = components
        .iter()
        .map(|component| component["name"].as_str().unwrap())
        .collect();
    for name in ["stagelink", "stagelink-cmp", "stagelink-hooks", "rustls"] {
        assert!(names.contains(name), "{name} is in no {names:?}");
    }
    // Only for tests, and only for the compiler.
    for name in ["syn", "stagelink-tests", "criterion"] {
        assert!(!names.contains(name), "{name}");
    }
    let references: BTreeSet<&str> = components
        .iter()
        .map(|component| component["bom-ref"].as_str().unwrap())
        .collect();
    assert_eq!(references.len(), components.len(), "each once");
    for component in components {
        let address = component["purl"].as_str().unwrap();
        if address.starts_with("pkg:cargo/") {
            assert!(component["licenses"].is_array(), "{address} has no licence");
        }
    }
    if peer("dpkg-query", "the packages in the image").is_some() {
        assert!(names.contains("ca-certificates"));
    }
}

#[test]
fn the_release_runs_only_pinned_actions() {
    let text = fs::read_to_string(repository().join(".github/workflows/release.yml")).unwrap();
    let workflow: Value = serde_yaml::from_str(&text).unwrap();
    let mut actions = 0;
    for job in workflow["jobs"].as_object().unwrap().values() {
        for step in job["steps"].as_array().unwrap() {
            let Some(action) = step["uses"].as_str() else {
                continue;
            };
            actions += 1;
            let commit = action.split_once('@').unwrap().1;
            assert!(
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{action} is not pinned to a commit"
            );
        }
    }
    assert!(actions > 0);
    // What it calls is there.
    for script in ["images/build", "images/sbom", "images/publish"] {
        assert!(text.contains(script));
        assert!(repository().join(script).is_file());
    }
}
