//! The functions that every template has (Go 1.26's `text/template/funcs.go`).

use crate::error::FunctionError;
use crate::execute::Operand;
use crate::fmt::{sprint, sprintf, sprintln};
use crate::function::{Function, FunctionTable, Parameter, Rest, Special};
use crate::value::{GoString, Kind, List, Value};

type Result<T> = std::result::Result<T, FunctionError>;

impl FunctionTable {
    /// A table with Go's own functions.
    pub fn builtin() -> Self {
        let mut table = Self::empty();
        table.special("and", Special::And, 1, true);
        table.special("or", Special::Or, 1, true);
        table.special("call", Special::Call, 1, true);
        table.special("len", Special::Reflect(len), 1, false);
        table.special("slice", Special::Reflect(slice), 1, true);
        table.add("eq", eq);
        table.add("ge", |left: Value, right: Value| {
            less(&left, &right).map(|less| !less)
        });
        table.add("gt", |left: Value, right: Value| {
            less_or_equal(&left, &right).map(|less| !less)
        });
        table.add("html", |values: Rest<Value>| html(&text(&values.0)));
        table.add("index", index);
        table.add("js", |values: Rest<Value>| js(&text(&values.0)));
        table.add("le", |left: Value, right: Value| {
            less_or_equal(&left, &right)
        });
        table.add("lt", |left: Value, right: Value| less(&left, &right));
        table.add("ne", ne);
        table.add("not", |value: Value| !value.is_true());
        table.add("print", |values: Rest<Value>| {
            GoString::from(sprint(&values.0))
        });
        table.add("printf", |format: GoString, values: Rest<Value>| {
            GoString::from(sprintf(&format, &values.0))
        });
        table.add("println", |values: Rest<Value>| {
            GoString::from(sprintln(&values.0))
        });
        table.add("urlquery", |values: Rest<Value>| urlquery(&text(&values.0)));
        table
    }

    /// Adds a function that the evaluator knows.
    fn special(&mut self, name: &str, special: Special, least: usize, is_variadic: bool) {
        let parameters = vec![Parameter::Any; least + usize::from(is_variadic)];
        let function = Function::dynamic(name, parameters, is_variadic, |_, _| Ok(Value::Nil));
        self.insert(Function {
            special: Some(special),
            ..function
        });
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// The operands as one text, as `print` gives it; a nil is `<no value>` (Go's `evalArgs`).
fn text(values: &[Value]) -> Vec<u8> {
    let shown: Vec<Value> = values
        .iter()
        .map(|value| match value {
            Value::Nil => "<no value>".into(),
            other => other.clone(),
        })
        .collect();
    sprint(&shown)
}

/// The error of `call`: there are no values that are functions.
pub(crate) fn call(name: &str, function: Option<&Value>) -> FunctionError {
    match function {
        None | Some(Value::Nil) => "call of nil".into(),
        Some(other) => format!("non-function {name} of type {}", other.type_name()).into(),
    }
}

/// The kinds that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basic {
    Bool,
    Float,
    Int,
    Uint,
    String,
}

fn basic(value: &Value) -> Option<Basic> {
    Some(match value.kind() {
        Kind::Bool => Basic::Bool,
        Kind::Float64 => Basic::Float,
        Kind::Int | Kind::Int64 => Basic::Int,
        Kind::Uint64 => Basic::Uint,
        Kind::String => Basic::String,
        _ => return None,
    })
}

fn incompatible(left: &Value, right: &Value) -> FunctionError {
    format!(
        "incompatible types for comparison: {} and {}",
        left.type_name(),
        right.type_name()
    )
    .into()
}

fn eq(first: Value, others: Rest<Value>) -> Result<bool> {
    if others.0.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in &others.0 {
        if equal(&first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn ne(left: Value, right: Value) -> Result<bool> {
    equal(&left, &right).map(|equal| !equal)
}

fn equal(left: &Value, right: &Value) -> Result<bool> {
    match (left, right) {
        (Value::Nil, Value::Nil) => return Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => return Ok(false),
        (Value::Int(signed) | Value::Int64(signed), Value::Uint64(unsigned))
        | (Value::Uint64(unsigned), Value::Int(signed) | Value::Int64(signed)) => {
            return Ok(u64::try_from(*signed) == Ok(*unsigned));
        }
        _ => {}
    }
    match (basic(left), basic(right)) {
        (Some(one), Some(other)) if one == other => Ok(match (left, right) {
            (Value::Bool(left), Value::Bool(right)) => left == right,
            (Value::Float(left), Value::Float(right)) => left == right,
            (Value::String(left), Value::String(right)) => left == right,
            _ => left.as_integer() == right.as_integer(),
        }),
        (None, None) => match (left, right) {
            (Value::Object(one), Value::Object(other)) => Ok(one.is_equal(&**other)),
            _ => {
                let show = |format: &[u8], value: &Value| {
                    let text = sprintf(format, std::slice::from_ref(value));
                    String::from_utf8_lossy(&text).into_owned()
                };
                let types = (left.type_name(), right.type_name());
                // Go prints value and type the other way round for the second one.
                Err(if left.kind() == right.kind() {
                    format!("non-comparable type {}: {}", show(b"%s", right), types.1)
                } else {
                    format!(
                        "non-comparable types {}: {}, {}: {}",
                        show(b"%s", left),
                        types.0,
                        types.1,
                        show(b"%v", right)
                    )
                }
                .into())
            }
        },
        _ => Err(incompatible(left, right)),
    }
}

fn less(left: &Value, right: &Value) -> Result<bool> {
    let invalid = || FunctionError::new("invalid type for comparison");
    let (Some(one), Some(other)) = (basic(left), basic(right)) else {
        return Err(invalid());
    };
    match (left, right) {
        (Value::Int(signed) | Value::Int64(signed), Value::Uint64(unsigned)) => {
            Ok(u64::try_from(*signed).is_ok_and(|signed| signed < *unsigned) || *signed < 0)
        }
        (Value::Uint64(unsigned), Value::Int(signed) | Value::Int64(signed)) => {
            Ok(u64::try_from(*signed).is_ok_and(|signed| *unsigned < signed))
        }
        _ if one != other => Err(incompatible(left, right)),
        (Value::Float(left), Value::Float(right)) => Ok(left < right),
        (Value::String(left), Value::String(right)) => Ok(left < right),
        (Value::Bool(_), _) => Err(invalid()),
        (Value::Uint64(left), Value::Uint64(right)) => Ok(left < right),
        _ => Ok(left.as_integer() < right.as_integer()),
    }
}

fn less_or_equal(left: &Value, right: &Value) -> Result<bool> {
    Ok(less(left, right)? || equal(left, right)?)
}

fn len(operands: &[Operand]) -> Result<Value> {
    let Some(value) = operands.first().and_then(Operand::value) else {
        return Err("reflect: call of reflect.Value.Type on zero Value".into());
    };
    let no_length = || FunctionError::from(format!("len of type {}", value.type_name()));
    let length = match value {
        Value::Nil => return Err("len of nil pointer".into()),
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Object(object) => object.entries().ok_or_else(no_length)?.len(),
        _ => return Err(no_length()),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

/// Reads an index or bound, up to a limit (Go's `indexArg`).
fn position(index: &Value, limit: usize) -> Result<usize> {
    let number = match index {
        Value::Nil => return Err("cannot index slice/array with nil".into()),
        Value::Int(number) | Value::Int64(number) => *number,
        Value::Uint64(number) => i64::try_from(*number).unwrap_or(i64::MAX),
        other => {
            return Err(format!("cannot index slice/array with type {}", other.type_name()).into());
        }
    };
    usize::try_from(number)
        .ok()
        .filter(|number| *number <= limit)
        .ok_or_else(|| format!("index out of range: {number}").into())
}

fn index(item: Value, indexes: Rest<Value>) -> Result<Value> {
    if item.is_nil() {
        return Err("index of untyped nil".into());
    }
    let out_of_range =
        |what| move || FunctionError::new(format!("reflect: {what} index out of range"));
    let mut item = item;
    for index in &indexes.0 {
        item = match &item {
            Value::Nil => return Err("index of nil pointer".into()),
            Value::List(list) => {
                let position = position(index, list.len())?;
                list.get(position).ok_or_else(out_of_range("slice"))?
            }
            Value::Bytes(bytes) => {
                let byte = bytes.get(position(index, bytes.len())?);
                Value::Uint64(u64::from(*byte.ok_or_else(out_of_range("slice"))?))
            }
            Value::String(text) => {
                let byte = text.get(position(index, text.len())?);
                Value::Uint64(u64::from(*byte.ok_or_else(out_of_range("string"))?))
            }
            Value::Map(map) => match map.get(key(index)?) {
                Some(value) => value,
                None if map.kind() == crate::value::MapKind::String => "".into(),
                None => Value::Nil,
            },
            Value::Object(object) => match object.entries() {
                Some(mut entries) if object.kind() == Kind::Slice => {
                    let position = position(index, entries.len())?;
                    if position == entries.len() {
                        return Err(out_of_range("slice")());
                    }
                    entries.swap_remove(position).1
                }
                Some(entries) => entries
                    .into_iter()
                    .find(|(key, _)| key.deep_equal(index))
                    .map(|(_, value)| value)
                    .unwrap_or_default(),
                None => return Err(cannot_index(&item)),
            },
            _ => return Err(cannot_index(&item)),
        };
    }
    Ok(item)
}

fn cannot_index(item: &Value) -> FunctionError {
    format!("can't index item of type {}", item.type_name()).into()
}

fn key(index: &Value) -> Result<&GoString> {
    match index {
        Value::String(key) => Ok(key),
        Value::Nil => Err("value is nil; should be of type string".into()),
        other => Err(format!("value has type {}; should be string", other.type_name()).into()),
    }
}

fn slice(operands: &[Operand]) -> Result<Value> {
    let (item, indexes) = match operands.split_first() {
        Some((item, indexes)) => (item.value().unwrap_or(&Value::Nil), indexes),
        None => (&Value::Nil, operands),
    };
    if item.is_nil() {
        return Err("slice of untyped nil".into());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()).into());
    }
    let length = match item {
        Value::String(_) if indexes.len() == 3 => {
            return Err("cannot 3-index slice a string".into());
        }
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name()).into()),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = match index {
            // Go does not look into interfaces here, though `index` does.
            Operand::Boxed(_) => {
                return Err("cannot index slice/array with type interface {}".into());
            }
            Operand::Plain(index) => position(index, length)?,
            Operand::Invalid => position(&Value::Nil, length)?,
        };
    }
    let [start, end, capacity] = bounds;
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}").into());
    }
    if indexes.len() == 3 && end > capacity {
        return Err(format!("invalid slice index: {end} > {capacity}").into());
    }
    Ok(match item {
        Value::String(text) => Value::String(text[start..end].into()),
        Value::Bytes(bytes) => Value::Bytes(bytes[start..end].into()),
        Value::List(list) => Value::List(List::with_kind(
            list.items()[start..end].to_vec(),
            list.kind(),
        )),
        _ => Value::Nil,
    })
}

fn html(text: &[u8]) -> GoString {
    let mut escaped = Vec::with_capacity(text.len());
    for byte in text {
        let replacement: &[u8] = match byte {
            0 => "\u{fffd}".as_bytes(),
            b'"' => b"&#34;",
            b'\'' => b"&#39;",
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            _ => {
                escaped.push(*byte);
                continue;
            }
        };
        escaped.extend_from_slice(replacement);
    }
    escaped.into()
}

fn js(text: &[u8]) -> GoString {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((character, width)) = crate::parse::decode(rest) {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '\'' => escaped.push_str("\\'"),
            '"' => escaped.push_str("\\\""),
            '<' | '>' | '&' | '=' | '\0'..='\u{1f}' | '\u{7f}' => {
                escaped.push_str(&format!("\\u{:04X}", u32::from(character)));
            }
            character if character.is_ascii() => escaped.push(character),
            character => {
                if crate::strconv::quote(&rest[..width]).starts_with("\"\\") {
                    escaped.push_str(&format!("\\u{:04X}", u32::from(character)));
                } else {
                    escaped.push(character);
                }
            }
        }
        rest = &rest[width..];
    }
    escaped.into()
}

fn urlquery(text: &[u8]) -> GoString {
    let mut escaped = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(*byte));
            }
            b' ' => escaped.push('+'),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped.into()
}
