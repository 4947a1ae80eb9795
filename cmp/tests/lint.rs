//! `lint`: everything that is wrong with a chart, at once.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use stagelink_cmp::{Environment, lint};

fn findings(directory: &Path) -> Vec<String> {
    let environment: Environment = [
        ("ARGOCD_APP_NAME", "shop"),
        ("ARGOCD_APP_NAMESPACE", "shop"),
    ]
    .into_iter()
    .collect();
    lint(directory, &environment)
        .unwrap()
        .iter()
        .map(|finding| format!("{}: {finding}", finding.severity))
        .collect()
}

#[test]
fn nothing_is_wrong_with_the_demo() {
    for stage in ["simple-go-dev", "simple-go-prod"] {
        let chart = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../charts")
            .join(stage);
        assert_eq!(findings(&chart), Vec::<String>::new());
    }
}

#[test]
fn what_is_wrong_is_said_at_once_with_its_place() {
    let chart = tempfile::tempdir().unwrap();
    std::fs::create_dir(chart.path().join("templates")).unwrap();
    for (file, content) in [
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.0\n"),
        ("values.yaml", "a: 1\nb: 2\na: 3\ntraceParent: \"\"\n"),
        (
            "templates/context.yaml",
            "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata:\n  name: shop\nspec:\n  postDeploymentTask: [x]\n  \
             promotionTasks: [promote]\n  spanLinks:\n  - {{ .Values.traceParent }}\n",
        ),
        (
            "templates/evaluation.yaml",
            "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnEvaluationDefinition\nmetadata:\n  name: slow\nspec:\n  objectives:\n  - keptnMetricRef: {name: m}\n    evaluationTarget: \">=5\"\n",
        ),
        (
            "templates/service.yaml",
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  labels: {}\n  labels: {}\n",
        ),
    ] {
        std::fs::write(chart.path().join(file), content).unwrap();
    }
    let found = findings(chart.path());
    for expected in [
        "warning: values.yaml:3: a: the key is already in line 1, and that one is ignored; remove one of them",
        "warning: shop/templates/service.yaml (rendered):6: labels: the key is already in line 5, and that one is ignored; remove one of them",
        "warning: shop/templates/context.yaml (rendered):6: KeptnAppContext/shop spec.postDeploymentTask: the field is not known and is ignored; did you mean \"postDeploymentTasks\"?",
        "error: shop/templates/context.yaml (rendered):9: KeptnAppContext/shop spec.spanLinks[0]: the item is empty (null); give it a value or remove it",
        "unresolved: shop/templates/context.yaml: KeptnAppContext/shop spec.promotionTasks: names the KeptnTaskDefinition \"promote\", which the chart does not have; add a KeptnTaskDefinition \"promote\" to the chart, unless the namespace \"shop\" or Keptn's own has it",
    ] {
        assert!(
            found.iter().any(|line| line == expected),
            "{expected}\n{found:#?}"
        );
    }
    let targets = found
        .iter()
        .filter(|line| line.contains("evaluationTarget"))
        .count();
    assert_eq!(targets, 1, "{found:#?}");
}
