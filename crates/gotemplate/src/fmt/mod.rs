//! Go's `fmt`: verbs, flags and what they print for which value.

mod directive;
mod number;
mod print;

use crate::value::Value;

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

/// `fmt.Sprintf`.
///
/// ```
/// use stagelink_gotemplate::{Value, fmt::sprintf};
///
/// let values = [Value::Int(42), Value::from("Go"), Value::Float(8080.0)];
/// assert_eq!(sprintf(b"%05d|%-4s|%d", &values), b"00042|Go  |%!d(float64=8080)");
/// ```
pub fn sprintf(format: &[u8], arguments: &[Value]) -> Vec<u8> {
    let mut printer = Printer::default();
    printer.format(format, arguments);
    printer.out
}

/// The default form of one value, `%v`.
pub fn display(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// As [`display`], into a buffer.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => out.extend_from_slice(text),
        Value::Bool(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        value => {
            let mut printer = Printer::default();
            printer.argument(value, 'v');
            out.append(&mut printer.out);
        }
    }
}

/// What stands between `%` and the verb.
#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// `%#v`
    go_syntax: bool,
}

#[derive(Debug, Default)]
struct Printer {
    out: Vec<u8>,
    flags: Flags,
    depth: usize,
}

impl Printer {
    /// Writes what fills up the width.
    fn fill(&mut self, count: usize) {
        let filler = if self.flags.zero && !self.flags.minus {
            b'0'
        } else {
            b' '
        };
        self.out.extend(std::iter::repeat_n(filler, count));
    }

    /// Writes a text in the width.
    fn pad(&mut self, text: &[u8]) {
        let Some(width) = self.flags.width else {
            self.out.extend_from_slice(text);
            return;
        };
        let missing = width.saturating_sub(String::from_utf8_lossy(text).chars().count());
        if self.flags.minus {
            self.out.extend_from_slice(text);
            self.fill(missing);
        } else {
            self.fill(missing);
            self.out.extend_from_slice(text);
        }
    }

    /// Writes a text in the width, with spaces even where zeros are asked for.
    fn pad_with_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }
}
