//! YAML to JSON, in the way of `sigs.k8s.io/yaml`.

use crate::node::{Data, Id, Node};
use crate::number::{format_float, format_json_float};
use crate::resolve::{Scalar, short_tag};
use crate::{Document, Error, MAX_DEPTH};
use base64::Engine as _;
use serde_json::{Map, Number, Value};

/// Reads the first document of a text as JSON, as Helm reads values and manifests.
///
/// Whole floats below 1e21 become integers (JSON does not tell `8.0` from `8`), keys become strings, the last of equal keys
/// counts, timestamps stay strings, `!!binary` is decoded.
///
/// # Errors
/// No YAML, or what JSON cannot hold; the text is the one that Helm prints after `error converting YAML to JSON: `.
pub fn to_json<I: AsRef<[u8]> + ?Sized>(text: &I) -> Result<Value, Error> {
    Document::parse(text)?.to_json()
}

pub(crate) fn convert(root: Node<'_>) -> Result<Value, Error> {
    Converter::default().value(root, 0)
}

/// go-yaml's protection against aliases that multiply: how many of the nodes may come from aliases.
#[derive(Default)]
struct Converter {
    nodes: u32,
    alias_nodes: u32,
    inside: Vec<Id>,
}

impl Converter {
    fn value(&mut self, node: Node<'_>, depth: usize) -> Result<Value, Error> {
        self.count(node, depth)?;
        Ok(match node.data() {
            Data::Alias { target, anchor } => {
                if self.inside.contains(&node.id()) {
                    let problem = format!("anchor '{anchor}' value contains itself");
                    return Err(Error::Content {
                        problem,
                        position: node.start(),
                    });
                }
                self.inside.push(node.id());
                let value = self.value(node.with(*target), depth + 1);
                self.inside.pop();
                value?
            }
            Data::Scalar { .. } => scalar(node)?,
            Data::Sequence { .. } => Value::Array(
                node.items()
                    .map(|item| self.value(item, depth + 1))
                    .collect::<Result<_, _>>()?,
            ),
            Data::Mapping { .. } => {
                let mut map = Map::new();
                self.fill(node, &mut map, depth)?;
                Value::Object(map)
            }
        })
    }

    fn fill(
        &mut self,
        node: Node<'_>,
        map: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), Error> {
        for (key_node, value) in node.entries() {
            if key_node.is_merge_key() {
                self.merge(value, map, depth + 1)?;
                continue;
            }
            let key = key(key_node)?;
            let value = self.value(value, depth + 1)?;
            map.insert(key, value);
        }
        Ok(())
    }

    fn merge(
        &mut self,
        node: Node<'_>,
        map: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), Error> {
        let maps: Vec<_> = match node.data() {
            Data::Sequence { .. } => node.items().collect(),
            _ => vec![node],
        };
        // Backwards, because earlier maps take precedence.
        for source in maps.into_iter().rev() {
            self.count(source, depth)?;
            if !matches!(source.target().data(), Data::Mapping { .. }) {
                let problem = "map merge requires map or sequence of maps as the value".into();
                return Err(Error::Content {
                    problem,
                    position: source.start(),
                });
            }
            if let Some(anchor) = source.alias() {
                if self.inside.contains(&source.id()) {
                    let problem = format!("anchor '{anchor}' value contains itself");
                    return Err(Error::Content {
                        problem,
                        position: source.start(),
                    });
                }
                self.inside.push(source.id());
                let filled = self.fill(source.target(), map, depth);
                self.inside.pop();
                filled?;
            } else {
                self.fill(source, map, depth)?;
            }
        }
        Ok(())
    }

    fn count(&mut self, node: Node<'_>, depth: usize) -> Result<(), Error> {
        const LOW: f64 = 400_000.0;
        const HIGH: f64 = 4_000_000.0;
        self.nodes += 1;
        if !self.inside.is_empty() {
            self.alias_nodes += 1;
        }
        let (all, of_aliases) = (f64::from(self.nodes), f64::from(self.alias_nodes));
        let allowed = (0.99 - 0.89 * ((all - LOW) / (HIGH - LOW))).clamp(0.10, 0.99);
        if self.alias_nodes > 100 && self.nodes > 1000 && of_aliases / all > allowed {
            let problem = "document contains excessive aliasing".into();
            return Err(Error::Limit {
                problem,
                position: node.start(),
            });
        }
        if depth > 2 * MAX_DEPTH {
            let problem = format!("exceeded max depth of {MAX_DEPTH}");
            return Err(Error::Limit {
                problem,
                position: node.start(),
            });
        }
        Ok(())
    }
}

fn scalar(node: Node<'_>) -> Result<Value, Error> {
    if let Some(bytes) = binary(node) {
        return Ok(Value::String(String::from_utf8_lossy(&bytes?).into_owned()));
    }
    Ok(match node.scalar().unwrap_or(Ok(Scalar::Null))? {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Int(value) => value.into(),
        Scalar::Unsigned(value) => value.into(),
        Scalar::Float(value) => number(value).ok_or_else(|| Error::NotJson {
            problem: format!("json: unsupported value: {}", format_float(value, 64)),
            position: node.start(),
        })?,
        Scalar::Timestamp(text) | Scalar::String(text) => Value::String(text),
    })
}

fn binary(node: Node<'_>) -> Option<Result<Vec<u8>, Error>> {
    let Data::Scalar {
        tag: Some(tag),
        value,
        ..
    } = node.data()
    else {
        return None;
    };
    if short_tag(tag) != "!!binary" {
        return None;
    }
    let text: String = value
        .chars()
        .filter(|letter| !matches!(letter, '\r' | '\n'))
        .collect();
    Some(
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|_| Error::Content {
                problem: "!!binary value contains invalid base64 data".into(),
                position: node.start(),
            }),
    )
}

/// A float as JSON's text gives it back; nothing for an infinite one.
fn number(value: f64) -> Option<Value> {
    if !value.is_finite() {
        return None;
    }
    let text = format_json_float(value);
    let whole = text.parse().map(Number::from_i128).ok().flatten();
    whole.or_else(|| Number::from_f64(value)).map(Value::Number)
}

/// The text of a key.
pub(crate) fn key(node: Node<'_>) -> Result<String, Error> {
    let node = node.target();
    let Some(meaning) = node.scalar() else {
        // go-yaml decodes the key first and so complains of the innermost one.
        for (inner, _) in node.entries().filter(|(inner, _)| inner.alias().is_none()) {
            key(inner)?;
        }
        let mut budget = LONGEST_KEY;
        let problem = format!("invalid map key: {}", go_syntax(node, &mut budget));
        return Err(Error::Content {
            problem,
            position: node.start(),
        });
    };
    if let Some(bytes) = binary(node) {
        return Ok(String::from_utf8_lossy(&bytes?).into_owned());
    }
    Ok(match meaning? {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Float(value) => match format_float(value, 32).as_str() {
            "+Inf" => ".inf".into(),
            "-Inf" => "-.inf".into(),
            "NaN" => ".nan".into(),
            text => text.into(),
        },
        Scalar::Timestamp(text) | Scalar::String(text) => text,
        Scalar::Null => return Err(unsupported_key(node, "%!s(<nil>)", "<nil>")),
        Scalar::Unsigned(value) => {
            return Err(unsupported_key(node, "uint64", &format!("{value:#x}")));
        }
    })
}

fn unsupported_key(node: Node<'_>, kind: &str, key: &str) -> Error {
    let problem = format!("unsupported map key of type: {kind}, key: {key}");
    Error::NotJson {
        problem,
        position: node.start(),
    }
}

/// Most nodes of a wrong key that are printed.
const LONGEST_KEY: usize = 64;

/// Go's `%#v` of a decoded node: what people see who forgot the quotes around `{{ … }}`.
fn go_syntax(node: Node<'_>, budget: &mut usize) -> String {
    let node = node.target();
    *budget = budget.saturating_sub(1);
    match node.scalar() {
        _ if *budget == 0 => return "…".into(),
        None => {}
        Some(Ok(Scalar::Null)) => return "interface {}(nil)".into(),
        Some(Ok(Scalar::Timestamp(text) | Scalar::String(text))) => return format!("{text:?}"),
        Some(Ok(Scalar::Float(value))) => return format_float(value, 64),
        Some(_) => return node.text().unwrap_or_default().to_owned(),
    }
    let mut parts = Vec::new();
    if let Data::Sequence { .. } = node.data() {
        for item in node.items() {
            if *budget == 0 {
                break;
            }
            parts.push(go_syntax(item, budget));
        }
        return format!("[]interface {{}}{{{}}}", parts.join(", "));
    }
    for (key, value) in node.entries() {
        if *budget == 0 {
            break;
        }
        let key = go_syntax(key, budget);
        parts.push(format!("{key}:{}", go_syntax(value, budget)));
    }
    format!("map[interface {{}}]interface {{}}{{{}}}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::fmt::Write as _;

    #[test]
    fn reads_as_sigs_yaml() {
        for (text, value) in [
            ("", json!(null)),
            (
                "a: yes\nb: \"yes\"\nc: 'no'\nyes: 1\n",
                json!({"a": true, "b": "yes", "c": "no", "true": 1}),
            ),
            (
                "a: 0777\nb: 8.0\nc: 1.50\nd: 1e21\n",
                json!({"a": 511, "b": 8, "c": 1.5, "d": 1e21}),
            ),
            (
                "a: 2026-11-23\nb: 12:30\n",
                json!({"a": "2026-11-23", "b": "12:30"}),
            ),
            (
                "1: a\n2.5: b\n7244500.0: c\n",
                json!({"1": "a", "2.5": "b", "7.2445e+06": "c"}),
            ),
            ("a: 1\na: 2\n", json!({"a": 2})),
            (
                "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n",
                json!({"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}),
            ),
            (
                "a: !!str 1\nb: !custom 2\nc: !!float 3\n",
                json!({"a": "1", "b": "2", "c": 3}),
            ),
            ("a: !!binary aGk=\n", json!({"a": "hi"})),
            ("- a\n-\n- ~\n- {}\n", json!(["a", null, null, {}])),
            (
                "a: |\n  x\n  y\nb: >-\n  x\n  y\n",
                json!({"a": "x\ny\n", "b": "x y"}),
            ),
            ("a: 1\n---\nb: 2\n", json!({"a": 1})),
        ] {
            assert_eq!(to_json(text), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_json_is_an_error() {
        for (text, message) in [
            (
                "a: {{ .Values.x }}\n",
                "yaml: invalid map key: map[interface {}]interface {}{\".Values.x\":interface {}(nil)}",
            ),
            (
                "{{ .Key }}: {{ .Value }}",
                "yaml: invalid map key: map[interface {}]interface {}{\".Key\":interface {}(nil)}",
            ),
            ("a: .inf", "json: unsupported value: +Inf"),
            (
                "~: 1",
                "unsupported map key of type: %!s(<nil>), key: <nil>",
            ),
            ("a: &x [*x]", "yaml: anchor 'x' value contains itself"),
            ("a: &x {<<: *x}", "yaml: anchor 'x' value contains itself"),
            (
                "a: {<<: 1}",
                "yaml: map merge requires map or sequence of maps as the value",
            ),
            ("a: !!int x", "yaml: cannot decode !!str `x` as a !!int"),
            (
                "a: !!binary '*'",
                "yaml: !!binary value contains invalid base64 data",
            ),
        ] {
            assert_eq!(to_json(text).expect_err(text).to_string(), message);
        }
    }

    #[test]
    fn aliases_that_multiply_are_refused() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..10 {
            let below = vec![format!("*a{}", level - 1); 10].join(",");
            _ = writeln!(text, "a{level}: &a{level} [{below}]");
        }
        assert_eq!(
            to_json(&text).expect_err("bomb").to_string(),
            "yaml: document contains excessive aliasing"
        );
    }

    #[test]
    fn the_deepest_that_is_read_can_be_converted() {
        let depth = MAX_DEPTH - 1;
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let value = to_json(&text).expect("deep");
        assert_eq!(to_json(&crate::emit(&value).expect("written")), Ok(value));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter_map("finite", number),
            "[ -~]{0,12}|\\PC{0,8}|[yn0-9:.~#&*'\"\\\\ \n-]{0,100}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(
                    "[ -~]{0,8}|\\PC{0,6}|[a-c\n:?#0-9 ]{0,140}"
                        // Helm writes it without quotes, and reads it as a merge.
                        .prop_filter("no merge key", |key| key != "<<"),
                    inner,
                    0..5
                )
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_is_yaml(value in any_json()) {
            if let Ok(text) = crate::emit(&value) {
                prop_assert_eq!(to_json(&text), Ok(value), "{}", text);
            }
        }
    }
}
