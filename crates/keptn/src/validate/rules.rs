//! What Keptn's webhooks refuse, and what would fail only when a delivery comes to it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::checker::{Checker, Path};
use crate::{EvaluationTarget, GoDuration, KeptnKind, quantity, timestamp};

/// Checks what a schema cannot say.
pub(super) fn check(kind: KeptnKind, resource: &Value, checker: &mut Checker<'_>) {
    let spec = &resource["spec"];
    let path = Path::root().key("spec");
    match kind {
        KeptnKind::TASK_DEFINITION => task_definition(spec, &path, checker),
        KeptnKind::EVALUATION_DEFINITION => evaluation_definition(spec, &path, checker),
        KeptnKind::METRIC => metric(spec, &path, checker),
        KeptnKind::ANALYSIS => analysis(spec, &path, checker),
        KeptnKind::ANALYSIS_DEFINITION => analysis_definition(spec, &path, checker),
        _ => {}
    }
}

/// True if the field is there.
fn has(value: &Value, field: &str) -> bool {
    value.get(field).is_some_and(|value| !value.is_null())
}

/// `lifecycle/v1/keptntaskdefinition_webhook.go`, and that a function has code.
fn task_definition(spec: &Value, path: &Path, checker: &mut Checker<'_>) {
    let runtimes: Vec<&str> = ["container", "python", "deno", "function"]
        .into_iter()
        .filter(|field| has(spec, field))
        .collect();
    // v1alpha3 may have both names of the same thing.
    let both = runtimes.contains(&"deno") && runtimes.contains(&"function");
    match runtimes.len() - usize::from(both) {
        0 => checker.error(
            path,
            "Forbidden! Either Container, Python, or Deno field must be defined",
            "add one of container, python and deno",
        ),
        1 => {}
        _ => checker.error(
            path,
            "Forbidden! Only one of Container, Python, or Deno field can be defined",
            "keep exactly one of container, python and deno",
        ),
    }
    for runtime in runtimes
        .into_iter()
        .filter(|runtime| *runtime != "container")
    {
        let function = &spec[runtime];
        let sources = [
            ("inline", "code"),
            ("configMapRef", "name"),
            ("httpRef", "url"),
            ("functionRef", "name"),
        ];
        let has_code = sources.iter().any(|(field, key)| {
            function[*field][*key]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        });
        if !has_code && function.is_object() {
            checker.error(
                &path.key(runtime),
                "the function has no code",
                "give it one of inline.code, configMapRef.name, httpRef.url and functionRef.name",
            );
        }
    }
}

fn evaluation_definition(spec: &Value, path: &Path, checker: &mut Checker<'_>) {
    let path = path.key("objectives");
    let objectives = spec["objectives"].as_array().map_or(&[][..], Vec::as_slice);
    if objectives.is_empty() && spec["objectives"].is_array() {
        checker.warning(
            &path,
            "there is no objective, so it always passes",
            "add one",
        );
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, objective) in objectives.iter().enumerate() {
        let path = path.index(index);
        if let Some(target) = objective["evaluationTarget"].as_str()
            && let Err(error) = target.parse::<EvaluationTarget>()
        {
            // The error says what to write.
            checker.error(&path.key("evaluationTarget"), error.to_string(), "");
        }
        let metric = &objective["keptnMetricRef"];
        let Some(name) = metric["name"].as_str() else {
            continue;
        };
        if let Some(first) = seen.get(name) {
            let elsewhere =
                objectives[*first]["keptnMetricRef"]["namespace"] != metric["namespace"];
            if elsewhere {
                checker.warning(
                    &path.key("keptnMetricRef"),
                    format!("objectives[{first}] has a metric of the same name in another namespace, and Keptn keeps only one result for each name"),
                    "give the metrics different names",
                );
            }
        } else {
            seen.insert(name, index);
        }
    }
}

/// `metrics/v1/keptnmetric_webhook.go`.
fn metric(spec: &Value, path: &Path, checker: &mut Checker<'_>) {
    let range = &spec["range"];
    let path = path.key("range");
    for field in ["interval", "step"] {
        if let Some(text) = range[field].as_str().filter(|text| !text.is_empty())
            && let Err(error) = text.parse::<GoDuration>()
        {
            checker.error(&path.key(field), error.to_string(), "");
        }
    }
    let is_set = |field: &str| range[field].as_str().is_some_and(|text| !text.is_empty());
    match (is_set("step"), is_set("aggregation")) {
        (true, false) => checker.error(
            &path.key("step"),
            "a step needs an aggregation",
            "add spec.range.aggregation, or remove the step",
        ),
        (false, true) => checker.error(
            &path.key("aggregation"),
            "an aggregation needs a step",
            "add spec.range.step, or remove the aggregation",
        ),
        _ => {}
    }
    if spec["fetchIntervalSeconds"]
        .as_i64()
        .is_some_and(|seconds| seconds < 0)
    {
        checker.error(
            &path_of(&["spec", "fetchIntervalSeconds"]),
            "it is negative",
            "use a positive number",
        );
    }
}

fn path_of(keys: &[&str]) -> Path {
    keys.iter().fold(Path::root(), |path, key| path.key(key))
}

/// `metrics/v1/analysis_webhook.go`.
fn analysis(spec: &Value, path: &Path, checker: &mut Checker<'_>) {
    let timeframe = &spec["timeframe"];
    let path = path.key("timeframe");
    if !timeframe.is_object() {
        return;
    }
    match (
        has(timeframe, "recent"),
        has(timeframe, "from"),
        has(timeframe, "to"),
    ) {
        (true, false, false) => {}
        (true, _, _) => checker.error(
            &path,
            "recent cannot stand beside from and to",
            "keep either recent, or from and to",
        ),
        (false, true, true) => {
            let moment = |field: &str| timeframe[field].as_str().and_then(timestamp::parse);
            if let (Some(from), Some(to)) = (moment("from"), moment("to"))
                && to <= from
            {
                checker.error(
                    &path.key("to"),
                    "it is not after from",
                    "swap the two, or correct them",
                );
            }
        }
        _ => checker.error(
            &path,
            "the timeframe is not complete",
            "add recent, or both from and to",
        ),
    }
}

/// Names of the operators with one value, and with two.
const OPERATORS: [&str; 7] = [
    "lessThanOrEqual",
    "lessThan",
    "greaterThan",
    "greaterThanOrEqual",
    "equalTo",
    "inRange",
    "notInRange",
];

/// `metrics/v1/analysisdefinition_webhook.go`.
fn analysis_definition(spec: &Value, path: &Path, checker: &mut Checker<'_>) {
    let score = &spec["totalScore"];
    if let (Some(pass), Some(warning)) = (
        score["passPercentage"].as_i64(),
        score["warningPercentage"].as_i64(),
    ) && warning >= pass
    {
        checker.error(
            &path.key("totalScore").key("warningPercentage"),
            "it is not below passPercentage",
            "make it smaller",
        );
    }
    for (index, objective) in spec["objectives"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let path = path.key("objectives").index(index).key("target");
        for field in ["failure", "warning"] {
            let operator = &objective["target"][field];
            if operator.is_object() {
                check_operator(operator, &path.key(field), checker);
            }
        }
    }
}

fn check_operator(operator: &Value, path: &Path, checker: &mut Checker<'_>) {
    let set: Vec<&str> = OPERATORS
        .into_iter()
        .filter(|name| has(operator, name))
        .collect();
    if set.len() != 1 {
        checker.error(
            path,
            format!("it has {} operators", set.len()),
            format!("give it exactly one of {}", OPERATORS.join(", ")),
        );
    }
    for name in set.into_iter().filter(|name| name.ends_with("nRange")) {
        let bound = |field: &str| match &operator[name][field] {
            Value::String(text) => quantity::parse(text),
            Value::Number(number) => number.as_f64(),
            _ => None,
        };
        if let (Some(low), Some(high)) = (bound("lowBound"), bound("highBound"))
            && low >= high
        {
            checker.error(
                &path.key(name).key("lowBound"),
                "it is not below highBound",
                "swap the two, or correct them",
            );
        }
    }
}
