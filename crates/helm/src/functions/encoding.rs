//! YAML and JSON: `toYaml`, `fromYaml`, `toJson`, `fromJson` and their kin.

use stagelink_gotemplate::{FunctionError, FunctionTable, GoString, List, Map, Value};

use super::json::{self, Style};
use super::shared::{NIL_LIST, NIL_STRING_MAP, NIL_STRINGS};
use crate::objects::plain_value;

/// Deepest nesting that becomes YAML.
const MAXIMUM_DEPTH: usize = 500;

/// Most scalars, lists and maps that become YAML.
const MAXIMUM_NODES: u64 = 1 << 22;

const COMPACT: Style = Style {
    pretty: false,
    escape_html: true,
};
const PRETTY: Style = Style {
    pretty: true,
    escape_html: true,
};
const RAW: Style = Style {
    pretty: false,
    escape_html: false,
};

/// What Go says before it tells that JSON has another type than was wanted.
const DECODING: &str = "error unmarshaling JSON: while decoding JSON: ";

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable) {
    table.add("fromJson", |text: GoString| as_map(json::read(&text), ""));
    table.add("fromJsonArray", |text: GoString| {
        as_list(json::read(&text), "")
    });
    table.add("fromYaml", |text: GoString| {
        as_map(read_yaml(&text), DECODING)
    });
    table.add("fromYamlArray", |text: GoString| {
        as_list(read_yaml(&text), DECODING)
    });
    table.add("mustFromJson", |text: GoString| json::read(&text));
    table.add("mustToJson", |value: Value| {
        json::write(&value, COMPACT).map(GoString::from)
    });
    table.add("mustToPrettyJson", |value: Value| {
        json::write(&value, PRETTY).map(GoString::from)
    });
    for name in ["toRawJson", "mustToRawJson"] {
        table.add(name, |value: Value| {
            json::write(&value, RAW).map(GoString::from)
        });
    }
    table.add("mustToYaml", |value: Value| yaml(&value));
    table.add("toJson", |value: Value| {
        or_nothing(json::write(&value, COMPACT)).map(GoString::from)
    });
    table.add("toPrettyJson", |value: Value| {
        or_nothing(json::write(&value, PRETTY)).map(GoString::from)
    });
    table.add("toYaml", |value: Value| or_nothing(yaml(&value)));
}

/// Helm gives an empty text for what cannot be encoded; a limit is an error all the same.
fn or_nothing<T: Default>(written: Result<T, FunctionError>) -> Result<T, FunctionError> {
    match written {
        Err(limit @ FunctionError::Limit(_)) => Err(limit),
        other => Ok(other.unwrap_or_default()),
    }
}

/// `toYaml`: the text without its last line end.
pub(crate) fn yaml(value: &Value) -> Result<String, FunctionError> {
    let mut text = stagelink_yaml::emit(&to_json(value)?).map_err(|error| error.to_string())?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

fn read_yaml(source: &[u8]) -> Result<Value, String> {
    match stagelink_yaml::to_json(source) {
        Ok(json) => Ok(from_json(&json)),
        Err(error) => Err(format!("error converting YAML to JSON: {error}")),
    }
}

/// A map, or a map with the text of the error.
fn as_map(read: Result<Value, String>, prefix: &str) -> Value {
    let fault = match read {
        Ok(Value::Map(map)) => return Value::Map(map),
        Ok(Value::Nil) => return Value::Map(Map::new(Default::default())),
        Ok(other) => {
            let found = json_type(&other);
            format!(
                "{prefix}json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
            )
        }
        Err(fault) => fault,
    };
    Value::map([("Error", Value::string(fault))])
}

/// A list, or a list of the text of the error.
fn as_list(read: Result<Value, String>, prefix: &str) -> List {
    let fault = match read {
        Ok(Value::List(list)) => return list,
        Ok(Value::Nil) => return List::with_kind(Vec::new(), NIL_LIST),
        Ok(other) => {
            let found = json_type(&other);
            format!("{prefix}json: cannot unmarshal {found} into Go value of type []interface {{}}")
        }
        Err(fault) => fault,
    };
    List::new(vec![Value::string(fault)])
}

/// Go's name for a JSON type in error texts.
pub(crate) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Nil => "null",
        Value::Bool(_) => "bool",
        Value::String(_) | Value::Bytes(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) | Value::Object(_) => "object",
        Value::Int(_) | Value::Int64(_) | Value::Uint64(_) | Value::Float(_) => "number",
    }
}

/// A template value as JSON.
///
/// # Errors
/// Numbers that JSON cannot hold, types it does not know, and nesting beyond all reason.
pub(crate) fn to_json(value: &Value) -> Result<serde_json::Value, FunctionError> {
    as_json(value, 0, &mut 0)
}

fn as_json(
    value: &Value,
    depth: usize,
    count: &mut u64,
) -> Result<serde_json::Value, FunctionError> {
    use serde_json::Value as Json;
    *count += 1;
    if depth > MAXIMUM_DEPTH || *count > MAXIMUM_NODES {
        return Err(FunctionError::Limit(format!(
            "the value is nested deeper than {MAXIMUM_DEPTH} or has more than {MAXIMUM_NODES} parts"
        )));
    }
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(number) | Value::Int64(number) => Json::from(*number),
        Value::Uint64(number) => Json::from(*number),
        Value::Float(number) => {
            let number = serde_json::Number::from_f64(*number)
                .ok_or_else(|| format!("json: unsupported value: {number}"))?;
            Json::Number(number)
        }
        Value::String(text) => Json::String(valid(text)),
        Value::Bytes(bytes) => {
            use base64::Engine as _;
            Json::String(base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        Value::List(list) if matches!(list.kind(), NIL_LIST | NIL_STRINGS) => Json::Null,
        Value::List(list) => Json::Array(
            list.items()
                .iter()
                .map(|item| as_json(item, depth + 1, count))
                .collect::<Result<_, _>>()?,
        ),
        Value::Map(map) if map.kind() == NIL_STRING_MAP => Json::Null,
        Value::Map(map) => {
            let entries = map.entries();
            let entries = entries
                .iter()
                .map(|(key, value)| Ok((valid(key), as_json(value, depth + 1, count)?)));
            Json::Object(entries.collect::<Result<_, FunctionError>>()?)
        }
        Value::Object(_) => match plain_value(value) {
            Some(plain) => as_json(&plain, depth + 1, count)?,
            None => return Err(format!("json: unsupported type: {}", value.type_name()).into()),
        },
    })
}

/// Text as JSON holds it: each invalid byte is one U+FFFD.
fn valid(text: &GoString) -> String {
    text.to_str()
        .map_or_else(|| super::text::runes(text).collect(), str::to_owned)
}

/// JSON as a template value: every number is a `float64`, as Helm has it.
pub(crate) fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::list(items.iter().map(from_json)),
        serde_json::Value::Object(entries) => Value::map(
            entries
                .iter()
                .map(|(key, value)| (key.as_str(), from_json(value))),
        ),
    }
}
