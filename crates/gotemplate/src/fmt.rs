//! Go's `fmt`: verbs, flags and what they print for which value.

use crate::strconv;
use crate::value::{GoString, Value};

/// How deep nested values are printed; a map that contains itself must end.
const MAXIMUM_DEPTH: usize = 100;

/// How much is printed of nested values, in bytes: lists that share their elements can be small and
/// print without end. What is cut off here is more than the evaluator allows by default.
const MAXIMUM_TEXT: usize = 32 * 1024 * 1024;

/// `fmt.Sprint`: the operands in their default form, with a space between two that are no strings.
pub fn sprint(arguments: &[Value]) -> Vec<u8> {
    let mut printer = Printer::default();
    let mut last_was_string = false;
    for (index, argument) in arguments.iter().enumerate() {
        let is_string = matches!(argument, Value::String(_));
        if index > 0 && !is_string && !last_was_string {
            printer.out.push(b' ');
        }
        printer.argument(argument, 'v');
        last_was_string = is_string;
    }
    printer.out
}

/// `fmt.Sprintln`: the operands in their default form, spaces between, a line feed after.
pub fn sprintln(arguments: &[Value]) -> Vec<u8> {
    let mut printer = Printer::default();
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            printer.out.push(b' ');
        }
        printer.argument(argument, 'v');
    }
    printer.out.push(b'\n');
    printer.out
}

/// The default form of one value, `%v`.
pub fn display(value: &Value) -> Vec<u8> {
    sprint(std::slice::from_ref(value))
}

/// As [`display`], into a buffer.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => out.extend_from_slice(text),
        value => out.extend_from_slice(&display(value)),
    }
}

/// `fmt.Sprintf`.
pub fn sprintf(format: &[u8], arguments: &[Value]) -> Vec<u8> {
    let mut printer = Printer::default();
    printer.format(format, arguments);
    printer.out
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// `%+v`
    plus_v: bool,
    /// `%#v`
    sharp_v: bool,
}

#[derive(Debug, Default)]
struct Printer {
    out: Vec<u8>,
    flags: Flags,
    depth: usize,
}

/// A width or precision above this is not taken, as in Go.
const MAXIMUM_NUMBER: usize = 1_000_000;

impl Printer {
    fn format(&mut self, format: &[u8], arguments: &[Value]) {
        let mut position = 0;
        let mut next = 0;
        let mut reordered = false;
        while position < format.len() {
            let literal = format[position..].iter().position(|byte| *byte == b'%');
            let end = literal.map_or(format.len(), |found| position + found);
            self.out.extend_from_slice(&format[position..end]);
            position = end;
            if position >= format.len() {
                break;
            }
            position += 1;
            self.flags = Flags::default();
            while let Some(byte) = format.get(position) {
                match byte {
                    b'#' => self.flags.sharp = true,
                    b'0' => self.flags.zero = true,
                    b'+' => self.flags.plus = true,
                    b'-' => self.flags.minus = true,
                    b' ' => self.flags.space = true,
                    _ => break,
                }
                position += 1;
            }
            let mut bad_index = false;
            let mut index = |position: &mut usize, next: &mut usize, bad: &mut bool| {
                if format.get(*position) != Some(&b'[') {
                    return;
                }
                reordered = true;
                let close = format[*position..].iter().position(|byte| *byte == b']');
                let Some(close) = close else {
                    *bad = true;
                    *position += 1;
                    return;
                };
                let digits = std::str::from_utf8(&format[*position + 1..*position + close]);
                *position += close + 1;
                match digits.ok().and_then(|digits| digits.parse::<usize>().ok()) {
                    Some(number) if number >= 1 && number <= arguments.len() => *next = number - 1,
                    _ => *bad = true,
                }
            };
            index(&mut position, &mut next, &mut bad_index);
            if format.get(position) == Some(&b'*') {
                position += 1;
                match arguments.get(next).and_then(Value::as_integer) {
                    Some(width) => {
                        self.flags.minus |= width < 0;
                        let width = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX);
                        if width <= MAXIMUM_NUMBER {
                            self.flags.width = Some(width);
                        } else {
                            self.out.extend_from_slice(b"%!(BADWIDTH)");
                        }
                    }
                    None => self.out.extend_from_slice(b"%!(BADWIDTH)"),
                }
                next += 1;
            } else {
                self.flags.width = number(format, &mut position);
            }
            if format.get(position) == Some(&b'.') {
                position += 1;
                index(&mut position, &mut next, &mut bad_index);
                if format.get(position) == Some(&b'*') {
                    position += 1;
                    match arguments
                        .get(next)
                        .and_then(Value::as_integer)
                        .map(usize::try_from)
                    {
                        Some(Ok(precision)) if precision <= MAXIMUM_NUMBER => {
                            self.flags.precision = Some(precision);
                        }
                        _ => self.out.extend_from_slice(b"%!(BADPREC)"),
                    }
                    next += 1;
                } else {
                    self.flags.precision = Some(number(format, &mut position).unwrap_or(0));
                }
            }
            index(&mut position, &mut next, &mut bad_index);
            let Some((verb, width)) = crate::parse::decode(&format[position..]) else {
                self.out.extend_from_slice(b"%!(NOVERB)");
                break;
            };
            position += width;
            if verb == '%' {
                self.out.push(b'%');
                continue;
            }
            if bad_index {
                self.out
                    .extend_from_slice(format!("%!{verb}(BADINDEX)").as_bytes());
                continue;
            }
            let Some(argument) = arguments.get(next) else {
                self.out
                    .extend_from_slice(format!("%!{verb}(MISSING)").as_bytes());
                continue;
            };
            next += 1;
            if verb == 'v' {
                self.flags.sharp_v = std::mem::take(&mut self.flags.sharp);
                self.flags.plus_v = std::mem::take(&mut self.flags.plus);
            }
            self.argument(argument, verb);
        }
        if !reordered && next < arguments.len() {
            self.flags = Flags::default();
            self.out.extend_from_slice(b"%!(EXTRA ");
            for (index, argument) in arguments[next..].iter().enumerate() {
                if index > 0 {
                    self.out.extend_from_slice(b", ");
                }
                if argument.is_nil() {
                    self.out.extend_from_slice(b"<nil>");
                } else {
                    self.out.extend_from_slice(argument.type_name().as_bytes());
                    self.out.push(b'=');
                    self.argument(argument, 'v');
                }
            }
            self.out.push(b')');
        }
    }

    fn argument(&mut self, value: &Value, verb: char) {
        match verb {
            'T' => {
                let name = value.type_name().to_owned();
                return self.text(name.as_bytes(), 's');
            }
            'p' if !matches!(value, Value::List(_) | Value::Map(_) | Value::Bytes(_)) => {
                return self.bad_verb(value, verb);
            }
            _ => {}
        }
        match value {
            Value::Nil if verb == 'v' => self.pad(b"<nil>"),
            Value::Nil => self.bad_verb(value, verb),
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(if *truth { b"true" } else { b"false" }),
                _ => self.bad_verb(value, verb),
            },
            Value::Int(number) | Value::Int64(number) => {
                self.integer(number.unsigned_abs(), *number < 0, verb, value);
            }
            Value::Uint64(number) => self.integer(*number, false, verb, value),
            Value::Float(number) => self.float(*number, verb, value),
            Value::String(text) => match verb {
                'v' | 's' | 'x' | 'X' | 'q' => self.text(text, verb),
                _ => self.bad_verb(value, verb),
            },
            Value::Bytes(bytes) => match verb {
                's' | 'x' | 'X' | 'q' => self.text(bytes, verb),
                _ => {
                    let items: Vec<Value> = bytes
                        .iter()
                        .map(|byte| Value::Uint64(u64::from(*byte)))
                        .collect();
                    self.sequence(&items, verb, "[]byte");
                }
            },
            Value::List(list) => {
                let items = list.to_vec();
                let name = list.kind().type_name();
                self.nested(|printer| printer.sequence(&items, verb, name));
            }
            Value::Map(map) => {
                let entries = map.to_vec();
                let name = map.kind().type_name();
                self.nested(|printer| printer.map(&entries, verb, name));
            }
            Value::Object(object) => match verb {
                'v' | 's' => {
                    let text = object.print(verb);
                    self.pad(&text);
                }
                'x' | 'X' | 'q' => {
                    let text = object.print('s');
                    self.text(&text, verb);
                }
                _ => self.bad_verb(value, verb),
            },
        }
    }

    fn nested(&mut self, print: impl FnOnce(&mut Self)) {
        if self.depth >= MAXIMUM_DEPTH || self.out.len() > MAXIMUM_TEXT {
            self.out.extend_from_slice("…".as_bytes());
            return;
        }
        self.depth += 1;
        print(self);
        self.depth -= 1;
    }

    fn sequence(&mut self, items: &[Value], verb: char, type_name: &str) {
        if self.flags.sharp_v {
            self.out.extend_from_slice(type_name.as_bytes());
        }
        let (open, separator, close) = if self.flags.sharp_v {
            (b'{', ", ", b'}')
        } else {
            (b'[', " ", b']')
        };
        self.out.push(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(separator.as_bytes());
            }
            self.element(item, verb);
        }
        self.out.push(close);
    }

    fn map(&mut self, entries: &[(GoString, Value)], verb: char, type_name: &str) {
        let (open, separator, close) = if self.flags.sharp_v {
            (format!("{type_name}{{"), ", ", b'}')
        } else {
            ("map[".to_owned(), " ", b']')
        };
        self.out.extend_from_slice(open.as_bytes());
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(separator.as_bytes());
            }
            self.argument(&Value::String(key.clone()), verb);
            self.out.push(b':');
            self.element(value, verb);
        }
        self.out.push(close);
    }

    /// A value within another one; a nil is `<nil>` whatever the verb.
    fn element(&mut self, value: &Value, verb: char) {
        if !value.is_nil() {
            return self.argument(value, verb);
        }
        let text: &[u8] = if self.flags.sharp_v {
            b"interface {}(nil)"
        } else {
            b"<nil>"
        };
        self.out.extend_from_slice(text);
    }

    fn bad_verb(&mut self, value: &Value, verb: char) {
        self.out.extend_from_slice(format!("%!{verb}(").as_bytes());
        if value.is_nil() {
            self.out.extend_from_slice(b"<nil>");
        } else {
            self.out.extend_from_slice(value.type_name().as_bytes());
            self.out.push(b'=');
            let flags = std::mem::take(&mut self.flags);
            self.argument(value, 'v');
            self.flags = flags;
        }
        self.out.push(b')');
    }

    fn pad(&mut self, text: &[u8]) {
        let length = String::from_utf8_lossy(text).chars().count();
        let missing = self.flags.width.unwrap_or(0).saturating_sub(length);
        if self.flags.minus {
            self.out.extend_from_slice(text);
            self.out.extend(std::iter::repeat_n(b' ', missing));
        } else {
            let filler = if self.flags.zero { b'0' } else { b' ' };
            self.out.extend(std::iter::repeat_n(filler, missing));
            self.out.extend_from_slice(text);
        }
    }

    fn text(&mut self, bytes: &[u8], verb: char) {
        match verb {
            'x' | 'X' => {
                let bytes = &bytes[..self.flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
                let mut hexadecimal = String::new();
                for (index, byte) in bytes.iter().enumerate() {
                    if self.flags.space && index > 0 {
                        hexadecimal.push(' ');
                    }
                    if self.flags.sharp && (self.flags.space || index == 0) {
                        hexadecimal.push_str(if verb == 'x' { "0x" } else { "0X" });
                    }
                    let pair = if verb == 'x' {
                        format!("{byte:02x}")
                    } else {
                        format!("{byte:02X}")
                    };
                    hexadecimal.push_str(&pair);
                }
                self.pad(hexadecimal.as_bytes());
            }
            _ => {
                let cut = self.truncated(bytes).to_vec();
                if verb == 'q' || self.flags.sharp_v {
                    let quoted = if self.flags.sharp && !cut.contains(&b'`') && verb == 'q' {
                        format!("`{}`", String::from_utf8_lossy(&cut))
                    } else if self.flags.plus {
                        strconv::quote_to_ascii(&cut)
                    } else {
                        strconv::quote(&cut)
                    };
                    self.pad(quoted.as_bytes());
                } else {
                    self.pad(&cut);
                }
            }
        }
    }

    /// The first characters of a text, as many as the precision says.
    fn truncated<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(precision) = self.flags.precision else {
            return bytes;
        };
        let mut end = 0;
        for _ in 0..precision {
            match crate::parse::decode(&bytes[end..]) {
                Some((_, width)) => end += width,
                None => break,
            }
        }
        &bytes[..end]
    }

    fn integer(&mut self, magnitude: u64, negative: bool, verb: char, value: &Value) {
        let digits = match verb {
            'v' if self.flags.sharp_v && matches!(value, Value::Uint64(_)) => {
                format!("{magnitude:#x}")
            }
            'v' | 'd' => magnitude.to_string(),
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            'c' | 'q' | 'U' => {
                let code = if negative {
                    None
                } else {
                    u32::try_from(magnitude).ok()
                };
                let character = code.and_then(char::from_u32).unwrap_or('\u{fffd}');
                let text = match verb {
                    'c' => character.to_string(),
                    'q' => strconv::quote_character(character),
                    _ if self.flags.sharp => format!("U+{magnitude:04X} '{character}'"),
                    _ => format!("U+{magnitude:04X}"),
                };
                return self.pad(text.as_bytes());
            }
            _ => return self.bad_verb(value, verb),
        };
        let signed = negative || self.flags.plus || self.flags.space;
        let minimum = match (self.flags.precision, self.flags.width) {
            (Some(0), _) if magnitude == 0 => {
                let flags = self.flags;
                self.flags.zero = false;
                self.pad(b"");
                self.flags = flags;
                return;
            }
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero && !self.flags.minus => {
                width.saturating_sub(usize::from(signed))
            }
            _ => 0,
        };
        let mut text = String::new();
        if negative {
            text.push('-');
        } else if self.flags.plus {
            text.push('+');
        } else if self.flags.space {
            text.push(' ');
        }
        let mut prefix = "";
        if self.flags.sharp {
            prefix = match verb {
                'b' => "0b",
                'o' if !digits.starts_with('0') => "0",
                'x' => "0x",
                'X' => "0X",
                _ => "",
            };
        }
        if verb == 'O' {
            prefix = "0o";
        }
        text.push_str(prefix);
        text.extend(std::iter::repeat_n(
            '0',
            minimum.saturating_sub(digits.len()),
        ));
        text.push_str(&digits);
        let flags = self.flags;
        self.flags.zero = false;
        self.pad(text.as_bytes());
        self.flags = flags;
    }

    fn float(&mut self, number: f64, verb: char, value: &Value) {
        let precision = self.flags.precision;
        let magnitude = number.abs();
        let text = match verb {
            'v' | 'g' => general(magnitude, precision),
            'G' => general(magnitude, precision).to_uppercase(),
            'e' => scientific(magnitude, precision.unwrap_or(6)),
            'E' => scientific(magnitude, precision.unwrap_or(6)).to_uppercase(),
            'f' | 'F' => fixed(magnitude, precision.unwrap_or(6)),
            _ => return self.bad_verb(value, verb),
        };
        let negative = number.is_sign_negative() && !number.is_nan();
        let sign = if negative {
            "-"
        } else if self.flags.plus {
            "+"
        } else if self.flags.space {
            " "
        } else if number == f64::INFINITY {
            "+"
        } else {
            ""
        };
        let flags = self.flags;
        if !number.is_finite() {
            self.flags.zero = false;
        }
        if self.flags.zero && !self.flags.minus && !sign.is_empty() {
            self.out.extend_from_slice(sign.as_bytes());
            self.flags.width = self
                .flags
                .width
                .map(|width| width.saturating_sub(sign.len()));
            self.pad(text.as_bytes());
        } else {
            self.pad(format!("{sign}{text}").as_bytes());
        }
        self.flags = flags;
    }
}

fn number(format: &[u8], position: &mut usize) -> Option<usize> {
    let start = *position;
    while format.get(*position).is_some_and(u8::is_ascii_digit) {
        *position += 1;
    }
    let digits = std::str::from_utf8(&format[start..*position]).ok()?;
    digits
        .parse()
        .ok()
        .filter(|number| *number <= MAXIMUM_NUMBER)
}

fn special(number: f64) -> Option<String> {
    if number.is_nan() {
        return Some("NaN".to_owned());
    }
    number.is_infinite().then(|| "Inf".to_owned())
}

fn fixed(number: f64, precision: usize) -> String {
    special(number).unwrap_or_else(|| format!("{number:.precision$}"))
}

fn scientific(number: f64, precision: usize) -> String {
    special(number).unwrap_or_else(|| go_exponent(&format!("{number:.precision$e}")))
}

/// `%g`: the shortest digits, or this many significant ones.
fn general(number: f64, precision: Option<usize>) -> String {
    if let Some(text) = special(number) {
        return text;
    }
    let Some(precision) = precision else {
        return strconv::format_float(number);
    };
    let significant = precision.max(1);
    let text = format!("{number:.*e}", significant - 1);
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let kept = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let mut limit = i32::try_from(significant).unwrap_or(i32::MAX);
    if limit > kept && kept > exponent {
        limit = kept;
    }
    if exponent < -4 || exponent >= limit {
        let short = digits.len().saturating_sub(1);
        return go_exponent(&format!("{number:.short$e}"));
    }
    let decimals = usize::try_from((kept - 1 - exponent).max(0)).unwrap_or_default();
    format!("{number:.decimals$}")
}

/// Rust's `1.5e7` as Go's `1.5e+07`.
fn go_exponent(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text.to_owned();
    };
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}
