//! JSON as Go's `encoding/json` writes and reads it.
//!
//! Writing: sorted keys, `<`, `>`, `&` escaped (but for the raw form), `1e+21` and `1e-7` for very large and small numbers.
//! Reading: every number is a `float64`, and errors are worded as Go words them.

use std::collections::BTreeMap;

use base64::Engine as _;
use stagelink_gotemplate::{FunctionError, GoString, List, ListKind, Map, MapKind, Value};

use super::shared::{NIL_LIST, NIL_STRING_MAP, NIL_STRINGS, check_text};
use super::text::{RUNE_ERROR, decode_rune, push_rune};
use crate::objects::plain_value;

/// Deepest nesting that is written or read; Go reads 10,000.
const MAXIMUM_DEPTH: usize = 500;

/// How to write.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    /// Two spaces for each level, one element per line.
    pub(crate) pretty: bool,
    /// `<`, `>` and `&` as `\u003c`, `\u003e` and `\u0026`.
    pub(crate) escape_html: bool,
}

/// `json.Marshal` and its variants.
///
/// # Errors
/// Infinite and NaN numbers, and nesting beyond all reason.
pub(crate) fn write(value: &Value, style: Style) -> Result<Vec<u8>, FunctionError> {
    let mut writer = Writer {
        out: Vec::new(),
        style,
    };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    style: Style,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), FunctionError> {
        check_text(self.out.len() as u64)?;
        if depth > MAXIMUM_DEPTH {
            return Err(FunctionError::Limit(format!(
                "json: values are nested deeper than {MAXIMUM_DEPTH}"
            )));
        }
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::Bool(value) => self.out.extend_from_slice(value.to_string().as_bytes()),
            Value::Int(number) | Value::Int64(number) => {
                self.out.extend_from_slice(number.to_string().as_bytes())
            }
            Value::Uint64(number) => self.out.extend_from_slice(number.to_string().as_bytes()),
            Value::Float(number) => self.out.extend_from_slice(float(*number)?.as_bytes()),
            Value::String(text) => self.text(text),
            Value::Bytes(bytes) => self.text(
                base64::engine::general_purpose::STANDARD
                    .encode(bytes)
                    .as_bytes(),
            ),
            Value::List(list) if matches!(list.kind(), NIL_LIST | NIL_STRINGS) => {
                self.out.extend_from_slice(b"null")
            }
            Value::List(list) => self.sequence(list.items().iter(), depth)?,
            Value::Map(map) if map.kind() == NIL_STRING_MAP => self.out.extend_from_slice(b"null"),
            Value::Map(map) => self.mapping(map, depth)?,
            Value::Object(_) => match plain_value(value) {
                Some(plain) => self.value(&plain, depth + 1)?,
                None => return Err(format!("json: unsupported type: {}", value.type_name()).into()),
            },
        }
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if self.style.pretty {
            self.out.push(b'\n');
            self.out.extend(std::iter::repeat_n(b' ', 2 * depth));
        }
    }

    fn sequence<'a>(
        &mut self,
        items: impl Iterator<Item = &'a Value>,
        depth: usize,
    ) -> Result<(), FunctionError> {
        self.out.push(b'[');
        let mut any = false;
        for item in items {
            if std::mem::replace(&mut any, true) {
                self.out.push(b',');
            }
            self.line(depth + 1);
            self.value(item, depth + 1)?;
        }
        if any {
            self.line(depth);
        }
        self.out.push(b']');
        Ok(())
    }

    fn mapping(&mut self, map: &Map, depth: usize) -> Result<(), FunctionError> {
        self.out.push(b'{');
        let entries = map.entries();
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.line(depth + 1);
            self.text(key);
            self.out
                .extend_from_slice(if self.style.pretty { b": " } else { b":" });
            self.value(value, depth + 1)?;
        }
        if !entries.is_empty() {
            self.line(depth);
        }
        self.out.push(b'}');
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        let mut rest = text;
        while !rest.is_empty() {
            let (rune, size) = decode_rune(rest);
            match rune {
                '"' | '\\' => self.out.extend([b'\\', rest[0]]),
                '\n' => self.out.extend_from_slice(b"\\n"),
                '\r' => self.out.extend_from_slice(b"\\r"),
                '\t' => self.out.extend_from_slice(b"\\t"),
                '\u{8}' => self.out.extend_from_slice(b"\\b"),
                '\u{c}' => self.out.extend_from_slice(b"\\f"),
                '<' | '>' | '&' if !self.style.escape_html => self.out.push(rest[0]),
                '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    self.out
                        .extend_from_slice(format!("\\u{:04x}", u32::from(rune)).as_bytes());
                }
                RUNE_ERROR if size == 1 => self.out.extend_from_slice(b"\\ufffd"),
                rune => push_rune(&mut self.out, rune),
            }
            rest = &rest[size..];
        }
        self.out.push(b'"');
    }
}

/// A float as Go writes it in JSON.
fn float(number: f64) -> Result<String, String> {
    if !number.is_finite() {
        let name = if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        return Err(format!("json: unsupported value: {name}"));
    }
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return Ok(format!("{number}"));
    }
    let text = format!("{number:e}");
    Ok(match text.split_once('e') {
        Some((mantissa, exponent)) if exponent.starts_with('-') => format!("{mantissa}e{exponent}"),
        Some((mantissa, exponent)) => format!("{mantissa}e+{exponent}"),
        None => text,
    })
}

/// `json.Unmarshal` into an `interface {}`.
///
/// # Errors
/// Go's message.
pub(crate) fn read(source: &[u8]) -> Result<Value, String> {
    let mut reader = Reader { source, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.invalid("after top-level value")),
    }
}

struct Reader<'a> {
    source: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Go's message for the byte at hand.
    fn invalid(&self, context: &str) -> String {
        let shown = match self.peek() {
            None => return "unexpected end of JSON input".to_owned(),
            Some(b'\'') => r"'\''".to_owned(),
            Some(b'"') => "'\"'".to_owned(),
            Some(byte) => {
                let quoted = super::convert::quoted(char::from(byte).to_string().as_bytes());
                format!(
                    "'{}'",
                    String::from_utf8_lossy(&quoted[1..quoted.len() - 1])
                )
            }
        };
        format!("invalid character {shown} {context}")
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAXIMUM_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Value::String(self.text()?)),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.invalid("looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.invalid(&format!(
                    "in literal {word} (expecting '{}')",
                    char::from(expected)
                )));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self, context: &str) -> Result<(), String> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.invalid(context));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        let text = String::from_utf8_lossy(&self.source[start..self.at]);
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(format!(
                "json: cannot unmarshal number {text} into Go value of type float64"
            )),
        }
    }

    fn text(&mut self) -> Result<GoString, String> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.invalid("")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out.into());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                Some(0..=0x1f) => return Err(self.invalid("in string literal")),
                Some(_) => {
                    let (rune, size) = decode_rune(&self.source[self.at..]);
                    push_rune(&mut out, rune);
                    self.at += size;
                }
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 0xc,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let mut code = self.hexadecimal()?;
                if (0xd800..0xdc00).contains(&code) && self.source[self.at..].starts_with(b"\\u") {
                    let after_first = self.at;
                    self.at += 2;
                    let low = self.hexadecimal()?;
                    if (0xdc00..0xe000).contains(&low) {
                        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    } else {
                        self.at = after_first;
                    }
                }
                push_rune(out, char::from_u32(code).unwrap_or(RUNE_ERROR));
                return Ok(());
            }
            _ => return Err(self.invalid("in string escape code")),
        };
        self.at += 1;
        out.push(plain);
        Ok(())
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(self.invalid("in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn array(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(List::with_kind(items, ListKind::Any)));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(List::with_kind(items, ListKind::Any)));
                }
                _ => return Err(self.invalid("after array element")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        self.at += 1;
        let mut entries = BTreeMap::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(Map::with_kind(entries, MapKind::Any)));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.invalid("looking for beginning of object key string"));
            }
            let key = self.text()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.invalid("after object key"));
            }
            self.at += 1;
            entries.insert(key, self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(Map::with_kind(entries, MapKind::Any)));
                }
                _ => return Err(self.invalid("after object key:value pair")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style {
        pretty: false,
        escape_html: true,
    };

    #[test]
    fn floats_as_in_go() {
        for (number, expected) in [
            (8080.0, "8080"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-7, "1e-7"),
            (0.000_001, "0.000001"),
            (1.5e-9, "1.5e-9"),
            (-0.5, "-0.5"),
            (12_345_678_901_234_567_890.0, "12345678901234567000"),
        ] {
            assert_eq!(float(number).unwrap(), expected);
        }
        assert_eq!(
            float(f64::INFINITY).unwrap_err(),
            "json: unsupported value: +Inf"
        );
    }

    #[test]
    fn a_map_within_itself_ends() {
        let map = Map::new(BTreeMap::new());
        map.insert("self", Value::Map(map.clone()));
        assert!(
            write(&Value::Map(map), PLAIN)
                .unwrap_err()
                .to_string()
                .contains("nested deeper")
        );
        assert_eq!(
            read(&b"[".repeat(100_000)).unwrap_err(),
            "exceeded max depth"
        );
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(text in ".*", number in proptest::num::f64::NORMAL, truth in proptest::bool::ANY) {
            let value = Value::map([(text.as_str(), Value::list([Value::Float(number), Value::Bool(truth), Value::Nil]))]);
            let written = write(&value, PLAIN).unwrap();
            assert!(read(&written).unwrap().deep_equal(&value));
        }

        #[test]
        fn reading_never_fails_badly(source in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = read(&source);
        }
    }
}
