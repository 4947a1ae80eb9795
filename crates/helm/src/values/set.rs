//! The grammar of `--set` and its kin: Helm's `strvals`.

use super::convert::from_json;
use super::files::ReadFile;
use stagelink_gotemplate::{List, Map, Value};
use std::collections::BTreeMap;

const MAX_INDEX: usize = 65_536;
const MAX_NESTED_NAMES: usize = 30;
/// Lists in lists; Helm has no limit.
const MAX_NESTED_LISTS: usize = 64;
/// Places that one flag may add to lists; Helm has no limit, and 20 letters can cost it 65,537 places.
const MAX_NEW_PLACES: usize = 1_000_000;

/// How values are read.
#[derive(Clone, Copy)]
pub enum SetKind<'program> {
    /// `--set`: whole numbers, `true`, `false`, `null` are taken as such.
    Typed,
    /// `--set-string`
    Text,
    /// `--set-file`: the value is a path.
    File(ReadFile<'program>),
    /// `--set-json`
    Json,
    /// `--set-literal`: everything behind the first `=` is the value.
    Literal,
}

impl SetKind<'_> {
    pub(crate) fn flag(&self) -> &'static str {
        match self {
            Self::Typed => "--set",
            Self::Text => "--set-string",
            Self::File(_) => "--set-file",
            Self::Json => "--set-json",
            Self::Literal => "--set-literal",
        }
    }
}

/// Why a flag cannot be understood; the texts are Helm's, without values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SetError(String);

type Result<T> = std::result::Result<T, SetError>;

fn fail<T>(message: impl Into<String>) -> Result<T> {
    Err(SetError(message.into()))
}

/// Whether there may be another key behind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Key,
    End,
}

/// Sets what a flag's text says.
///
/// ```
/// use stagelink_helm::values::{SetKind, set, to_json};
/// let values = stagelink_gotemplate::Map::new(Default::default());
/// set(SetKind::Typed, r"a.b[1].c=1,node\.role={x,null},off=false", &values)?;
/// assert_eq!(
///     to_json(&values.into()),
///     serde_json::json!({"a": {"b": [null, {"c": 1}]}, "node.role": ["x", null], "off": false}),
/// );
/// # Ok::<(), stagelink_helm::values::SetError>(())
/// ```
///
/// # Errors
/// A text that does not follow the grammar, or goes against what is already there.
pub fn set(kind: SetKind<'_>, text: &str, values: &Map) -> Result<()> {
    let mut parser = Parser {
        rest: text,
        kind,
        new_places: 0,
    };
    while parser.key(values, 0)? == Next::Key {}
    Ok(())
}

struct Parser<'text, 'program> {
    rest: &'text str,
    kind: SetKind<'program>,
    new_places: usize,
}

impl Parser<'_, '_> {
    fn take(&mut self) -> Option<char> {
        let mut letters = self.rest.chars();
        let letter = letters.next();
        self.rest = letters.as_str();
        letter
    }

    /// Everything up to one of these letters, and which; none at the end. A `\` takes the next letter as it is.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let escapes = !matches!(self.kind, SetKind::Literal);
        let mut taken = String::new();
        while let Some(letter) = self.take() {
            if stops.contains(&letter) {
                return (taken, Some(letter));
            }
            if letter == '\\' && escapes {
                match self.take() {
                    Some(next) => taken.push(next),
                    None => break,
                }
            } else {
                taken.push(letter);
            }
        }
        (taken, None)
    }

    fn key(&mut self, map: &Map, level: usize) -> Result<Next> {
        let stops: &[char] = if matches!(self.kind, SetKind::Literal) {
            &['=', '[', '.']
        } else {
            &['=', '[', ',', '.']
        };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Ok(Next::End),
            None => fail(format!("key {key:?} has no value")),
            Some('[') => {
                let index = self.index()?;
                let mut list = match map.get(&key) {
                    None => Vec::new(),
                    Some(Value::List(list)) => list.to_vec(),
                    Some(other) => return wrong_kind(&other, "[]interface {}"),
                };
                let next = self.item(&mut list, index, level, 0);
                put(map, &key, Value::List(List::new(list)));
                next
            }
            Some('.') => {
                if level + 1 > MAX_NESTED_NAMES {
                    return fail(format!(
                        "value name nested level is greater than maximum supported nested level of {MAX_NESTED_NAMES}"
                    ));
                }
                let inner = match map.get(&key) {
                    None => Map::new(BTreeMap::new()),
                    Some(Value::Map(inner)) => inner,
                    Some(other) => return wrong_kind(&other, "map[string]interface {}"),
                };
                let next = self.key(&inner, level + 1);
                if !inner.is_empty() {
                    put(map, &key, Value::Map(inner));
                } else if next == Ok(Next::Key) {
                    return fail(format!("key map {key:?} has no value"));
                }
                next
            }
            Some(',') => {
                put(map, &key, Value::from(""));
                fail(format!("key {key:?} has no value (cannot end with ,)"))
            }
            Some(_) => {
                let at_end =
                    self.rest.is_empty() && !matches!(self.kind, SetKind::Json | SetKind::Literal);
                let value = self.value()?;
                put(map, &key, value);
                Ok(if at_end { Next::End } else { Next::Key })
            }
        }
    }

    fn index(&mut self) -> Result<i64> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return fail("error parsing index: EOF");
        }
        text.parse().or_else(|_| {
            fail(format!(
                "error parsing index: strconv.Atoi: parsing {text:?}: invalid syntax"
            ))
        })
    }

    fn item(
        &mut self,
        list: &mut Vec<Value>,
        index: i64,
        level: usize,
        depth: usize,
    ) -> Result<Next> {
        let Ok(at) = usize::try_from(index) else {
            return fail(format!("negative {index} index not allowed"));
        };
        if depth >= MAX_NESTED_LISTS {
            return fail(format!("lists are nested deeper than {MAX_NESTED_LISTS}"));
        }
        let (text, stop) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            return fail(format!("unexpected data at end of array index: {text:?}"));
        }
        match stop {
            None => return Ok(Next::End),
            Some('[') => {
                let next_index = self.index()?;
                let mut inner = match list.get(at) {
                    None | Some(Value::Nil) => Vec::new(),
                    Some(Value::List(inner)) => inner.to_vec(),
                    Some(other) => return wrong_kind(other, "[]interface {}"),
                };
                if self.item(&mut inner, next_index, level, depth + 1)? == Next::End {
                    return Ok(Next::End);
                }
                self.put_at(list, at, Value::List(List::new(inner)))?;
            }
            Some('.') => {
                let inner = match list.get(at) {
                    Some(Value::Map(inner)) => inner.clone(),
                    Some(_) => {
                        let inner = Map::new(BTreeMap::new());
                        list[at] = Value::Map(inner.clone());
                        inner
                    }
                    None => Map::new(BTreeMap::new()),
                };
                // Helm forgets the place when the text ends here (`a[0].b=`).
                if self.key(&inner, level)? == Next::End {
                    return Ok(Next::End);
                }
                self.put_at(list, at, Value::Map(inner))?;
            }
            Some(_) => {
                let value = self.value()?;
                self.put_at(list, at, value)?;
            }
        }
        Ok(Next::Key)
    }

    fn put_at(&mut self, list: &mut Vec<Value>, at: usize, value: Value) -> Result<()> {
        if at > MAX_INDEX {
            return fail(format!(
                "index of {at} is greater than maximum supported index of {MAX_INDEX}"
            ));
        }
        if at >= list.len() {
            self.new_places += at + 1 - list.len();
            if self.new_places > MAX_NEW_PLACES {
                return fail(format!("more than {MAX_NEW_PLACES} new places in lists"));
            }
            list.resize(at + 1, Value::Nil);
        }
        list[at] = value;
        Ok(())
    }

    /// What stands behind `=`.
    fn value(&mut self) -> Result<Value> {
        match self.kind {
            SetKind::Json => self.json(),
            SetKind::Literal => Ok(Value::from(std::mem::take(&mut self.rest))),
            _ if self.rest.is_empty() => Ok(Value::from("")),
            _ => match self.rest.strip_prefix('{') {
                Some(rest) => {
                    self.rest = rest;
                    self.list()
                }
                None => {
                    let (text, _) = self.until(&[',']);
                    self.scalar(text)
                }
            },
        }
    }

    fn list(&mut self) -> Result<Value> {
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            match stop {
                None => return fail("list must terminate with '}'"),
                Some(stop) => {
                    items.push(self.scalar(text)?);
                    if stop == '}' {
                        self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                        return Ok(Value::list(items));
                    }
                }
            }
        }
    }

    fn json(&mut self) -> Result<Value> {
        if self.skip_separator() {
            return Ok(Value::Nil);
        }
        let mut stream =
            serde_json::Deserializer::from_str(self.rest).into_iter::<serde_json::Value>();
        let value = match stream.next() {
            Some(Ok(value)) => from_json(&value),
            Some(Err(error)) => return fail(format!("not JSON: {error}")),
            None => return fail("not JSON: EOF"),
        };
        self.rest = &self.rest[stream.byte_offset()..];
        self.skip_separator();
        Ok(value)
    }

    /// Skips blanks and one comma; true if there was a comma or nothing else.
    fn skip_separator(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(',') {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => self.rest.is_empty(),
        }
    }

    fn scalar(&self, text: String) -> Result<Value> {
        match self.kind {
            SetKind::Typed => Ok(typed(text)),
            SetKind::File(read) => match read(&text) {
                Ok(data) => Ok(Value::String(data.into())),
                Err(error) => fail(format!("{text}: {error}")),
            },
            _ => Ok(Value::from(text)),
        }
    }
}

fn typed(text: String) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Nil;
    }
    match text.parse() {
        Ok(number) if text == "0" || !text.starts_with('0') => Value::Int64(number),
        _ => Value::from(text),
    }
}

/// An empty key is not set.
fn put(map: &Map, key: &str, value: Value) {
    if !key.is_empty() {
        map.insert(key, value);
    }
}

/// Go's panic at a wrong kind of value, which Helm reports.
fn wrong_kind<T>(found: &Value, wanted: &str) -> Result<T> {
    let found = match found {
        Value::Nil => "nil",
        other => other.type_name(),
    };
    fail(format!(
        "unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::to_json;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn apply(kind: SetKind<'_>, text: &str) -> std::result::Result<serde_json::Value, String> {
        let values = Map::new(BTreeMap::new());
        set(kind, text, &values).map_err(|error| error.to_string())?;
        Ok(to_json(&values.into()))
    }

    #[test]
    fn set_reads_as_helm() {
        for (text, values) in [
            ("", json!({})),
            (
                "a=1,b=two,c=true,d=null",
                json!({"a": 1, "b": "two", "c": true, "d": null}),
            ),
            (
                "a=01,b=0,c=1.5,d=-3,e=TRUE",
                json!({"a": "01", "b": 0, "c": "1.5", "d": -3, "e": true}),
            ),
            ("a=", json!({"a": ""})),
            ("a=,b=1", json!({"a": "", "b": 1})),
            ("a={}", json!({"a": [""]})),
            ("a={b,1},c={d}", json!({"a": ["b", 1], "c": ["d"]})),
            ("a.b.c=1,a.b.d=2", json!({"a": {"b": {"c": 1, "d": 2}}})),
            ("a[0]=x,a[2]=y", json!({"a": ["x", null, "y"]})),
            ("a[0].b=1,a[0].c=2", json!({"a": [{"b": 1, "c": 2}]})),
            ("a[1][0]=x", json!({"a": [null, ["x"]]})),
            ("a[0].b=", json!({"a": []})),
            ("a=b\\,c,d\\.e=f", json!({"a": "b,c", "d.e": "f"})),
            ("a=b=c", json!({"a": "b=c"})),
            ("=x", json!({})),
        ] {
            assert_eq!(apply(SetKind::Typed, text), Ok(values), "{text}");
        }
    }

    #[test]
    fn the_other_kinds() {
        assert_eq!(
            apply(SetKind::Text, "a=1,b=null"),
            Ok(json!({"a": "1", "b": "null"}))
        );
        assert_eq!(
            apply(SetKind::Literal, "a.b=x,y=\\{1}"),
            Ok(json!({"a": {"b": "x,y=\\{1}"}}))
        );
        let json = "a=[1, {\"b\": null}] ,c=\"x\",d=,e=true";
        assert_eq!(
            apply(SetKind::Json, json),
            Ok(json!({"a": [1.0, {"b": null}], "c": "x", "d": null, "e": true}))
        );
        let read = |path: &str| match path {
            "here" => Ok(b"text\n".to_vec()),
            _ => Err(std::io::Error::other("no such file")),
        };
        assert_eq!(
            apply(SetKind::File(&read), "a=here"),
            Ok(json!({"a": "text\n"}))
        );
        assert_eq!(
            apply(SetKind::File(&read), "a=there"),
            Err("there: no such file".into())
        );
    }

    #[test]
    fn what_is_wrong_is_said_as_helm_says_it() {
        for (text, message) in [
            ("a", "key \"a\" has no value"),
            ("a,b=1", "key \"a\" has no value (cannot end with ,)"),
            ("a={b", "list must terminate with '}'"),
            (
                "a[x]=1",
                "error parsing index: strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            ("a[-1]=1", "negative -1 index not allowed"),
            (
                "a[65537]=1",
                "index of 65537 is greater than maximum supported index of 65536",
            ),
            ("a[0]b=1", "unexpected data at end of array index: \"b\""),
            (
                "a=1,a.b=2",
                "unable to parse key: interface conversion: interface {} is int64, not map[string]interface {}",
            ),
            (
                "a=1,a[0]=2",
                "unable to parse key: interface conversion: interface {} is int64, not []interface {}",
            ),
        ] {
            assert_eq!(apply(SetKind::Typed, text), Err(message.into()), "{text}");
        }
        let deep = format!("{}=1", vec!["a"; 33].join("."));
        assert!(apply(SetKind::Typed, &deep).is_err());
        let many: Vec<_> = (0..20).map(|index| format!("a{index}[65000]=1")).collect();
        assert!(apply(SetKind::Typed, &many.join(",")).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,40}|[a-c0-9.=,\\[\\]{}\\\\\" ]{0,40}") {
            for kind in [SetKind::Typed, SetKind::Text, SetKind::Json, SetKind::Literal] {
                let _ = apply(kind, &text);
            }
        }

        #[test]
        fn a_literal_is_what_it_was(text in "\\PC{0,40}") {
            prop_assert_eq!(apply(SetKind::Literal, &format!("a.b={text}")), Ok(json!({"a": {"b": text}})));
        }
    }
}
