//! Compares with what Go's own text/template gives for the same templates.
//!
//! `tests/golden/main.go` makes `expected.json` again from `cases.txt` and `data.json`.

use serde_json::Value as Json;
use stagelink_gotemplate::{
    FunctionTable, GoString, Limits, Map, MissingKey, Rest, Templates, Value,
};

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::list(items.iter().map(value)),
        Json::Object(entries) => Value::map(
            entries
                .iter()
                .map(|(key, entry)| (key.as_str(), value(entry))),
        ),
    }
}

fn functions() -> FunctionTable {
    let mut table = FunctionTable::builtin();
    table.add("upper", |text: GoString| text.to_str_lossy().to_uppercase());
    table.add("add", |left: i64, right: i64| left + right);
    table.add("list", |items: Rest<Value>| Value::list(items.0));
    table.add("dict", |key: GoString, entry: Value| {
        Value::map([(key, entry)])
    });
    table.add("int64", |number: i64| Value::Int64(number));
    table.add("nothing", || Value::Nil);
    table.add("set", |map: Option<Map>, key: GoString, entry: Value| {
        let map = map.ok_or_else(|| "assignment to entry in nil map".to_owned())?;
        map.insert(key, entry);
        Ok::<_, String>(map)
    });
    table
}

#[test]
fn templates_give_what_go_gives() {
    let data: Json = serde_json::from_str(include_str!("golden/data.json")).unwrap();
    let expected: Vec<Json> = serde_json::from_str(include_str!("golden/expected.json")).unwrap();
    assert!(expected.len() > 200);
    let mut different = Vec::new();
    for case in &expected {
        let source = case["template"].as_str().unwrap();
        let mut templates = Templates::new("case", functions()).with_missing_key(MissingKey::Zero);
        let result = templates
            .parse("case", source)
            .map_err(|error| error.to_string())
            .and_then(|()| {
                templates
                    .execute("case", value(&data), &Limits::default())
                    .map_err(|error| error.to_string())
            });
        let (ours, theirs) = match &result {
            Ok(text) => {
                let output = case["output"].as_str().unwrap_or("");
                let theirs = case["error"]
                    .as_str()
                    .map_or_else(|| output.to_owned(), |error| format!("ERROR {error}"));
                (String::from_utf8_lossy(text).into_owned(), theirs)
            }
            Err(error) => (
                error.clone(),
                case["error"].as_str().map_or_else(
                    || format!("OUTPUT {}", case["output"].as_str().unwrap_or("")),
                    str::to_owned,
                ),
            ),
        };
        if ours != theirs {
            different.push(format!("{source}\n  ours: {ours}\n  Go's: {theirs}"));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {} differ:\n{}",
        different.len(),
        expected.len(),
        different.join("\n")
    );
}
