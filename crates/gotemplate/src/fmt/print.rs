//! Values by verb.

use super::{MAXIMUM_DEPTH, MAXIMUM_TEXT, Printer};
use crate::strconv;
use crate::value::{GoString, Value};

/// What all addresses are: real ones would differ from run to run.
const ADDRESS: &str = "c000000000";

impl Printer {
    /// Writes a value as an operand of its own.
    pub(super) fn argument(&mut self, value: &Value, verb: char) {
        match (verb, value) {
            ('T' | 'v', Value::Nil) => self.pad(b"<nil>"),
            (_, Value::Nil) => self.bad_verb(value, verb),
            ('T', _) => self.truncated(value.type_name().as_bytes()),
            ('p', Value::List(_) | Value::Map(_) | Value::Bytes(_)) => {
                let prefix = if self.flags.sharp { "" } else { "0x" };
                self.pad_with_spaces(format!("{prefix}{ADDRESS}").as_bytes());
            }
            ('p', _) => self.bad_verb(value, verb),
            ('w', Value::List(_) | Value::Map(_) | Value::Object(_)) => self.bad_verb(value, verb),
            ('v' | 'd', Value::Bytes(bytes)) if self.flags.go_syntax => {
                self.bytes(bytes, 'v', "[]byte");
            }
            _ => self.value(value, verb),
        }
    }

    fn value(&mut self, value: &Value, verb: char) {
        let is_done = match value {
            Value::Nil => false,
            Value::Bool(truth) if matches!(verb, 't' | 'v') => {
                self.pad(if *truth { b"true" } else { b"false" });
                true
            }
            Value::Bool(_) => false,
            Value::Int(number) | Value::Int64(number) => {
                self.integer(number.unsigned_abs(), *number < 0, true, verb)
            }
            Value::Uint64(number) => self.integer(*number, false, false, verb),
            Value::Float(number) => self.float(*number, verb),
            Value::String(text) => self.string(text, verb),
            Value::Bytes(bytes) => {
                if !(matches!(verb, 's' | 'q' | 'x' | 'X') && self.string(bytes, verb)) {
                    self.bytes(bytes, verb, "[]uint8");
                }
                true
            }
            Value::List(list) => {
                let items = list.to_vec();
                self.nested(|printer| printer.list(&items, verb, list.kind().type_name()));
                true
            }
            Value::Map(map) => {
                let entries = map.to_vec();
                self.nested(|printer| printer.map(&entries, verb, map.kind().type_name()));
                true
            }
            Value::Object(object) => match verb {
                'v' | 's' | 'x' | 'X' | 'q' => {
                    let text = object.print(verb);
                    let verb = if verb == 'v' { 's' } else { verb };
                    self.string(&text, verb)
                }
                _ => false,
            },
        };
        if !is_done {
            self.bad_verb(value, verb);
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

    /// Writes elements between the brackets of a slice.
    fn sequence<T>(
        &mut self,
        type_name: &str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Self, T),
    ) {
        let (open, separator, close): (_, &[u8], _) = if self.flags.go_syntax {
            self.out.extend_from_slice(type_name.as_bytes());
            (b'{', b", ", b'}')
        } else {
            (b'[', b" ", b']')
        };
        self.out.push(open);
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(separator);
            }
            write(self, item);
        }
        self.out.push(close);
    }

    fn list(&mut self, items: &[Value], verb: char, type_name: &str) {
        self.sequence(type_name, items, |printer, item| {
            printer.element(item, verb)
        });
    }

    fn bytes(&mut self, bytes: &[u8], verb: char, type_name: &str) {
        self.sequence(type_name, bytes, |printer, byte| {
            let number = u64::from(*byte);
            if !printer.integer(number, false, false, verb) {
                printer.complain_of("uint8", verb, |printer| {
                    printer.integer(number, false, false, 'v');
                });
            }
        });
    }

    fn map(&mut self, entries: &[(GoString, Value)], verb: char, type_name: &str) {
        let (separator, close): (&[u8], _) = if self.flags.go_syntax {
            self.out.extend_from_slice(type_name.as_bytes());
            self.out.push(b'{');
            (b", ", b'}')
        } else {
            self.out.extend_from_slice(b"map[");
            (b" ", b']')
        };
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(separator);
            }
            self.value(&Value::String(key.clone()), verb);
            self.out.push(b':');
            self.element(value, verb);
        }
        self.out.push(close);
    }

    /// A value within another one; a nil is `<nil>` whatever the verb.
    fn element(&mut self, value: &Value, verb: char) {
        if !value.is_nil() {
            return self.value(value, verb);
        }
        let text: &[u8] = if self.flags.go_syntax {
            b"interface {}(nil)"
        } else {
            b"<nil>"
        };
        self.out.extend_from_slice(text);
    }

    /// `%!d(string=text)`
    fn bad_verb(&mut self, value: &Value, verb: char) {
        if value.is_nil() {
            self.out
                .extend_from_slice(format!("%!{verb}(<nil>)").as_bytes());
            return;
        }
        self.complain_of(value.type_name(), verb, |printer| printer.value(value, 'v'));
    }

    fn complain_of(&mut self, type_name: &str, verb: char, write: impl FnOnce(&mut Self)) {
        self.out
            .extend_from_slice(format!("%!{verb}({type_name}=").as_bytes());
        write(self);
        self.out.push(b')');
    }

    /// Writes a text; false if the verb is not for texts.
    fn string(&mut self, text: &[u8], verb: char) -> bool {
        match verb {
            'v' if self.flags.go_syntax => self.quoted(text),
            'v' | 's' => self.truncated(text),
            'x' => self.hexadecimal(text, b"0123456789abcdefx"),
            'X' => self.hexadecimal(text, b"0123456789ABCDEFX"),
            'q' => self.quoted(text),
            _ => return false,
        }
        true
    }

    /// The first characters of a text, as many as the precision says.
    fn cut<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        match self.flags.precision {
            Some(precision) => strconv::first_characters(text, precision),
            None => text,
        }
    }

    fn truncated(&mut self, text: &[u8]) {
        let text = self.cut(text);
        self.pad(text);
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.cut(text);
        let quoted = match std::str::from_utf8(text) {
            Ok(text) if self.flags.sharp && strconv::can_backquote(text) => format!("`{text}`"),
            _ if self.flags.plus => strconv::quote_to_ascii(text),
            _ => strconv::quote(text),
        };
        self.pad(quoted.as_bytes());
    }

    fn hexadecimal(&mut self, text: &[u8], digits: &[u8; 17]) {
        let text = &text[..self.flags.precision.unwrap_or(text.len()).min(text.len())];
        let mut encoded = Vec::with_capacity(text.len() * 2 + 2);
        for (index, byte) in text.iter().enumerate() {
            if self.flags.space && index > 0 {
                encoded.push(b' ');
            }
            if self.flags.sharp && (self.flags.space || index == 0) {
                encoded.extend_from_slice(&[b'0', digits[16]]);
            }
            encoded.push(digits[usize::from(byte >> 4)]);
            encoded.push(digits[usize::from(byte & 15)]);
        }
        self.pad(&encoded);
    }
}
