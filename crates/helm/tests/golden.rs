//! Byte for byte what the real Helm 4.3.1 prints. `golden/make.sh` makes the expected files.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests may fail as tests do"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use stagelink_helm::chart::File;
use stagelink_helm::values::ValueSources;
use stagelink_helm::{Capabilities, Chart, ParsedChart, Release, RenderError, RenderInput};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = golden().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A line of `cases.txt`: name of the case, and the arguments of `helm template`.
struct Case {
    name: String,
    arguments: Vec<String>,
}

fn cases() -> Vec<Case> {
    let text = read("cases.txt");
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let cases = lines.map(|line| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Case {
            name: words.next().unwrap(),
            arguments: words.collect(),
        }
    });
    cases.collect()
}

/// Renders as `helm template` with these arguments would.
fn render(arguments: &[String]) -> Result<String, RenderError> {
    let mut input = RenderInput {
        release: Release {
            name: arguments[0].clone(),
            ..Release::default()
        },
        ..RenderInput::default()
    };
    let mut values = ValueSources::default();
    let (mut kube_version, mut api_versions) = (None, Vec::new());
    let mut rest = arguments[2..].iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-n" => input.release.namespace.clone_from(rest.next().unwrap()),
            "--set" => values.set.push(rest.next().unwrap().clone()),
            "--api-versions" => api_versions.push(rest.next().unwrap().as_str()),
            "--kube-version" => kube_version = rest.next().map(String::as_str),
            "--is-upgrade" => input.release.is_upgrade = true,
            "--include-crds" => input.include_crds = true,
            "--skip-tests" => input.skip_tests = true,
            "--no-hooks" => input.skip_hooks = true,
            other => panic!("the test does not know {other}"),
        }
    }
    input.capabilities = Capabilities::new(kube_version, api_versions).unwrap();
    input.values = Some(values.merge(&|path| std::fs::read(path)).unwrap());
    let chart = ParsedChart::new(Chart::load(golden().join(&arguments[1])).unwrap());
    let first = chart.render(&input)?.to_yaml();
    assert_eq!(
        chart.render(&input)?.to_yaml(),
        first,
        "a second render of the parsed chart differs"
    );
    Ok(first)
}

fn differences(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), found.lines().collect());
    let mut report = String::new();
    for index in 0..expected.len().max(found.len()) {
        let (wanted, got) = (expected.get(index), found.get(index));
        if wanted != got {
            report += &format!(
                "line {}\n  helm: {}\n  ours: {}\n",
                index + 1,
                wanted.unwrap_or(&"(end)"),
                got.unwrap_or(&"(end)")
            );
        }
    }
    report
}

#[test]
fn output_is_that_of_helm() {
    let mut report = String::new();
    for case in cases() {
        let expected = read(format!("expected/{}.yaml", case.name));
        match render(&case.arguments) {
            Ok(found) if found == expected => {}
            Ok(found) => report += &format!("== {}\n{}", case.name, differences(&expected, &found)),
            Err(error) => {
                report += &format!(
                    "== {}\n{error}\n{}\n",
                    case.name,
                    error.helm_text().unwrap_or_default()
                )
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}

/// With `STAGELINK_HELM` naming a `helm`, the same again with what it prints now.
#[test]
fn output_is_that_of_the_helm_at_hand() {
    let Some(helm) = std::env::var_os("STAGELINK_HELM") else {
        return;
    };
    for case in cases() {
        let output = Command::new(&helm)
            .arg("template")
            .args(&case.arguments)
            .current_dir(golden())
            .env("TZ", "UTC")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}: {}",
            case.name,
            String::from_utf8_lossy(&output.stderr)
        );
        let found = render(&case.arguments).unwrap();
        assert_eq!(
            found,
            String::from_utf8_lossy(&output.stdout),
            "{}",
            case.name
        );
    }
}

/// Expressions of `errors/expressions.txt` with what Helm says to each; nothing when it renders.
fn errors() -> BTreeMap<String, String> {
    let text = read("errors/expected.txt");
    let blocks = text.split(">>> ").skip(1);
    blocks
        .map(|block| block.split_once('\n').unwrap())
        .map(|(line, said)| (line.to_owned(), said.trim_end().to_owned()))
        .collect()
}

#[test]
fn errors_are_those_of_helm() {
    let mut report = String::new();
    let errors = errors();
    for (expression, expected) in &errors {
        let file = |name: &str, text: &str| File {
            name: name.to_owned(),
            data: text.as_bytes().into(),
        };
        let chart = Chart::from_files(vec![
            file(
                "Chart.yaml",
                "apiVersion: v2\nname: errors\nversion: 1.0.0\n",
            ),
            file("values.yaml", &read("errors/values.yaml")),
            file("templates/_helpers.tpl", &read("errors/helpers.tpl")),
            file("templates/a.yaml", &format!("{expression}\n")),
        ]);
        let release = Release {
            name: "rel".to_owned(),
            namespace: "ns".to_owned(),
            ..Release::default()
        };
        let found = match ParsedChart::new(chart.unwrap()).render(&RenderInput {
            release,
            ..RenderInput::default()
        }) {
            Ok(_) => String::new(),
            Err(error) => {
                let shown = error.to_string();
                assert!(
                    shown.starts_with("errors/templates/") && !shown.contains('\n'),
                    "{shown}"
                );
                format!("Error: {}", error.helm_text().unwrap_or_default())
                    .trim_end()
                    .to_owned()
            }
        };
        if found != *expected {
            report += &format!("{expression}\n  helm: {expected}\n  ours: {found}\n");
        }
    }
    assert!(errors.len() > 100);
    assert!(report.is_empty(), "{report}");
}
