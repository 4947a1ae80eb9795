//! `stagelink template` beside `helm template`: the same flags give the same bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use stagelink_tests::{command, output, peer, repository, stderr};

/// Runs a program in a folder with the files that the flags name; gives what it printed, or that it
/// refused.
fn rendered(program: &mut Command, folder: &Path) -> Result<String, String> {
    let output = output(program.current_dir(folder));
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(stderr(&output))
    }
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("one.yaml", "colour: one\nnested: {text: one}\n"),
        ("two.yaml", "colour: two\n"),
        ("text.txt", "a,b\n{c}\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn the_flags_mean_what_they_mean_to_helm() {
    let Some(helm) = peer("helm", "the flags of template against Helm") else {
        return;
    };
    let folder = folder();
    let chart = repository().join("tests/charts/helm-flags");
    // Helm leaves CRDs out and Argo CD does not, so that both say it here.
    for (flags, passes) in [
        (&["--include-crds"][..], true),
        (&["--skip-crds"], true),
        (&["--skip-crds", "--namespace", "shop"], true),
        (&["--skip-crds", "--no-hooks"], true),
        (&["--skip-crds", "--skip-tests"], true),
        (&["--skip-crds", "--is-upgrade"], true),
        (&["--skip-crds", "-f", "one.yaml", "-f", "two.yaml"], true),
        (&["--skip-crds", "--values", "two.yaml,one.yaml"], true),
        (
            &[
                "--skip-crds",
                "--set",
                "colour=red,list={a,b},nested.number=2",
            ],
            true,
        ),
        (&["--skip-crds", "--set", "list[1]=x,nested=null"], true),
        (&["--skip-crds", "--set-string", "nested.number=007"], true),
        (&["--skip-crds", "--set-file", "colour=text.txt"], true),
        (
            &[
                "--skip-crds",
                "--set-json",
                r#"nested={"a":[1,{"b":null}]},list=[]"#,
            ],
            true,
        ),
        (
            &["--skip-crds", "--set-json", r#"{"nested":{"text":"json"}}"#],
            true,
        ),
        (
            &["--skip-crds", "--set-literal", r"colour={a,b}\,c.d=e[0]"],
            true,
        ),
        (
            &[
                "--skip-crds",
                "--set-literal",
                "colour=literal",
                "--set",
                "colour=set",
                "--set-json",
                "colour=\"json\"",
                "--set-string",
                "colour=text",
                "-f",
                "one.yaml",
            ],
            true,
        ),
        (&["--skip-crds", "--kube-version", "1.31.2"], true),
        (
            &["--skip-crds", "-a", "example.com/v1,example.org/v1/Other"],
            true,
        ),
        (
            &[
                "--skip-crds",
                "-a",
                "example.com/v1",
                "--api-versions",
                "other/v1",
            ],
            true,
        ),
        (&["--skip-crds", "--set", "colour=1"], false),
        (
            &[
                "--skip-crds",
                "--set",
                "colour=1",
                "--skip-schema-validation",
            ],
            true,
        ),
        (&["--skip-crds", "-s", "templates/config.yaml"], true),
        (
            &[
                "--skip-crds",
                "-s",
                "templates/hook.yaml",
                "-s",
                "templates/config.yaml",
            ],
            true,
        ),
        (&["--skip-crds", "-s", "templates/none.yaml"], false),
    ] {
        let theirs = rendered(
            Command::new(&helm)
                .args(["template", "shop"])
                .arg(&chart)
                .args(flags),
            folder.path(),
        );
        let ours = rendered(
            command()
                .args(["template", "shop"])
                .arg(&chart)
                .arg("--chart-only")
                .args(flags),
            folder.path(),
        );
        assert_eq!(theirs.is_ok(), passes, "{flags:?}: {theirs:?}");
        match theirs {
            // Helm writes what was selected with more empty lines between the documents.
            Ok(theirs) if flags.contains(&"-s") => {
                let lines = |text: &str| -> Vec<String> {
                    let lines = text.lines().filter(|line| !line.is_empty());
                    lines.map(str::to_owned).collect()
                };
                assert_eq!(lines(&ours.unwrap()), lines(&theirs), "{flags:?}");
            }
            Ok(theirs) => assert_eq!(ours, Ok(theirs), "{flags:?}"),
            Err(_) => assert!(ours.is_err(), "{flags:?}: {ours:?}"),
        }
    }
}

/// The files below a folder, by their paths in it.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn output_goes_to_files_as_with_helm() {
    let Some(helm) = peer("helm", "the files of template against Helm") else {
        return;
    };
    let folder = folder();
    let chart = repository().join("tests/charts/helm-flags");
    let flags = ["--include-crds", "--output-dir"];
    rendered(
        Command::new(&helm)
            .args(["template", "shop"])
            .arg(&chart)
            .args(flags)
            .arg("theirs"),
        folder.path(),
    )
    .unwrap();
    let said = rendered(
        command()
            .args(["template", "shop"])
            .arg(&chart)
            .arg("--chart-only")
            .args(flags)
            .arg("ours"),
        folder.path(),
    )
    .unwrap();
    let (ours, theirs) = (
        files(&folder.path().join("ours")),
        files(&folder.path().join("theirs")),
    );
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        theirs.keys().collect::<Vec<_>>()
    );
    for (name, text) in &theirs {
        // Helm ends each file with an empty line.
        assert_eq!(ours[name].trim_end(), text.trim_end(), "{name}");
        assert!(said.contains(&format!("wrote ours/{name}")), "{said}");
    }
}

#[test]
fn flags_that_the_plugin_has_reach_it() {
    let folder = folder();
    let chart = repository().join("tests/charts/helm-flags");
    let text = rendered(
        command().args(["template", "shop"]).arg(&chart).args([
            "--set-json",
            r#"list=["json"]"#,
            "--set-literal",
            "nested.text={$a,b}",
            "-f",
            "one.yaml,two.yaml",
            "-s",
            "templates/config.yaml",
        ]),
        folder.path(),
    )
    .unwrap();
    let document: serde_json::Value =
        serde_yaml::from_str(text.trim_start_matches("---\n")).unwrap();
    assert_eq!(document["metadata"]["name"], "shop");
    let values: serde_json::Value =
        serde_json::from_str(document["data"]["values"].as_str().unwrap()).unwrap();
    assert_eq!(values["colour"], "two");
    assert_eq!(values["list"], serde_json::json!(["json"]));
    assert_eq!(values["nested"]["text"], "{$a,b}");
    // What Argo CD never asks of a plugin needs the chart alone.
    for flag in ["--no-hooks", "--is-upgrade"] {
        let error = rendered(
            command().arg("template").arg(&chart).arg(flag),
            folder.path(),
        )
        .unwrap_err();
        assert!(error.contains("--chart-only"), "{error}");
    }
    let twice = rendered(
        command()
            .args(["template", "shop"])
            .arg(&chart)
            .args(["--release-name", "other"]),
        folder.path(),
    )
    .unwrap_err();
    assert!(twice.contains("named twice"), "{twice}");
}
