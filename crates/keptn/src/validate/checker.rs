//! Collects findings with their places.

use serde_json::Value;
use stagelink_yaml::Document;

use crate::{Finding, Severity, nearest};

/// A field: as a person writes it, and as a JSON pointer.
#[derive(Debug, Clone, Default)]
pub(super) struct Path {
    pub field: String,
    pointer: String,
}

impl Path {
    pub(super) fn root() -> Self {
        Self::default()
    }

    pub(super) fn key(&self, key: &str) -> Self {
        let separator = if self.field.is_empty() { "" } else { "." };
        let escaped = key.replace('~', "~0").replace('/', "~1");
        Self {
            field: format!("{}{separator}{key}", self.field),
            pointer: format!("{}/{escaped}", self.pointer),
        }
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self {
            field: format!("{}[{index}]", self.field),
            pointer: format!("{}/{index}", self.pointer),
        }
    }
}

/// Most findings for one resource; more help nobody.
const MOST_FINDINGS: usize = 200;

/// The findings about one resource.
pub(super) struct Checker<'a> {
    source: &'a str,
    number: usize,
    resource: String,
    document: &'a Document,
    pub findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(
        source: &'a str,
        number: usize,
        resource: String,
        document: &'a Document,
    ) -> Self {
        Self {
            source,
            number,
            resource,
            document,
            findings: Vec::new(),
        }
    }

    fn push(
        &mut self,
        severity: Severity,
        path: &Path,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let line = self.document.nearest(&path.pointer).0.start().line;
        self.push_at(severity, &path.field, line, problem, advice);
    }

    fn push_at(
        &mut self,
        severity: Severity,
        field: &str,
        line: usize,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) {
        if self.findings.len() >= MOST_FINDINGS {
            return;
        }
        let mut finding = Finding::new(severity, self.source, problem)
            .in_resource(self.resource.clone())
            .at(field)
            .advise(advice);
        finding.document = self.number;
        finding.line = line;
        self.findings.push(finding);
    }

    pub(super) fn error(
        &mut self,
        path: &Path,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.push(Severity::Error, path, problem, advice);
    }

    pub(super) fn warning(
        &mut self,
        path: &Path,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.push(Severity::Warning, path, problem, advice);
    }

    /// Helm takes the last of several equal keys and says nothing; strict readers refuse them.
    pub(super) fn duplicate_keys(&mut self) {
        for twice in self.document.duplicate_keys() {
            self.push_at(
                Severity::Warning,
                &twice.key,
                twice.again.line,
                format!(
                    "the key is already in line {}, and that one is ignored",
                    twice.first.line
                ),
                "remove one of them",
            );
        }
    }

    /// Name and namespace.
    pub(super) fn metadata(&mut self, resource: &Value) {
        let path = Path::root().key("metadata");
        let metadata = &resource["metadata"];
        match metadata.get("name") {
            Some(Value::String(name)) if is_dns_subdomain(name) => {}
            Some(Value::String(name)) => self.error(
                &path.key("name"),
                format!("{name:?} is not a name"),
                "use lowercase letters, digits, - and .",
            ),
            Some(Value::Null) | None if metadata["generateName"].is_string() => {}
            Some(Value::Null) | None => {
                self.error(
                    &path.key("name"),
                    "the field is missing",
                    "give the resource a name",
                );
            }
            Some(_) => self.error(&path.key("name"), "it is not a text", "put it in quotes"),
        }
        for field in ["labels", "annotations"] {
            for (key, value) in metadata[field].as_object().into_iter().flatten() {
                if !value.is_string() {
                    self.error(
                        &path.key(field).key(key),
                        "it is not a text",
                        "put it in quotes: YAML reads yes, no, on, off and numbers as something else",
                    );
                }
            }
        }
    }

    /// Warns of keys of a map that are not known.
    pub(super) fn unknown_keys(&mut self, value: &Value, path: &Path, known: &[&str]) {
        let Some(map) = value.as_object() else {
            return;
        };
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let advice = match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "remove it, or correct its name".to_owned(),
            };
            self.warning(
                &path.key(key),
                "the field is not known and is ignored",
                advice,
            );
        }
    }
}

/// A DNS subdomain (RFC 1123), as Kubernetes wants names of resources.
fn is_dns_subdomain(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 253
        && name.split('.').all(|label| {
            let bytes = label.as_bytes();
            bytes.first().copied().is_some_and(is_inner)
                && bytes.last().copied().is_some_and(is_inner)
                && bytes.iter().all(|byte| is_inner(*byte) || *byte == b'-')
        })
}
