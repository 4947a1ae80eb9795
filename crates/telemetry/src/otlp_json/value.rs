//! Numbers and attribute values in OTLP's JSON.

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::span;

/// A value, read from whatever is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct AnyValue(pub(super) Option<span::Value>);

/// A number that may come as a number, as text or as the name of an enum's value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Number(pub(super) u64);

impl Number {
    pub(super) fn is_zero(&self) -> bool {
        self.0 == 0
    }

    fn from_text(text: &str) -> Self {
        const KINDS: [&str; 5] = ["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
        let by_name = || {
            let name = text.rsplit('_').next()?;
            if text.starts_with("STATUS_CODE_") {
                return ["UNSET", "OK", "ERROR"]
                    .iter()
                    .position(|known| *known == name);
            }
            Some(1 + KINDS.iter().position(|known| *known == name)?)
        };
        text.parse()
            .ok()
            .or_else(|| by_name().map(|number| number as u64))
            .map_or(Self(0), Self)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(self.0)
    }
}

/// 64-bit numbers are text in OTLP's JSON.
pub(super) fn text<S: Serializer>(number: &Number, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&number.0)
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match AnyJson::deserialize(from)? {
            AnyJson::Int(number) => Self(u64::try_from(number).unwrap_or_default()),
            AnyJson::Text(text) => Self::from_text(&text),
            _ => Self(0),
        })
    }
}

impl Serialize for AnyValue {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let Some(value) = &self.0 else {
            return to.serialize_map(Some(0))?.end();
        };
        let mut map = to.serialize_map(Some(1))?;
        match value {
            span::Value::String(text) | span::Value::Other(text) => {
                map.serialize_entry("stringValue", text)?;
            }
            span::Value::Bool(value) => map.serialize_entry("boolValue", value)?,
            span::Value::Int(value) => map.serialize_entry("intValue", &value.to_string())?,
            span::Value::Double(value) if value.is_finite() => {
                map.serialize_entry("doubleValue", value)?;
            }
            // As protobuf's JSON writes them.
            span::Value::Double(value) if value.is_nan() => {
                map.serialize_entry("doubleValue", "NaN")?;
            }
            span::Value::Double(value) => {
                let sign = if *value < 0.0 { "-" } else { "" };
                map.serialize_entry("doubleValue", &format!("{sign}Infinity"))?;
            }
            span::Value::Array(values) => {
                #[derive(Serialize)]
                struct Array {
                    values: Vec<AnyValue>,
                }
                let values = values.iter().cloned().map(|value| AnyValue(Some(value)));
                map.serialize_entry(
                    "arrayValue",
                    &Array {
                        values: values.collect(),
                    },
                )?;
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let AnyJson::Object(fields) = AnyJson::deserialize(from)? else {
            return Ok(Self(None));
        };
        Ok(Self(
            fields
                .into_iter()
                .find_map(|(key, value)| value_of_field(&key, value)),
        ))
    }
}

fn value_of_field(key: &str, value: AnyJson) -> Option<span::Value> {
    use span::Value;
    Some(match (key, value) {
        ("stringValue", AnyJson::Text(text)) => Value::String(text),
        ("boolValue", AnyJson::Bool(value)) => Value::Bool(value),
        ("intValue", AnyJson::Int(number)) => Value::Int(number),
        ("intValue", AnyJson::Text(text)) => Value::Int(text.parse().ok()?),
        ("doubleValue", AnyJson::Double(number)) => Value::Double(number),
        ("doubleValue", AnyJson::Int(number)) => Value::Double(number as f64),
        // Rust reads `NaN` and `Infinity` as protobuf's JSON writes them.
        ("doubleValue", AnyJson::Text(text)) => Value::Double(text.parse().ok()?),
        ("arrayValue", AnyJson::Object(fields)) => {
            let values = fields.into_iter().find(|(key, _)| key == "values");
            let Some((_, AnyJson::Array(values))) = values else {
                return Some(Value::Array(Vec::new()));
            };
            let value = |value| match value {
                AnyJson::Object(fields) => fields
                    .into_iter()
                    .find_map(|(key, value)| value_of_field(&key, value)),
                _ => None,
            };
            Value::Array(values.into_iter().filter_map(value).collect())
        }
        ("kvlistValue", _) => Value::Other("{…}".to_owned()),
        ("bytesValue", AnyJson::Text(text)) => Value::Other(text),
        _ => return None,
    })
}

/// Any JSON, so that a field of an unexpected type does not spoil its line. Depth is bounded by
/// `serde_json`, size by the length of a line.
enum AnyJson {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Array(Vec<AnyJson>),
    Object(Vec<(String, AnyJson)>),
}

impl<'de> Deserialize<'de> for AnyJson {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = AnyJson;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<AnyJson, E> {
                Ok(AnyJson::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<AnyJson, E> {
                Ok(AnyJson::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<AnyJson, E> {
                Ok(AnyJson::Int(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<AnyJson, E> {
                Ok(i64::try_from(value).map_or(AnyJson::Double(value as f64), AnyJson::Int))
            }
            fn visit_f64<E>(self, value: f64) -> Result<AnyJson, E> {
                Ok(AnyJson::Double(value))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<AnyJson, E> {
                Ok(AnyJson::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AnyJson, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(AnyJson::Array(values))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyJson, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(AnyJson::Object(fields))
            }
        }

        from.deserialize_any(Any)
    }
}
