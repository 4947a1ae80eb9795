//! The plugin's parameters: one table for reading them, announcing them and checking `plugin.yaml`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a parameter holds; Argo CD's `collectionType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// One text.
    String,
    /// A list of texts.
    Array,
    /// Texts by name.
    Map,
}

/// A parameter that the plugin knows.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Its name in the Application.
    pub name: &'static str,
    /// Title in Argo CD's user interface.
    pub title: &'static str,
    /// What it does, for a person.
    pub tooltip: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Argo CD's hint for the user interface: `boolean`, or `string`.
    pub item_type: &'static str,
}

const fn text(name: &'static str, title: &'static str, tooltip: &'static str) -> Known {
    Known {
        name,
        title,
        tooltip,
        shape: Shape::String,
        item_type: "string",
    }
}

const fn flag(name: &'static str, title: &'static str, tooltip: &'static str) -> Known {
    Known {
        name,
        title,
        tooltip,
        shape: Shape::String,
        item_type: "boolean",
    }
}

const fn list(name: &'static str, title: &'static str, tooltip: &'static str) -> Known {
    Known {
        name,
        title,
        tooltip,
        shape: Shape::Array,
        item_type: "string",
    }
}

const fn map(name: &'static str, title: &'static str, tooltip: &'static str) -> Known {
    Known {
        name,
        title,
        tooltip,
        shape: Shape::Map,
        item_type: "string",
    }
}

/// The parameter that is announced with the chart's own values.
pub const HELM_PARAMETERS: &str = "helm-parameters";

/// All parameters, in the order in which they are announced.
pub const KNOWN: &[Known] = &[
    text(
        "stage",
        "Stage",
        "Name of the stage, for example dev. Default: the name of the chart's folder.",
    ),
    text(
        "trace-parent",
        "Trace parent",
        "W3C traceparent of the span that led to this delivery, over the chart's value.",
    ),
    text(
        "inject",
        "Inject",
        "Where commit and traceparent go: both (default), values, context or none.",
    ),
    text(
        "commit-id-value",
        "Value for the commit",
        "Name of the chart's value that gets the revision. Default: commitID.",
    ),
    text(
        "trace-parent-value",
        "Value for the traceparent",
        "Name of the chart's value that holds the traceparent. Default: traceParent.",
    ),
    text(
        "app-context",
        "KeptnAppContext",
        "How the KeptnAppContext is emitted: as a PreSync hook (default), or as a resource.",
    ),
    text(
        "keptn-resources",
        "Keptn resources",
        "Whether Keptn's kinds are emitted: auto (default; if the cluster has them), emit or omit.",
    ),
    flag(
        "hooks",
        "Plan and hooks",
        "Set to false to render without plan and hooks.",
    ),
    text(
        "hook-kind",
        "Hook kind",
        "What PreSync and PostSync run as: job (default; survives its node), or pod (ends sooner, and says itself why it failed).",
    ),
    text("hook-image", "Hook image", "Image of the hooks."),
    list(
        "hook-image-pull-secrets",
        "Hook image pull secrets",
        "Secrets for pulling the hooks' image.",
    ),
    text(
        "hook-service-account",
        "Hook service account",
        "An existing service account for the hooks; then no role is made.",
    ),
    text(
        "hook-timeout",
        "Hook time limit",
        "How long one hook may take, for example 1h (default).",
    ),
    text(
        "task-image",
        "Task image",
        "Image whose tasks the hooks run themselves. Default: Stagelink's task image.",
    ),
    text(
        "deno-image",
        "Deno image",
        "Image that runs functions for Deno. Default: Keptn's deno-runtime.",
    ),
    text(
        "python-image",
        "Python image",
        "Image that runs functions for Python. Default: Keptn's python-runtime.",
    ),
    flag(
        "deliver-again",
        "Deliver again",
        "true delivers at every sync, also content that has already passed.",
    ),
    flag(
        "retry-failed",
        "Retry what failed",
        "true lets an automatic retry run again what failed, instead of remembering the verdict.",
    ),
    flag(
        "keep-ledger",
        "Keep the ledger",
        "true leaves the ledger when the Application is deleted.",
    ),
    text(
        "keptn-namespace",
        "Keptn's namespace",
        "Namespace in which definitions and metrics are looked for after the app's. Default: keptn-system.",
    ),
    text(
        "block-deployment",
        "Block deployment",
        "false turns failed checks into warnings. Default: true, or what a KeptnConfig in the chart says.",
    ),
    text(
        "observability-timeout",
        "Observability time limit",
        "How long workloads may take to become healthy. Default: 5m, or what a KeptnConfig in the chart says.",
    ),
    text(
        "otlp-endpoint",
        "Collector",
        "URL of the OpenTelemetry collector, for example http://collector.monitoring:4317.",
    ),
    text(
        "otlp-protocol",
        "Collector protocol",
        "grpc (default) or http/protobuf.",
    ),
    text(
        "otlp-headers-secret",
        "Collector headers",
        "Secret whose key headers has the collector's headers, as in OTEL_EXPORTER_OTLP_HEADERS.",
    ),
    text(
        "trace-url",
        "Trace page",
        "URL of a trace in your backend, for example https://jaeger.example.com/trace/{traceId}; Argo CD links to it.",
    ),
    text(
        "release-name",
        "Release name",
        "Helm release name. Default: the Application's name.",
    ),
    text(
        "namespace",
        "Namespace",
        "Helm release namespace. Default: the Application's destination namespace.",
    ),
    list(
        "value-files",
        "Values files",
        "Values files, relative to the chart, or to the repository with a leading slash. Globs are allowed.",
    ),
    flag(
        "ignore-missing-value-files",
        "Ignore missing values files",
        "true leaves out values files that do not exist.",
    ),
    text(
        "values",
        "Values",
        "Values as YAML, over those of the files.",
    ),
    map(
        HELM_PARAMETERS,
        "Helm parameters",
        "Single values, as with helm --set.",
    ),
    list(
        "helm-json-parameters",
        "Helm JSON parameters",
        "Values as JSON, each entry as one --set-json of helm: name=json.",
    ),
    map(
        "helm-string-parameters",
        "Helm string parameters",
        "Single values that stay texts, as with helm --set-string.",
    ),
    map(
        "helm-file-parameters",
        "Helm file parameters",
        "Single values that are the content of a file, as with helm --set-file.",
    ),
    list(
        "helm-literal-parameters",
        "Helm literal parameters",
        "Texts in which nothing has a meaning, each entry as one --set-literal of helm: name=text.",
    ),
    flag(
        "skip-crds",
        "Skip CRDs",
        "true leaves out the chart's crds folder.",
    ),
    flag("skip-tests", "Skip tests", "true leaves out test hooks."),
    flag(
        "skip-schema-validation",
        "Skip schema validation",
        "true does not check values against values.schema.json.",
    ),
    text(
        "kube-version",
        "Kubernetes version",
        "Kubernetes version that the chart sees. Default: the destination's.",
    ),
    list(
        "api-versions",
        "API versions",
        "API versions that the chart sees. Default: the destination's.",
    ),
];

/// A parameter as Argo CD reads it (`ParameterAnnouncement`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Announcement {
    /// Name of the parameter.
    pub name: String,
    /// Title in the user interface.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tooltip: String,
    /// Hint for the user interface.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub item_type: String,
    /// What it holds.
    pub collection_type: Shape,
    /// Values that it has when nothing is set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
}

impl From<&Known> for Announcement {
    fn from(known: &Known) -> Self {
        Self {
            name: known.name.to_owned(),
            title: known.title.to_owned(),
            tooltip: known.tooltip.to_owned(),
            item_type: known.item_type.to_owned(),
            collection_type: known.shape,
            map: BTreeMap::new(),
        }
    }
}

/// All parameters, `helm-parameters` with the chart's own values.
pub(crate) fn announcements(values: &serde_json::Value) -> Vec<Announcement> {
    KNOWN
        .iter()
        .map(|known| {
            let mut announcement = Announcement::from(known);
            if known.name == HELM_PARAMETERS {
                flatten("", values, 0, &mut announcement.map);
            }
            announcement
        })
        .collect()
}

/// Deepest nesting of values that is announced.
const MAX_DEPTH: usize = 32;

/// Values by the names that `--set` gives them.
fn flatten(
    path: &str,
    value: &serde_json::Value,
    depth: usize,
    into: &mut BTreeMap<String, String>,
) {
    use serde_json::Value;
    match value {
        Value::Object(map) if depth < MAX_DEPTH => {
            for (key, value) in map {
                let key = key.replace('.', "\\.");
                let path = if path.is_empty() {
                    key
                } else {
                    format!("{path}.{key}")
                };
                flatten(&path, value, depth + 1, into);
            }
        }
        Value::Array(items) if depth < MAX_DEPTH => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), item, depth + 1, into);
            }
        }
        Value::Object(_) | Value::Array(_) | Value::Null => {}
        Value::String(text) => _ = into.insert(path.to_owned(), text.clone()),
        // Helm makes floats of all numbers; a person wrote `3`.
        Value::Number(number) => {
            let text = match number.as_f64() {
                Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
                _ => number.to_string(),
            };
            into.insert(path.to_owned(), text);
        }
        Value::Bool(flag) => _ = into.insert(path.to_owned(), flag.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_announced_by_the_names_that_set_gives_them() {
        let values =
            json!({"a": {"b.c": 1.0, "d": [{"e": true}, "x"]}, "f": null, "g": 0.5, "h": {}});
        let announced = announcements(&values);
        let map = &announced
            .iter()
            .find(|one| one.name == HELM_PARAMETERS)
            .unwrap()
            .map;
        let expected: BTreeMap<String, String> = [
            ("a.b\\.c", "1"),
            ("a.d[0].e", "true"),
            ("a.d[1]", "x"),
            ("g", "0.5"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        assert_eq!(map, &expected);
        assert_eq!(announced.len(), KNOWN.len());
    }

    #[test]
    fn names_are_unique_and_every_parameter_is_explained() {
        let mut names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KNOWN.len());
        assert!(
            KNOWN
                .iter()
                .all(|known| known.tooltip.ends_with('.') && !known.title.is_empty())
        );
    }
}
