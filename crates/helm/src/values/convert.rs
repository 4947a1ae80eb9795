//! Between JSON and template values.

use stagelink_gotemplate::Value;

/// JSON as templates see it when it came from a YAML or JSON document: every number is a `float64`.
///
/// ```
/// use stagelink_gotemplate::Value;
/// let value = stagelink_helm::values::from_json(&serde_json::json!({"port": 8080}));
/// assert!(matches!(value.as_map().and_then(|map| map.get("port")), Some(Value::Float(port)) if port == 8080.0));
/// ```
pub fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::list(items.iter().map(from_json)),
        serde_json::Value::Object(map) => Value::map(
            map.iter()
                .map(|(key, value)| (key.as_str(), from_json(value))),
        ),
    }
}

/// Values as JSON. What JSON cannot hold becomes null (objects of the program, numbers that are none); bytes that are no
/// UTF-8 become U+FFFD, as in Go.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Nil | Value::Object(_) => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) | Value::Int64(value) => (*value).into(),
        Value::Uint64(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(text) => text.to_str_lossy().into_owned().into(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
        Value::List(list) => list.items().iter().map(to_json).collect(),
        Value::Map(map) => map
            .entries()
            .iter()
            .map(|(key, value)| (key.to_str_lossy().into_owned(), to_json(value)))
            .collect(),
    }
}
