//! From rendered files to manifests: documents split, hooks told apart, all in the order of installation.
//!
//! Follows `pkg/release/v1/util` of Helm 4.3.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;

use crate::error::{Place, RenderError, RenderErrorKind};

/// Kinds in the order in which Helm installs them; others come after, by name.
const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// One document of a rendered template.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Name of the template that it comes from, e.g. `chart/templates/service.yaml`.
    pub source: String,
    /// `kind`; empty for a document without content.
    pub kind: String,
    /// `apiVersion`
    pub api_version: String,
    /// `metadata.name`
    pub name: String,
    /// `metadata.namespace`, when the document has one.
    pub namespace: Option<String>,
    /// The document's text as rendered, without the separator before it.
    pub text: String,
    /// What makes it a Helm hook.
    pub hook: Option<Hook>,
    document: Arc<Value>,
}

/// Documents of the last render of a chart, by their text: most are the same in the next, and reading YAML
/// takes a good part of a small chart's render.
#[derive(Debug, Default)]
pub(crate) struct KnownDocuments(HashMap<String, Arc<Value>>);

/// `helm.sh/hook` and its companions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    /// `pre-install`, `post-upgrade`, `test`, …
    pub events: Vec<String>,
    /// `helm.sh/hook-weight`
    pub weight: i64,
    /// `helm.sh/hook-delete-policy`
    pub delete_policies: Vec<String>,
}

impl Hook {
    /// True for a test, which runs only when somebody asks for it.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.events.iter().any(|event| event == "test")
    }
}

impl Manifest {
    /// The document as JSON.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Reads the head of a document; nothing for a hook that Helm does not know.
    fn read(
        source: &str,
        text: &str,
        known: &KnownDocuments,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, RenderError> {
        let fault = |helm: String| {
            let line = helm
                .split("line ")
                .nth(1)
                .and_then(|rest| rest.split(':').next())
                .and_then(|line| line.parse().ok());
            let place = Place {
                line,
                ..Place::file(source)
            };
            let what = if line.is_some() {
                "the rendered document is not YAML (line of the document)"
            } else {
                "the rendered document is not a resource"
            };
            RenderError::new(
                RenderErrorKind::Manifest,
                Some(place),
                format!("{what}: {helm}"),
            )
            .with_helm(format!("YAML parse error on {source}: {helm}"))
        };
        let document = match known.0.get(text) {
            Some(document) => document.clone(),
            None => Arc::new(
                stagelink_yaml::to_json(text)
                    .map_err(|error| fault(format!("error converting YAML to JSON: {error}")))?,
            ),
        };
        let head = Head::read(&document).map_err(|error| {
            fault(format!(
                "error unmarshaling JSON: while decoding JSON: {error}"
            ))
        })?;
        let hook = match head.annotation("helm.sh/hook") {
            None => None,
            Some(events) => match hook(&head, events) {
                Some(hook) => Some(hook),
                None => {
                    warnings.push(format!(
                        "{source}: skipped {} {}, whose hook {events:?} Helm does not know",
                        head.kind, head.name
                    ));
                    return Ok(None);
                }
            },
        };
        let namespace = document
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Ok(Some(Self {
            source: source.to_owned(),
            kind: head.kind,
            api_version: head.api_version,
            name: head.name,
            namespace,
            text: text.to_owned(),
            hook,
            document,
        }))
    }

    /// As `helm template` prints it.
    fn write(&self, out: &mut String) {
        write_document(out, &self.source, &self.text);
    }
}

fn write_document(out: &mut String, source: &str, text: &str) {
    // Writing to a string cannot fail.
    let _ = write!(out, "---\n# Source: {source}\n{text}\n");
}

fn hook(head: &Head, events: &str) -> Option<Hook> {
    let known = |event: &str| {
        let event = event.trim().to_lowercase();
        match event.as_str() {
            "pre-install" | "post-install" | "pre-delete" | "post-delete" | "pre-upgrade"
            | "post-upgrade" | "pre-rollback" | "post-rollback" | "test" => Some(event),
            "test-success" => Some("test".to_owned()),
            _ => None,
        }
    };
    let policies = |annotation: &str| {
        let policies = head
            .annotation(annotation)
            .into_iter()
            .flat_map(|policies| policies.split(','));
        policies
            .map(|policy| policy.trim().to_lowercase())
            .collect()
    };
    Some(Hook {
        events: events.split(',').map(known).collect::<Option<_>>()?,
        weight: head
            .annotation("helm.sh/hook-weight")
            .and_then(|weight| weight.parse().ok())
            .unwrap_or(0),
        delete_policies: policies("helm.sh/hook-delete-policy"),
    })
}

/// What Helm reads of every document.
#[derive(Default)]
struct Head {
    api_version: String,
    kind: String,
    name: String,
    annotations: Vec<(String, String)>,
}

impl Head {
    /// Reads the head as Go's JSON decoder does; texts may be written as numbers and truth values.
    fn read(document: &Value) -> Result<Self, String> {
        let entries = match document {
            Value::Null => return Ok(Self::default()),
            Value::Object(entries) => entries,
            other => {
                return Err(format!(
                    "json: cannot unmarshal {} into Go value of type util.SimpleHead",
                    type_name(other)
                ));
            }
        };
        let field = |name: &str| {
            entries.get(name).or_else(|| {
                entries
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            })
        };
        let text = |value: Option<&Value>, path: &str| match value {
            None | Some(Value::Null) => Ok(String::new()),
            Some(value) => scalar(value).ok_or_else(|| {
                format!(
                    "json: cannot unmarshal {} into Go struct field {path} of type string",
                    type_name(value)
                )
            }),
        };
        let mut head = Self {
            api_version: text(field("apiVersion"), "SimpleHead.apiVersion")?,
            kind: text(field("kind"), "SimpleHead.kind")?,
            ..Self::default()
        };
        let metadata = match field("metadata") {
            None | Some(Value::Null) => return Ok(head),
            Some(Value::Object(metadata)) => metadata,
            Some(other) => {
                return Err(format!(
                    "json: cannot unmarshal {} into Go struct field SimpleHead.metadata of type struct {{ Name string \"json:\\\"name\\\"\"; Annotations map[string]string \"json:\\\"annotations\\\"\" }}",
                    type_name(other)
                ));
            }
        };
        head.name = text(metadata.get("name"), ".metadata.name")?;
        match metadata.get("annotations") {
            None | Some(Value::Null) => {}
            Some(Value::Object(annotations)) => {
                for (key, value) in annotations {
                    head.annotations
                        .push((key.clone(), text(Some(value), ".metadata.annotations")?));
                }
            }
            Some(other) => {
                return Err(format!(
                    "json: cannot unmarshal {} into Go struct field .metadata.annotations of type map[string]string",
                    type_name(other)
                ));
            }
        }
        Ok(head)
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The text of a scalar, as `sigs.k8s.io/yaml` converts one where a text is wanted.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The documents of a rendered file, as Helm cuts it: at every `---` that begins a line, whatever follows it.
pub(crate) fn split(file: &str) -> Vec<&str> {
    let file = file.trim_start();
    let mut documents = Vec::new();
    let mut start = 0;
    let mut line = 0;
    while line < file.len() {
        if file[line..].starts_with("---") {
            documents.push(&file[start..line]);
            let after = &file[line + 3..];
            start = line + 3 + (after.len() - after.trim_start_matches([' ', '\t']).len());
            line = start;
        }
        line += file[line..]
            .find('\n')
            .map_or(file.len() - line, |end| end + 1);
    }
    documents.push(&file[start..]);
    documents
        .into_iter()
        .map(str::trim_start)
        .filter(|document| !document.is_empty())
        .collect()
}

/// A custom resource definition from a chart's `crds/`, which is not a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crd {
    /// Path below the root chart, e.g. `chart/crds/widget.yaml`.
    pub source: String,
    /// Content of the file; it may hold several documents.
    pub text: String,
}

/// Manifests and hooks of rendered files.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) hooks: Vec<Manifest>,
    pub(crate) warnings: Vec<String>,
}

/// Splits and sorts rendered files: by name of the template, then by kind.
pub(crate) fn sort(
    mut files: Vec<(String, String)>,
    known: &mut KnownDocuments,
) -> Result<Sorted, RenderError> {
    files.sort();
    let mut sorted = Sorted::default();
    let mut read = KnownDocuments::default();
    for (source, content) in &files {
        for text in split(content) {
            if let Some(manifest) = Manifest::read(source, text, known, &mut sorted.warnings)? {
                read.0.insert(text.to_owned(), manifest.document.clone());
                if manifest.hook.is_some() {
                    &mut sorted.hooks
                } else {
                    &mut sorted.manifests
                }
                .push(manifest);
            }
        }
    }
    *known = read;
    for list in [&mut sorted.manifests, &mut sorted.hooks] {
        list.sort_by(|left, right| install_rank(&left.kind).cmp(&install_rank(&right.kind)));
    }
    Ok(sorted)
}

fn install_rank(kind: &str) -> (usize, &str) {
    match INSTALL_ORDER.iter().position(|known| *known == kind) {
        Some(rank) => (rank, ""),
        None => (INSTALL_ORDER.len(), kind),
    }
}

/// What `helm template` prints.
pub(crate) fn template_output<'a>(
    crds: impl IntoIterator<Item = &'a Crd>,
    manifests: &[Manifest],
    hooks: impl IntoIterator<Item = &'a Manifest>,
) -> String {
    let mut out = String::new();
    for crd in crds {
        write_document(&mut out, &crd.source, &crd.text);
    }
    for manifest in manifests {
        manifest.write(&mut out);
    }
    let mut out = format!("{}\n", out.trim());
    for hook in hooks {
        hook.write(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_wherever_a_line_begins_with_dashes() {
        for (file, expected) in [
            ("a: 1\n---\nb: 2\n", vec!["a: 1\n", "b: 2\n"]),
            ("\n\n---\na: 1", vec!["a: 1"]),
            ("---apiVersion: v1\n", vec!["apiVersion: v1\n"]),
            (
                "a: |\n  x\n  ---\n---   \n\n\nb: 1",
                vec!["a: |\n  x\n  ---\n", "b: 1"],
            ),
            (
                "a: 1\n--- # comment\nb: 1",
                vec!["a: 1\n", "# comment\nb: 1"],
            ),
            ("-----\na: 1", vec!["--\na: 1"]),
            ("---\n---\n", vec![]),
            ("a: x---\n", vec!["a: x---\n"]),
            ("", vec![]),
        ] {
            assert_eq!(split(file), expected, "{file:?}");
        }
    }

    fn read(text: &str) -> Result<Option<Manifest>, RenderError> {
        Manifest::read(
            "c/templates/a.yaml",
            text,
            &KnownDocuments::default(),
            &mut Vec::new(),
        )
    }

    #[test]
    fn heads_are_read_leniently() {
        let manifest = read("Kind: Secret\napiVersion: v1\nmetadata: {name: 12, namespace: ns, annotations: {a: true, b: null}}").unwrap().unwrap();
        assert_eq!(
            (
                manifest.kind.as_str(),
                manifest.name.as_str(),
                manifest.namespace.as_deref()
            ),
            ("Secret", "12", Some("ns"))
        );
        assert_eq!(read("# only a comment").unwrap().unwrap().kind, "");
    }

    #[test]
    fn hooks() {
        let text = "kind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: Pre-Install, test-success\n    helm.sh/hook-weight: -5\n    helm.sh/hook-delete-policy: hook-succeeded, before-hook-creation";
        let hook = read(text).unwrap().unwrap().hook.unwrap();
        assert_eq!(
            (hook.events, hook.weight),
            (vec!["pre-install".to_owned(), "test".to_owned()], -5)
        );
        assert_eq!(
            hook.delete_policies,
            ["hook-succeeded", "before-hook-creation"]
        );
        assert!(
            read("metadata: {annotations: {helm.sh/hook: nope}}")
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn what_is_no_resource_is_an_error_with_the_words_of_helm() {
        let error = read("a: b: c").unwrap_err();
        assert_eq!(
            error.helm_text().unwrap(),
            "YAML parse error on c/templates/a.yaml: error converting YAML to JSON: yaml: mapping values are not allowed in this context"
        );
        assert_eq!(error.kind(), RenderErrorKind::Manifest);
        assert!(
            error.to_string().starts_with("c/templates/a.yaml"),
            "{error}"
        );
    }

    proptest::proptest! {
        #[test]
        fn documents_are_parts_of_the_file_without_separators(file in "([a: \n\t]|---){0,16}") {
            for document in split(&file) {
                assert!(file.contains(document) && !document.trim().is_empty());
                assert!(!document.contains("\n---"), "{file:?} {document:?}");
            }
        }
    }
}
