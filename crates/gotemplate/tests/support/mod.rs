//! The data and functions of the golden cases; `golden/main.go` has the same in Go.

use std::any::Any;
use std::collections::BTreeMap;

use serde_json::Value as Json;
use stagelink_gotemplate::{
    Function, FunctionTable, GoString, Kind, Limits, List, ListKind, Map, MapKind, MissingKey,
    Object, Parameter, Rest, Templates, Value,
};

/// A struct with a `String` method on its pointer.
#[derive(Debug)]
struct Version {
    version: &'static str,
    major: &'static str,
    minor: i64,
}

impl Object for Version {
    fn type_name(&self) -> &str {
        "*main.Version"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Version" => self.version.into(),
            "Major" => self.major.into(),
            "Minor" => Value::Int(self.minor),
            _ => return None,
        })
    }

    fn has_method(&self, name: &str) -> bool {
        matches!(name, "String" | "Refuse" | "Add")
    }

    fn parameters(&self, name: &str) -> Option<&'static [Parameter]> {
        Some(match name {
            "Refuse" => &[Parameter::String],
            "Add" => &[Parameter::Int, Parameter::Any],
            _ => &[],
        })
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        Some(match (name, arguments) {
            ("String", []) => Ok(self.version.into()),
            ("Refuse", [why]) => Err(format!("refused: {}", why.as_string()?)),
            ("Add", arguments) => {
                Ok(GoString::from(stagelink_gotemplate::fmt::sprint(arguments)).into())
            }
            _ => return None,
        })
    }

    fn print(&self, _: char) -> Vec<u8> {
        self.version.into()
    }
}

/// A named slice with a method.
#[derive(Debug)]
struct Set(&'static [&'static str]);

impl Object for Set {
    fn type_name(&self) -> &str {
        "main.Set"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn has_method(&self, name: &str) -> bool {
        name == "Has"
    }

    fn parameters(&self, _: &str) -> Option<&'static [Parameter]> {
        Some(&[Parameter::String])
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let [Value::String(wanted)] = arguments else {
            return None;
        };
        (name == "Has").then(|| Ok(self.0.iter().any(|item| wanted == item).into()))
    }

    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        let items = self.0.iter().zip(0..);
        Some(
            items
                .map(|(item, index)| (Value::Int(index), (*item).into()))
                .collect(),
        )
    }

    fn print(&self, _: char) -> Vec<u8> {
        format!("[{}]", self.0.join(" ")).into()
    }
}

fn typed() -> Value {
    let named = Map::with_kind(
        BTreeMap::from([
            ("x".into(), Value::Int(1)),
            ("y".into(), Value::map([("z", "deep".into())])),
        ]),
        MapKind::Named("main.Values"),
    );
    let labels = BTreeMap::from([("a".into(), "b".into()), ("empty".into(), "".into())]);
    let ints = vec![Value::Int(3), Value::Int(4)];
    Value::map([
        ("int", Value::Int(7)),
        ("int64", Value::Int64(8)),
        ("uint64", Value::Uint64(9)),
        ("strings", List::of_strings(["p", "q"]).into()),
        ("ints", List::with_kind(ints, ListKind::Int).into()),
        ("bytes", Value::Bytes(b"hey".as_slice().into())),
        ("labels", Map::with_kind(labels, MapKind::String).into()),
        ("named", named.into()),
        ("set", Value::object(Set(&["v1", "apps/v1"]))),
        (
            "version",
            Value::object(Version {
                version: "v1.36.0",
                major: "1",
                minor: 36,
            }),
        ),
    ])
}

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

fn data() -> Value {
    let json = serde_json::from_str(include_str!("../golden/data.json")).unwrap_or_default();
    let data = value(&json);
    if let Some(map) = data.as_map() {
        map.insert("typed", typed());
    }
    data
}

fn functions() -> FunctionTable {
    let mut table = FunctionTable::builtin();
    table.add("upper", |text: GoString| text.to_str_lossy().to_uppercase());
    table.add("add", |left: i64, right: i64| left.wrapping_add(right));
    table.add("list", |items: Rest<Value>| Value::list(items.0));
    table.add("dict", |key: GoString, entry: Value| {
        Value::map([(key, entry)])
    });
    table.add("int64", |number: i64| Value::Int64(number));
    table.add("nothing", || Value::Nil);
    table.add("half", |number: f64| number / 2.0);
    table.add("yes", |truth: bool| truth.to_string());
    table.add("first", |items: List| items.get(0).unwrap_or_default());
    table.add("joined", |separator: GoString, items: Rest<GoString>| {
        GoString::from(items.0.join(&*separator))
    });
    table.insert(Function::dynamic(
        "long",
        vec![Parameter::Int64],
        false,
        |_, mut arguments| Ok(arguments.remove(0)),
    ));
    table.add("refuse", |why: GoString| {
        Err::<Value, _>(format!("refused: {why}"))
    });
    table.add("set", |map: Option<Map>, key: GoString, entry: Value| {
        let map = map.ok_or_else(|| "assignment to entry in nil map".to_owned())?;
        map.insert(key, entry);
        Ok::<_, String>(map)
    });
    table
}

/// What a template gives, or its error as Go shows it.
pub(crate) fn execute(source: &str, option: &str) -> Result<Vec<u8>, String> {
    let missing_key = match option {
        "missingkey=error" => MissingKey::Error,
        "missingkey=default" => MissingKey::Invalid,
        _ => MissingKey::Zero,
    };
    let mut templates = Templates::new("case", functions()).with_missing_key(missing_key);
    templates
        .parse("case", source)
        .map_err(|error| error.to_string())?;
    templates
        .execute("case", data(), &Limits::default())
        .map_err(|error| error.to_string())
}
