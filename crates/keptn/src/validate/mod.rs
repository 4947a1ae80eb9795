//! Everything that is wrong with Keptn's resources in a text, at once: what the API server would
//! refuse by Keptn's schemas, what Keptn's webhooks would refuse, and what would only fail later.

mod checker;
mod rules;
mod schema;

use stagelink_yaml::Document;

use crate::{Finding, KeptnKind, Severity, nearest};
use checker::{Checker, Path};

/// Checks every resource of Keptn in a YAML text; other resources are passed over.
///
/// Fields that Keptn does not know, and keys that stand twice, are warnings; everything that a
/// cluster would refuse is an error.
///
/// ```
/// let text = "apiVersion: lifecycle.keptn.sh/v1\n\
///             kind: KeptnAppContext\n\
///             metadata:\n  name: shop\n\
///             spec:\n  spanLink: []\n  promotionTasks:\n  - \n";
/// let findings: Vec<String> =
///     stagelink_keptn::validate("context.yaml", text).iter().map(ToString::to_string).collect();
/// assert_eq!(findings, [
///     "context.yaml:6: KeptnAppContext/shop spec.spanLink: the field is not known and is ignored; did you mean \"spanLinks\"?",
///     "context.yaml:8: KeptnAppContext/shop spec.promotionTasks[0]: the item is empty (null); give it a value or remove it",
/// ]);
/// ```
pub fn validate(source: &str, text: &str) -> Vec<Finding> {
    match Document::parse_all(text) {
        Ok(documents) => documents
            .iter()
            .enumerate()
            .flat_map(|(index, document)| validate_document(source, index + 1, document))
            .collect(),
        Err(error) => {
            let mut finding =
                Finding::new(Severity::Error, source, error.to_string()).advise("correct the YAML");
            finding.line = error.position().map_or(0, |position| position.line);
            vec![finding]
        }
    }
}

/// Checks one document, the `number`th of its text, from 1.
pub fn validate_document(source: &str, number: usize, document: &Document) -> Vec<Finding> {
    let value = match document.to_json() {
        Ok(value) => value,
        Err(error) => {
            let mut finding =
                Finding::new(Severity::Error, source, error.to_string()).advise("correct the YAML");
            finding.document = number;
            finding.line = document.root().start().line;
            return vec![finding];
        }
    };
    let api_version = value["apiVersion"].as_str().unwrap_or_default();
    if !KeptnKind::is_keptn_group(api_version) {
        return Vec::new();
    }
    let kind = value["kind"].as_str().unwrap_or_default();
    let name = value["metadata"]["name"].as_str().unwrap_or_default();
    let mut checker = Checker::new(source, number, format!("{kind}/{name}"), document);
    checker.duplicate_keys();
    let (group, version) = api_version.split_once('/').unwrap_or_default();
    let Some(known) = KeptnKind::of(api_version, kind) else {
        let kinds = KeptnKind::ALL.iter().filter(|known| known.group == group);
        let advice = match nearest(kind, kinds.map(|known| known.kind)) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "correct kind or apiVersion".to_owned(),
        };
        checker.error(
            &Path::root().key("kind"),
            format!("{group} has no kind {kind:?}"),
            advice,
        );
        return checker.findings;
    };
    let Some(schema) = schema::of(known.kind, version) else {
        checker.error(
            &Path::root().key("apiVersion"),
            format!("{kind} has no version {version:?}"),
            format!(
                "write {group}/{}; there are {}",
                known.versions[0],
                known.versions.join(", ")
            ),
        );
        return checker.findings;
    };
    checker.metadata(&value);
    checker.unknown_keys(
        &value,
        &Path::root(),
        &["apiVersion", "kind", "metadata", "spec", "status"],
    );
    let spec = Path::root().key("spec");
    match value.get("spec") {
        None | Some(serde_json::Value::Null) => {
            for name in &schema.required {
                checker.error(&spec.key(name), "the field is missing", "add it");
            }
        }
        Some(value) => {
            schema::check(schema, value, &spec, &mut checker, 0);
        }
    }
    rules::check(known, &value, &mut checker);
    checker.findings.sort_by_key(|finding| finding.line);
    checker.findings
}

#[cfg(test)]
mod tests;
