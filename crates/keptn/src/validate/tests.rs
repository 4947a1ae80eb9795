use super::*;
use proptest::prelude::*;

/// The findings of a resource with this kind, version and spec, without file and resource.
fn findings(api_version: &str, kind: &str, spec: &str) -> Vec<String> {
    let text =
        format!("apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: a\nspec:\n{spec}");
    validate("f.yaml", &text)
        .iter()
        .map(|finding| {
            let text = finding.to_string();
            let text = text.strip_prefix("f.yaml:").unwrap_or(&text);
            format!(
                "{}:{}",
                finding.severity,
                text.replace(&format!(" {kind}/a "), " ")
            )
        })
        .collect()
}

fn lifecycle(kind: &str, spec: &str) -> Vec<String> {
    findings("lifecycle.keptn.sh/v1", kind, spec)
}

fn metrics(kind: &str, spec: &str) -> Vec<String> {
    findings("metrics.keptn.sh/v1", kind, spec)
}

const NOTHING: [&str; 0] = [];

#[test]
fn good_resources_have_no_findings() {
    for (api_version, kind, spec) in [
        (
            "lifecycle.keptn.sh/v1",
            "KeptnAppContext",
            "  preDeploymentTasks: [a]\n  metadata: {commitID: abc}\n  spanLinks: []\n",
        ),
        (
            "lifecycle.keptn.sh/v1beta1",
            "KeptnAppContext",
            "  promotionTasks:\n  - promote\n",
        ),
        (
            "lifecycle.keptn.sh/v1",
            "KeptnApp",
            "  version: \"1\"\n  revision: 2\n  workloads: [{name: a, version: \"1\"}]\n",
        ),
        (
            "lifecycle.keptn.sh/v1alpha3",
            "KeptnApp",
            "  version: \"1\"\n  preDeploymentTasks: [a]\n",
        ),
        (
            "lifecycle.keptn.sh/v1",
            "KeptnTaskDefinition",
            "  retries: 0\n  timeout: 1m30s\n  container:\n    name: c\n    image: i\n    env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]\n    resources: {limits: {cpu: 1, memory: 100Mi}}\n    ports: [{containerPort: 80}]\n",
        ),
        (
            "lifecycle.keptn.sh/v1alpha2",
            "KeptnTaskDefinition",
            "  function: {inline: {code: x}}\n",
        ),
        (
            "lifecycle.keptn.sh/v1",
            "KeptnEvaluationDefinition",
            "  retryInterval: 5s\n  objectives: [{keptnMetricRef: {name: m}, evaluationTarget: \"<1\"}]\n",
        ),
        (
            "lifecycle.keptn.sh/v1alpha2",
            "KeptnEvaluationDefinition",
            "  source: prometheus\n  objectives: [{name: m, query: q, evaluationTarget: \"<1\"}]\n",
        ),
        (
            "metrics.keptn.sh/v1",
            "KeptnMetric",
            "  provider: {name: p}\n  query: q\n  fetchIntervalSeconds: 5\n  range: {interval: 5m, step: 1m, aggregation: p95}\n",
        ),
        (
            "metrics.keptn.sh/v1",
            "KeptnMetricsProvider",
            "  type: prometheus\n  targetServer: http://p\n",
        ),
        (
            "metrics.keptn.sh/v1",
            "KeptnMetricsProvider",
            "  type: stagelink\n",
        ),
        (
            "metrics.keptn.sh/v1",
            "Analysis",
            "  timeframe: {recent: 5m}\n  args: {a: b}\n  analysisDefinition: {name: d}\n",
        ),
        (
            "metrics.keptn.sh/v1",
            "Analysis",
            "  timeframe: {from: \"2024-01-01T00:00:00Z\", to: \"2024-01-01T00:00:01Z\"}\n  analysisDefinition: {name: d}\n",
        ),
        (
            "metrics.keptn.sh/v1",
            "AnalysisDefinition",
            "  objectives: [{analysisValueTemplateRef: {name: t}, weight: 2, target: {failure: {lessThan: {fixedValue: 600m}}, warning: {inRange: {lowBound: 1, highBound: 2k}}}}]\n  totalScore: {passPercentage: 90, warningPercentage: 75}\n",
        ),
        (
            "metrics.keptn.sh/v1",
            "AnalysisValueTemplate",
            "  provider: {name: p}\n  query: q\n",
        ),
        (
            "options.keptn.sh/v1alpha1",
            "KeptnConfig",
            "  OTelCollectorUrl: c:4317\n  blockDeployment: true\n",
        ),
    ] {
        assert_eq!(findings(api_version, kind, spec), NOTHING, "{kind}");
    }
}

#[test]
fn everything_wrong_is_said_at_once_with_its_line() {
    assert_eq!(
        lifecycle(
            "KeptnAppContext",
            "  preDeploymentTasks: one\n  postDeploymentTasks:\n  - 5\n  - ok\n  spanLinks:\n  -\n  metadata:\n  - commitID: a\n  promotionTask: [x]\n  zzz: 1\n"
        ),
        [
            "error:6: spec.preDeploymentTasks: it must be a list, but is a text; write `- item` lines",
            "error:8: spec.postDeploymentTasks[0]: it must be a text, but is a number; put it in quotes",
            "error:11: spec.spanLinks[0]: the item is empty (null); give it a value or remove it",
            "error:13: spec.metadata: it must be a map, but is a list; write `key: value` lines",
            "warning:14: spec.promotionTask: the field is not known and is ignored; did you mean \"promotionTasks\"?",
            "warning:15: spec.zzz: the field is not known and is ignored; remove it, or correct its name",
        ]
    );
}

#[test]
fn a_null_field_or_value_is_absent() {
    assert_eq!(
        lifecycle(
            "KeptnAppContext",
            "  preDeploymentTasks:\n  spanLinks: null\n"
        ),
        NOTHING
    );
    assert_eq!(
        lifecycle("KeptnAppContext", "  metadata:\n    commitID:\n"),
        [
            "warning:7: spec.metadata.commitID: the value is empty (null) and is left out; give it a value or remove it"
        ]
    );
    assert_eq!(
        lifecycle("KeptnApp", "  version:\n"),
        ["error:6: spec.version: the field is missing; add it"]
    );
}

#[test]
fn keys_that_stand_twice_are_said() {
    let text = "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata:\n  name: a\nspec:\n  metadata: {a: b}\n  metadata: {c: d}\n";
    let found = validate("f.yaml", text);
    assert_eq!(
        found[0].to_string(),
        "f.yaml:7: KeptnAppContext/a metadata: the key is already in line 6, and that one is ignored; remove one of them"
    );
    assert_eq!(found[0].severity, Severity::Warning);
}

#[test]
fn task_definitions_are_refused_as_by_the_webhook() {
    for (spec, message) in [
        (
            "  retries: 1\n",
            "error:6: spec: Forbidden! Either Container, Python, or Deno field must be defined; add one of",
        ),
        (
            "  container: {name: c}\n  deno: {inline: {code: x}}\n",
            "error:6: spec: Forbidden! Only one of Container, Python, or Deno field can be defined; keep",
        ),
        (
            "  container: {image: i}\n",
            "error:6: spec.container.name: the field is missing",
        ),
        (
            "  python: {cmdParameters: x}\n",
            "error:6: spec.python: the function has no code",
        ),
        (
            "  deno: {inline: {code: x}}\n  timeout: 5\n",
            "error:7: spec.timeout: it must be a text, but is a number",
        ),
        (
            "  deno: {inline: {code: x}}\n  timeout: 5x\n",
            "error:7: spec.timeout: \"5x\" is not a duration",
        ),
        (
            "  deno: {inline: {code: x}}\n  timeout: -5m\n",
            "error:7: spec.timeout: \"-5m\" is negative",
        ),
        (
            "  deno: {inline: {code: x}}\n  retries: 3000000000\n",
            "error:7: spec.retries: 3000000000 does not fit into 32 bits",
        ),
        (
            "  deno: {inline: {code: x}}\n  retries: \"3\"\n",
            "error:7: spec.retries: it must be a whole number, but is a text",
        ),
        (
            "  deno: {inlin: {code: x}}\n",
            "warning:6: spec.deno.inlin: the field is not known and is ignored; did you mean \"inline\"?",
        ),
        (
            "  container: {name: c, resources: {limits: {memory: much}}}\n",
            "error:6: spec.container.resources.limits.memory: \"much\" is not a quantity",
        ),
    ] {
        let found = lifecycle("KeptnTaskDefinition", spec);
        assert!(
            found.iter().any(|finding| finding.starts_with(message)),
            "{spec}: {found:#?}"
        );
    }
}

#[test]
fn evaluation_targets_are_checked() {
    for (target, message) in [
        (
            ">=5",
            "error:7: spec.objectives[0].evaluationTarget: the target \">=5\" is not supported",
        ),
        (
            "5",
            "error:7: spec.objectives[0].evaluationTarget: invalid operator",
        ),
        (
            "",
            "error:7: spec.objectives[0].evaluationTarget: no values",
        ),
    ] {
        let spec = format!(
            "  objectives:\n  - evaluationTarget: \"{target}\"\n    keptnMetricRef: {{name: m}}\n"
        );
        let found = lifecycle("KeptnEvaluationDefinition", &spec);
        assert!(
            found.len() == 1 && found[0].starts_with(message),
            "{found:#?}"
        );
    }
    assert!(
        lifecycle("KeptnEvaluationDefinition", "  objectives: []\n")[0]
            .starts_with("warning:6: spec.objectives: there is no objective")
    );
    let twice = "  objectives:\n  - {keptnMetricRef: {name: m, namespace: a}, evaluationTarget: \"<1\"}\n  - {keptnMetricRef: {name: m, namespace: b}, evaluationTarget: \"<1\"}\n";
    assert!(lifecycle("KeptnEvaluationDefinition", twice)[0].starts_with("warning:8: spec.objectives[1].keptnMetricRef: objectives[0] has a metric of the same name"));
}

#[test]
fn metrics_and_providers_are_refused_as_by_the_webhook() {
    let metric = |range: &str| {
        metrics(
            "KeptnMetric",
            &format!(
                "  provider: {{name: p}}\n  query: q\n  fetchIntervalSeconds: 5\n  range: {range}\n"
            ),
        )
    };
    for (range, message) in [
        (
            "{interval: 5mins}",
            "error:9: spec.range.interval: \"5mins\" is not a duration",
        ),
        (
            "{step: 1m}",
            "error:9: spec.range.step: a step needs an aggregation",
        ),
        (
            "{aggregation: max}",
            "error:9: spec.range.aggregation: an aggregation needs a step",
        ),
        (
            "{step: 1m, aggregation: mean}",
            "error:9: spec.range.aggregation: \"mean\" is not allowed; use one of p90, p95",
        ),
        (
            "{storedResults: 256}",
            "error:9: spec.range.storedResults: 256 is too large; use at most 255",
        ),
    ] {
        let found = metric(range);
        assert!(
            found.len() == 1 && found[0].starts_with(message),
            "{found:#?}"
        );
    }
    assert_eq!(
        metrics("KeptnMetricsProvider", "  type: promethues\n"),
        [
            "error:6: spec.targetServer: the field is missing; add it",
            "error:6: spec.type: \"promethues\" is not a type of provider; did you mean \"prometheus\"?",
        ]
    );
}

#[test]
fn analyses_are_refused_as_by_the_webhook() {
    for (timeframe, message) in [
        (
            "{}",
            "error:6: spec.timeframe: the timeframe is not complete",
        ),
        (
            "{from: \"2024-01-01T00:00:00Z\"}",
            "error:6: spec.timeframe: the timeframe is not complete",
        ),
        (
            "{recent: 5m, to: \"2024-01-01T00:00:00Z\"}",
            "error:6: spec.timeframe: recent cannot stand beside from and to",
        ),
        (
            "{from: \"2024-01-01T00:00:00Z\", to: \"2024-01-01T00:00:00Z\"}",
            "error:6: spec.timeframe.to: it is not after from",
        ),
        (
            "{from: yesterday, to: \"2024-01-01T00:00:00Z\"}",
            "error:6: spec.timeframe.from: \"yesterday\" is not a moment",
        ),
    ] {
        let found = metrics(
            "Analysis",
            &format!("  timeframe: {timeframe}\n  analysisDefinition: {{name: d}}\n"),
        );
        assert!(
            found.len() == 1 && found[0].starts_with(message),
            "{found:#?}"
        );
    }
    for (target, message) in [
        (
            "{failure: {}}",
            "error:8: spec.objectives[0].target.failure: it has 0 operators",
        ),
        (
            "{failure: {lessThan: {fixedValue: 1}, equalTo: {fixedValue: 2}}}",
            "error:8: spec.objectives[0].target.failure: it has 2 operators",
        ),
        (
            "{warning: {inRange: {lowBound: 1k, highBound: 999}}}",
            "error:8: spec.objectives[0].target.warning.inRange.lowBound: it is not below highBound",
        ),
        (
            "{warning: {lessThan: {fixedValue: x}}}",
            "error:8: spec.objectives[0].target.warning.lessThan.fixedValue: \"x\" is not a quantity",
        ),
    ] {
        let spec = format!(
            "  totalScore: {{passPercentage: 90, warningPercentage: 75}}\n  objectives:\n  - {{analysisValueTemplateRef: {{name: t}}, target: {target}}}\n"
        );
        let found = metrics("AnalysisDefinition", &spec);
        assert!(
            found.len() == 1 && found[0].starts_with(message),
            "{found:#?}"
        );
    }
    assert_eq!(
        metrics(
            "AnalysisDefinition",
            "  totalScore: {passPercentage: 101, warningPercentage: 101}\n"
        ),
        [
            "error:6: spec.totalScore.passPercentage: 101 is too large; use at most 100",
            "error:6: spec.totalScore.warningPercentage: 101 is too large; use at most 100",
            "error:6: spec.totalScore.warningPercentage: it is not below passPercentage; make it smaller",
        ]
    );
}

#[test]
fn kind_version_and_name_are_checked() {
    for (text, message) in [
        (
            "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContxt\nmetadata: {name: a}\n",
            "f.yaml:2: KeptnAppContxt/a kind: lifecycle.keptn.sh has no kind \"KeptnAppContxt\"; did you mean \"KeptnAppContext\"?",
        ),
        (
            "apiVersion: lifecycle.keptn.sh/v2\nkind: KeptnApp\nmetadata: {name: a}\n",
            "f.yaml:1: KeptnApp/a apiVersion: KeptnApp has no version \"v2\"; write lifecycle.keptn.sh/v1; there are v1, v1beta1, v1alpha3, v1alpha2, v1alpha1",
        ),
        (
            "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata: {name: A_b}\n",
            "f.yaml:3: KeptnAppContext/A_b metadata.name: \"A_b\" is not a name; use lowercase letters, digits, - and .",
        ),
        (
            "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\n",
            "f.yaml:1: KeptnAppContext/ metadata.name: the field is missing; give the resource a name",
        ),
        (
            "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnAppContext\nmetadata: {name: a, labels: {x: yes}}\n",
            "f.yaml:3: KeptnAppContext/a metadata.labels.x: it is not a text; put it in quotes: YAML reads yes, no, on, off and numbers as something else",
        ),
        (
            "apiVersion: lifecycle.keptn.sh/v1\nkind: KeptnApp\nmetadata: {name: a}\n",
            "f.yaml:1: KeptnApp/a spec.version: the field is missing; add it",
        ),
        ("a: b: c\n", "f.yaml:1: "),
    ] {
        let found = validate("f.yaml", text);
        assert!(
            found.len() == 1 && found[0].to_string().starts_with(message),
            "{found:#?}"
        );
    }
}

#[test]
fn other_documents_are_passed_over_and_lines_are_those_of_the_file() {
    let text = "# first\napiVersion: v1\nkind: Service\nspec: {nonsense: 1}\n---\n---\napiVersion: lifecycle.keptn.sh/v1\nkind: KeptnApp\nmetadata: {name: a}\nspec: {version: 1}\n";
    let found = validate("f.yaml", text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (found[0].line, found[0].document, found[0].field.as_str()),
        (10, 3, "spec.version")
    );
}

proptest! {
    #[test]
    fn any_text_is_checked_without_a_panic(text in "\\PC{0,200}") {
        let _ = validate("f.yaml", &text);
    }

    #[test]
    fn any_spec_is_checked_without_a_panic(
        kind in 0..KeptnKind::ALL.len(),
        spec in "[a-z:{}\\[\\], 0-9\"\n-]{0,120}",
    ) {
        let kind = KeptnKind::ALL[kind];
        let text = format!("apiVersion: {}/{}\nkind: {}\nmetadata: {{name: a}}\nspec: {spec}", kind.group, kind.versions[0], kind.kind);
        let _ = validate("f.yaml", &text);
    }
}
