//! Charts, values and what they name.

use std::fs;
use std::process::Command;

use serde_json::Value;
use stagelink_tests::{output, run, stagelink, stderr};

use crate::{Chart, assert_error, context, summary};

#[test]
fn a_chart_that_cannot_be_rendered_is_an_error_with_its_place() {
    let two = format!(
        "{}---\n{}",
        context("  metadata: {}\n"),
        context("  metadata: {}\n").replace("shop", "other")
    );
    let target = format!(
        "{}---\napiVersion: lifecycle.keptn.sh/v1\nkind: KeptnEvaluationDefinition\nmetadata:\n  name: fast\nspec:\n  objectives:\n    - keptnMetricRef: {{name: time}}\n      evaluationTarget: \">=5\"\n",
        context("  preDeploymentEvaluations: [fast]\n")
    );
    let big = "#".repeat(5 * 1024 * 1024 + 1);
    for (file, content, expected) in [
        (
            "Chart.yaml",
            "name: [\n",
            &["Chart.yaml:2:1", "correct the YAML"][..],
        ),
        (
            "Chart.yaml",
            "apiVersion: v2\nversion: 1.0.0\n",
            &["Chart.yaml", "name"],
        ),
        (
            "templates/shop.yaml",
            "a: 1\nb: {{ .Values.a.b.c }}\n",
            &[
                "templates/shop.yaml:2:",
                "nil pointer",
                "correct the template",
            ],
        ),
        (
            "templates/shop.yaml",
            "a: 1\nb: {{ nosuch }}\n",
            &["templates/shop.yaml:2", "nosuch"],
        ),
        ("templates/shop.yaml", "a: [\n", &["templates/shop.yaml"]),
        (
            "templates/shop.yaml",
            "",
            &["no resource at all", "check its values"],
        ),
        (
            "templates/two.yaml",
            &two,
            &[
                "templates/two.yaml",
                "KeptnAppContext/other",
                "keep one of them",
            ],
        ),
        (
            "templates/target.yaml",
            &target,
            &[
                "templates/target.yaml",
                "spec.objectives[0].evaluationTarget",
                "\">=5\" is not supported",
                "write \">5\"",
            ],
        ),
        ("values.yaml", "a: 1\n\tb: 2\n", &["values.yaml:2:1", "tab"]),
        (
            "templates/big.yaml",
            &big,
            &["templates/big.yaml", "5242880", "make it smaller"],
        ),
    ] {
        Chart::with(file, content).assert_refused(&[], expected);
    }

    let chart = Chart::new();
    fs::remove_file(chart.path("Chart.yaml")).unwrap();
    chart.assert_refused(&[], &["Chart.yaml file is missing", "give the directory"]);
    Chart::new().assert_refused(
        &["-f", "nosuch.yaml"],
        &["nosuch.yaml", "does not exist", "correct the path"],
    );
    Chart::new().assert_refused(&["--set", "novalue"], &["--set takes KEY=VALUE"]);
    assert_error(
        &run(&["deliver", "/no/such/chart"]),
        2,
        &["there is no chart at /no/such/chart"],
    );
}

#[test]
fn a_chart_that_would_eat_the_machine_is_stopped() {
    for (template, expected) in [
        (
            "a: {{ repeat 1000000000 \"x\" }}",
            "1000000000 bytes is more than",
        ),
        (
            "{{ define \"a\" }}{{ include \"a\" . }}{{ end }}a: {{ include \"a\" . }}",
            "nested reference",
        ),
        (
            "{{ define \"a\" }}{{ template \"a\" . }}{{ end }}a: {{ template \"a\" . }}",
            "templates/shop.yaml",
        ),
    ] {
        let chart = Chart::with("templates/shop.yaml", template);
        // With little memory, so that it cannot just be had.
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -v 1000000; exec \"$@\"", "sh"])
            .arg(stagelink());
        command
            .arg("deliver")
            .arg(chart.path(""))
            .arg("--state-dir")
            .arg(chart.state());
        assert_error(
            &output(&mut command),
            2,
            &["templates/shop.yaml:1", expected],
        );
        assert!(!chart.state().exists());
    }
}

#[test]
fn no_path_leads_out_of_the_chart() {
    let chart = Chart::new();
    let secret = chart.folder.path().join("secret.yaml");
    fs::write(&secret, "password: hunter2\n").unwrap();
    std::os::unix::fs::symlink(&secret, chart.path("templates/link.yaml")).unwrap();
    chart.assert_refused(
        &[],
        &[
            "templates/link.yaml",
            "leads out of the chart",
            "copy the file",
        ],
    );
    assert!(!stderr(&chart.deliver(&[])).contains("hunter2"));

    let chart = Chart::with(
        "templates/shop.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {a: {{ .Files.Get \"../secret.yaml\" | quote }}}\n",
    );
    fs::write(
        chart.folder.path().join("secret.yaml"),
        "password: hunter2\n",
    )
    .unwrap();
    let template = run(&["template", &chart.path("").to_string_lossy()]);
    assert_eq!(template.status.code(), Some(0), "{}", stderr(&template));
    assert!(!String::from_utf8_lossy(&template.stdout).contains("hunter2"));

    // Neither does a stage's name.
    let output = Chart::new().deliver(&["--stage", "../out"]);
    assert_error(
        &output,
        2,
        &["\"../out\"", "--stage takes a name without slashes"],
    );
}

#[test]
fn what_a_context_names_and_is_not_there_is_named_and_gates() {
    for (spec, name) in [
        ("  preDeploymentTasks: [nosuch]\n", "nosuch"),
        ("  preDeploymentEvaluations: [nothing]\n", "nothing"),
    ] {
        let chart = Chart::with("templates/context.yaml", &context(spec));
        let output = chart.deliver(&["--allow-local-commands"]);
        let summary = summary(&output, 1);
        assert_ne!(summary["outcome"], "pass");
        assert!(
            summary["reason"].as_str().unwrap().contains(name),
            "{summary}"
        );
        let warning = stderr(&output);
        assert!(
            warning.contains("warning: ")
                && warning.contains("templates/context.yaml")
                && warning.contains(name),
            "{warning}"
        );
    }
}

#[test]
fn a_malformed_traceparent_is_left_out_with_a_warning() {
    let chart = Chart::new();
    let output = chart.deliver(&["--trace-parent", "00-nonsense"]);
    assert_eq!(summary(&output, 0)["links"], Value::Array(Vec::new()));
    assert!(
        stderr(&output).contains("warning: parameter \"trace-parent\" is left out"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn duplicate_keys_and_null_items_are_said_with_their_place() {
    let chart = Chart::with(
        "templates/context.yaml",
        &context("  spanLinks:\n    -\n  preDeploymentTasks:\n    -\n"),
    );
    chart.write("values.yaml", "a: 1\nb: 2\na: 3\n");
    let output = chart.deliver(&[]);
    summary(&output, 0);
    let warnings = stderr(&output);
    assert!(
        warnings.contains("spec.spanLinks[0] is left out"),
        "{warnings}"
    );
    assert!(
        warnings.contains("spec.preDeploymentTasks[0] is empty"),
        "{warnings}"
    );
    let lint = run(&["lint", &chart.path("").to_string_lossy()]);
    assert_eq!(lint.status.code(), Some(1), "{}", stderr(&lint));
    let findings = String::from_utf8(lint.stdout).unwrap();
    for words in [
        "values.yaml:3: a: the key is already in line 1",
        "spec.spanLinks[0]",
        "spec.preDeploymentTasks[0]",
    ] {
        assert!(findings.contains(words), "{words} is not in: {findings}");
    }
}
