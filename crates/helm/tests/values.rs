//! Values, dependencies and schemas against what the real Helm says: `golden/values/make.sh` writes the expectations.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot be set up has to fail"
)]

use stagelink_helm::values::{self, ValueSources, to_json};
use stagelink_helm::{Chart, ChartError, ParsedChart, RenderInput, process_dependencies};
use std::fs;
use std::path::{Path, PathBuf};

/// Writes the files of a txtar archive.
fn unpack(archive: &str, root: &Path) {
    let mut path: Option<PathBuf> = None;
    let mut text = String::new();
    for line in archive.lines().chain(["-- end --"]) {
        if let Some(name) = line
            .strip_prefix("-- ")
            .and_then(|line| line.strip_suffix(" --"))
        {
            if let Some(path) = path.replace(root.join(name)) {
                fs::create_dir_all(path.parent().expect("parent")).expect("directory");
                fs::write(path, &text).expect("file");
                text.clear();
            }
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
}

fn sources(root: &Path) -> ValueSources {
    let mut sources = ValueSources::default();
    let arguments = fs::read_to_string(root.join("args")).unwrap_or_default();
    let arguments: Vec<_> = arguments.lines().collect();
    for pair in arguments.chunks_exact(2) {
        let list = match pair[0] {
            "--values" => &mut sources.files,
            "--set" => &mut sources.set,
            "--set-string" => &mut sources.set_string,
            "--set-json" => &mut sources.set_json,
            "--set-literal" => &mut sources.set_literal,
            "--set-file" => &mut sources.set_file,
            other => unreachable!("{other}"),
        };
        list.push(pair[1].to_owned());
    }
    sources
}

/// What Helm does before it renders.
fn run(root: &Path) -> Result<(serde_json::Value, Vec<String>), ChartError> {
    let chart = Chart::load(root)?;
    let user = sources(root).merge(&|path| fs::read(root.join(path)))?;
    chart.check_dependencies()?;
    let chart = process_dependencies(&chart, &user)?.chart;
    let values = values::coalesce(&chart, &user, &mut Vec::new())?;
    values::validate(&chart, &values)?;
    let mut names: Vec<_> = chart
        .dependencies()
        .iter()
        .map(|child| child.name().to_owned())
        .collect();
    names.sort();
    Ok((to_json(&values.into()), names))
}

/// Numbers without the difference of 1 and 1.0, which JSON does not know.
fn floats(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => number.as_f64().into(),
        serde_json::Value::Array(items) => items.iter().map(floats).collect(),
        serde_json::Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), floats(value)))
            .collect(),
        other => other.clone(),
    }
}

/// Helm's findings in an order that does not change, and without the values that Stagelink does not print.
fn findings(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| match line.split_once(": '") {
            Some((place, rest)) if rest.contains("' does not match pattern") => {
                let (_, pattern) = rest.split_once("' does").expect("pattern");
                format!("{place}: value does{pattern}")
            }
            Some((place, rest)) if rest.contains("' is not valid ") => {
                let (_, format) = rest.split_once("' is not valid ").expect("format");
                format!(
                    "{place}: value is not valid {}",
                    format.split(':').next().unwrap_or(format)
                )
            }
            _ => line.to_owned(),
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn values_are_helms() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/values");
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(golden.join("cases")).expect("cases") {
        let path = entry.expect("case").path();
        let name = path
            .file_stem()
            .expect("name")
            .to_string_lossy()
            .into_owned();
        let expected = fs::read_to_string(golden.join("expected").join(format!("{name}.txt")))
            .expect("expected");
        let root = tempfile::tempdir().expect("directory");
        unpack(&fs::read_to_string(&path).expect("case"), root.path());
        count += 1;
        let is_right = match (run(root.path()), expected.strip_prefix("error: ")) {
            (Ok((values, names)), None) => {
                let line = |name: &str| {
                    expected
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .expect("line")
                };
                let wanted: serde_json::Value =
                    serde_json::from_str(line("values: ")).expect("json");
                let charts: Vec<String> = serde_json::from_str(line("charts: ")).expect("json");
                floats(&values) == floats(&wanted) && names == charts
            }
            (Err(error), Some(text)) => match (error.details(), name.as_str()) {
                // The words for a schema that is none are another library's.
                (Some(_), "schema-broken" | "schema-invalid" | "schema-ref") => true,
                (Some(details), _) => findings(details) == findings(text),
                (None, _) => {
                    // Helm's core of the message, in front of which it puts the flag and behind which it may print the value.
                    let core = text.trim().rsplit("data: ").next().unwrap_or(text);
                    let core = core.rsplit("dependencies: ").next().unwrap_or(core);
                    let core = core.split(": %!t").next().unwrap_or(core);
                    let core = core.replace("['b']", "\"b\"");
                    error.to_string().contains(&core)
                }
            },
            _ => false,
        };
        if !is_right {
            wrong.push(format!(
                "{name}\n  is     {:?}\n  wanted {expected}",
                run(root.path())
            ));
        }
    }
    assert!(count > 40, "{count} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_schemas_finding_is_one_line_without_the_value() {
    let root = tempfile::tempdir().expect("directory");
    let case = "-- Chart.yaml --\nname: app\nversion: 1.0.0\n-- values.schema.json --\n{\"properties\": {\"password\": {\"pattern\": \"^x\"}, \"b\": {\"type\": \"null\"}}}\n-- values.yaml --\npassword: s3cret\nb: 1\n";
    unpack(case, root.path());
    let error = run(root.path()).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "values.schema.json: values don't meet the specifications of the schema of chart app: at '/b': got number, want null (and 1 more); change the values, or correct the schema"
    );
    let details = error.details().expect("details");
    assert!(
        details.contains("\n- at '/password': value does not match pattern '^x'\n")
            && !details.contains("s3cret"),
        "{details}"
    );
}

#[test]
fn rendering_checks_the_schema_unless_told_otherwise() {
    let root = tempfile::tempdir().expect("directory");
    let case = "-- Chart.yaml --\nname: app\nversion: 1.0.0\n-- values.schema.json --\n{\"required\": [\"a\"]}\n";
    unpack(case, root.path());
    let chart = ParsedChart::new(Chart::load(root.path()).expect("chart"));
    let error = chart.render(&RenderInput::default()).expect_err("refused");
    assert!(
        error.to_string().contains("at '': missing property 'a'"),
        "{error}"
    );
    let input = RenderInput {
        skip_schema_validation: true,
        ..RenderInput::default()
    };
    assert!(chart.render(&input).is_ok());
}
