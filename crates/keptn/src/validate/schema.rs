//! Keptn's schemas, and checking a value against one as the API server does.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

use super::checker::{Checker, Path};
use crate::{GoDuration, ProviderType, quantity, timestamp};

/// Made from Keptn's CRDs by `schema/make.py`.
const TEXT: &str = include_str!("schema.json");

/// Deepest nesting that is checked; Keptn's own schemas stay under 20.
const MAX_DEPTH: usize = 64;

/// What a value must be.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Schema {
    #[serde(rename = "type")]
    kind: Type,
    pub required: Vec<String>,
    #[serde(rename = "enum")]
    choices: Vec<Value>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    format: Option<Format>,
    pub properties: BTreeMap<String, Schema>,
    items: Option<Box<Schema>>,
    additional_properties: Option<Box<Schema>>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Type {
    #[default]
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    IntOrString,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    Int32,
    DateTime,
    Duration,
    Quantity,
    Provider,
}

#[derive(Debug, Deserialize)]
struct Kind {
    versions: BTreeMap<String, Version>,
    #[cfg(test)]
    group: String,
    #[cfg(test)]
    plural: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Version {
    /// The same as another version.
    As(String),
    Own(Box<Schema>),
}

fn kinds() -> &'static BTreeMap<String, Kind> {
    static KINDS: OnceLock<BTreeMap<String, Kind>> = OnceLock::new();
    // A test reads all of it, so that nothing is missing here.
    KINDS.get_or_init(|| serde_json::from_str(TEXT).unwrap_or_default())
}

/// The schema of a kind's `spec` in a version; `None` if the version is not served.
pub(super) fn of(kind: &str, version: &str) -> Option<&'static Schema> {
    let versions = &kinds().get(kind)?.versions;
    match versions.get(version)? {
        Version::Own(schema) => Some(schema),
        Version::As(other) => match versions.get(other)? {
            Version::Own(schema) => Some(schema),
            Version::As(_) => None,
        },
    }
}

/// Checks a value; every problem is a finding.
pub(super) fn check(
    schema: &Schema,
    value: &Value,
    path: &Path,
    checker: &mut Checker<'_>,
    depth: usize,
) {
    if depth > MAX_DEPTH {
        return;
    }
    if !is_of(schema.kind, value) {
        let (wanted, advice) = wanted(schema.kind, value);
        checker.error(
            path,
            format!("it must be {wanted}, but is {}", name_of(value)),
            advice,
        );
        return;
    }
    match value {
        Value::Object(map) if schema.kind == Type::Object => {
            let absent = |name: &String| map.get(name).is_none_or(Value::is_null);
            for name in schema.required.iter().filter(|name| absent(name)) {
                if !may_be_absent(name, value, path) {
                    checker.error(&path.key(name), "the field is missing", "add it");
                }
            }
            if let Some(inner) = &schema.additional_properties {
                for (key, value) in map {
                    if value.is_null() {
                        // Kubernetes takes the entry out before it looks at the schema.
                        checker.warning(
                            &path.key(key),
                            "the value is empty (null) and is left out",
                            "give it a value or remove it",
                        );
                    } else {
                        check(inner, value, &path.key(key), checker, depth + 1);
                    }
                }
            } else if !schema.properties.is_empty() {
                let known: Vec<&str> = schema.properties.keys().map(String::as_str).collect();
                checker.unknown_keys(value, path, &known);
                for (key, inner) in &schema.properties {
                    // Kubernetes takes a null field for an absent one.
                    if let Some(value) = map.get(key).filter(|value| !value.is_null()) {
                        check(inner, value, &path.key(key), checker, depth + 1);
                    }
                }
            }
        }
        Value::Array(items) => {
            if let Some(inner) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    let path = path.index(index);
                    if item.is_null() {
                        checker.error(
                            &path,
                            "the item is empty (null)",
                            "give it a value or remove it",
                        );
                    } else {
                        check(inner, item, &path, checker, depth + 1);
                    }
                }
            }
        }
        scalar => check_scalar(schema, scalar, path, checker),
    }
}

/// Stagelink's own provider has no server.
fn may_be_absent(name: &str, value: &Value, path: &Path) -> bool {
    name == "targetServer"
        && path.field == "spec"
        && value["type"].as_str().and_then(ProviderType::from_name) == Some(ProviderType::Stagelink)
}

fn check_scalar(schema: &Schema, value: &Value, path: &Path, checker: &mut Checker<'_>) {
    if !schema.choices.is_empty() && !schema.choices.contains(value) {
        let choices: Vec<String> = schema.choices.iter().map(text_of).collect();
        checker.error(
            path,
            format!("{:?} is not allowed", text_of(value)),
            format!("use one of {}", choices.join(", ")),
        );
    }
    if let Some(number) = value.as_f64() {
        if schema.minimum.is_some_and(|minimum| number < minimum) {
            checker.error(
                path,
                format!("{number} is too small"),
                format!("use at least {}", schema.minimum.unwrap_or_default()),
            );
        }
        if schema.maximum.is_some_and(|maximum| number > maximum) {
            checker.error(
                path,
                format!("{number} is too large"),
                format!("use at most {}", schema.maximum.unwrap_or_default()),
            );
        }
    }
    let Some(format) = schema.format else {
        return;
    };
    let text = text_of(value);
    match format {
        Format::Int32 => {
            if value
                .as_i64()
                .is_none_or(|number| i32::try_from(number).is_err())
            {
                checker.error(
                    path,
                    format!("{text} does not fit into 32 bits"),
                    "use a smaller number",
                );
            }
        }
        Format::DateTime => {
            if timestamp::parse(&text).is_none() {
                checker.error(
                    path,
                    format!("{text:?} is not a moment"),
                    "write it like \"2026-01-31T12:00:00Z\"",
                );
            }
        }
        Format::Duration => match text.parse::<GoDuration>() {
            Ok(duration) if duration.as_nanoseconds() >= 0 => {}
            Ok(_) => checker.error(
                path,
                format!("{text:?} is negative"),
                "write it like \"5m\"",
            ),
            // The error says what to write.
            Err(error) => checker.error(path, error.to_string(), ""),
        },
        Format::Quantity => {
            if quantity::parse(&text).is_none() {
                checker.error(
                    path,
                    format!("{text:?} is not a quantity"),
                    "write it like \"0.5\", \"500m\" or \"2Gi\"",
                );
            }
        }
        Format::Provider => {
            if ProviderType::from_name(&text).is_none() {
                let names = ProviderType::ALL.map(|(name, _)| name);
                let advice = match crate::nearest(&text, names) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("use one of {}", names.join(", ")),
                };
                checker.error(path, format!("{text:?} is not a type of provider"), advice);
            }
        }
    }
}

fn is_of(kind: Type, value: &Value) -> bool {
    match kind {
        Type::Object => value.is_object(),
        Type::Array => value.is_array(),
        Type::String => value.is_string(),
        Type::Integer => value.is_i64() || value.is_u64(),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::IntOrString => value.is_string() || value.is_i64() || value.is_u64(),
    }
}

/// What a type is called, and what to do about a value of another.
fn wanted(kind: Type, value: &Value) -> (&'static str, &'static str) {
    match kind {
        Type::Object => ("a map", "write `key: value` lines"),
        Type::Array => ("a list", "write `- item` lines"),
        Type::String if value.is_number() || value.is_boolean() => ("a text", "put it in quotes"),
        Type::String => ("a text", "write one text"),
        Type::Integer => ("a whole number", "write it without quotes and point"),
        Type::Number => ("a number", "write it without quotes"),
        Type::Boolean => ("true or false", "write true or false without quotes"),
        Type::IntOrString => ("a whole number or a text", "put it in quotes"),
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty (null)",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().take(100).collect(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeptnKind;

    #[test]
    fn kinds_and_versions_are_those_of_the_crds() {
        let kinds: BTreeMap<String, Kind> = serde_json::from_str(TEXT).unwrap();
        assert_eq!(kinds.len(), KeptnKind::ALL.len());
        for known in KeptnKind::ALL {
            let kind = &kinds[known.kind];
            assert_eq!(
                (kind.group.as_str(), kind.plural.as_str()),
                (known.group, known.plural)
            );
            let mut versions: Vec<&str> = kind.versions.keys().map(String::as_str).collect();
            let mut stated = known.versions.to_vec();
            versions.sort_unstable();
            stated.sort_unstable();
            assert_eq!(versions, stated, "{}", known.kind);
            for version in versions {
                assert!(
                    of(known.kind, version).is_some(),
                    "{} {version}",
                    known.kind
                );
            }
        }
    }
}
