//! Formats: `%`, flags, width, precision, verb.

use super::{Flags, Printer};
use crate::parse::decode;
use crate::value::Value;

/// A width or precision above this is not taken, as in Go.
const MAXIMUM_NUMBER: i64 = 1_000_000;

/// Reads a format.
struct Reader<'a> {
    format: &'a [u8],
    position: usize,
    arguments: &'a [Value],
    /// The argument that is next.
    next: usize,
    /// An argument was named by its number, `%[2]d`.
    is_reordered: bool,
    /// The numbers of the directive under way name arguments that there are.
    is_good: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.position).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.position += usize::from(is_next);
        is_next
    }

    /// Digits up to `end`; `None` if there are none or too many.
    fn number(&mut self, end: usize) -> Option<i64> {
        let mut number = None;
        while self.position < end
            && let Some(digit @ b'0'..=b'9') = self.peek()
        {
            let value = number.unwrap_or(0);
            if value > MAXIMUM_NUMBER {
                self.position = end;
                return None;
            }
            number = Some(value * 10 + i64::from(digit - b'0'));
            self.position += 1;
        }
        number
    }

    /// `[2]`; says if there was one.
    fn argument_number(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.is_reordered = true;
        let rest = &self.format[self.position..];
        let close = rest.iter().position(|byte| *byte == b']');
        let Some(close) = close.filter(|_| rest.len() >= 3) else {
            self.is_good = false;
            self.position += 1;
            return false;
        };
        let end = self.position + close;
        self.position += 1;
        let number = self.number(end).filter(|_| self.position == end);
        self.position = end + 1;
        let index = number.and_then(|number| usize::try_from(number - 1).ok());
        match index.filter(|index| *index < self.arguments.len()) {
            Some(index) => self.next = index,
            None => self.is_good = false,
        }
        number.is_some()
    }

    /// The next argument as a width or precision.
    fn star(&mut self) -> Option<i64> {
        let argument = self.arguments.get(self.next)?;
        self.next += 1;
        argument
            .as_integer()
            .filter(|number| number.unsigned_abs() <= MAXIMUM_NUMBER.unsigned_abs())
    }
}

impl Printer {
    pub(super) fn format(&mut self, format: &[u8], arguments: &[Value]) {
        let mut reader = Reader {
            format,
            position: 0,
            arguments,
            next: 0,
            is_reordered: false,
            is_good: true,
        };
        loop {
            let rest = &format[reader.position..];
            let literal = rest.iter().position(|byte| *byte == b'%');
            self.out
                .extend_from_slice(&rest[..literal.unwrap_or(rest.len())]);
            let Some(literal) = literal else {
                break;
            };
            reader.position += literal + 1;
            self.directive(&mut reader);
        }
        if !reader.is_reordered && reader.next < arguments.len() {
            self.extra(&arguments[reader.next..]);
        }
    }

    fn directive(&mut self, reader: &mut Reader<'_>) {
        reader.is_good = true;
        self.flags = Flags::default();
        while let Some(byte) = reader.peek() {
            match byte {
                b'#' => self.flags.sharp = true,
                b'0' => self.flags.zero = true,
                b'+' => self.flags.plus = true,
                b'-' => self.flags.minus = true,
                b' ' => self.flags.space = true,
                _ => break,
            }
            reader.position += 1;
        }
        let after_number = reader.argument_number();
        let after_number = self.width(reader, after_number);
        let after_number = self.precision(reader, after_number);
        if !after_number {
            reader.argument_number();
        }
        let Some((verb, width)) = decode(&reader.format[reader.position..]) else {
            self.out.extend_from_slice(b"%!(NOVERB)");
            return;
        };
        reader.position += width;
        if verb == '%' {
            // It takes no argument and has no width.
            self.out.push(b'%');
            return;
        }
        if !reader.is_good {
            self.complain(verb, "(BADINDEX)");
            return;
        }
        let Some(argument) = reader.arguments.get(reader.next) else {
            self.complain(verb, "(MISSING)");
            return;
        };
        reader.next += 1;
        if matches!(verb, 'v' | 'w') {
            self.flags.go_syntax = std::mem::take(&mut self.flags.sharp);
            // `%+v` would name the fields of structs.
            self.flags.plus = false;
        }
        self.argument(argument, verb);
    }

    /// Reads a width; says if an argument number came right before what is next.
    fn width(&mut self, reader: &mut Reader<'_>, after_number: bool) -> bool {
        if reader.accept(b'*') {
            match reader.star() {
                Some(width) => {
                    if width < 0 {
                        self.flags.minus = true;
                        // No zeros on the right.
                        self.flags.zero = false;
                    }
                    self.flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            return false;
        }
        let end = reader.format.len();
        let width = reader.number(end);
        self.flags.width = width.and_then(|width| usize::try_from(width).ok());
        if after_number && width.is_some() {
            reader.is_good = false;
        }
        after_number
    }

    /// Reads a precision; says if an argument number came right before what is next.
    fn precision(&mut self, reader: &mut Reader<'_>, after_number: bool) -> bool {
        // A point that ends the format is a verb.
        if reader.position + 1 >= reader.format.len() || !reader.accept(b'.') {
            return after_number;
        }
        if after_number {
            reader.is_good = false;
        }
        let after_number = reader.argument_number();
        if reader.accept(b'*') {
            let precision = reader.star();
            self.flags.precision = precision.and_then(|number| usize::try_from(number).ok());
            if self.flags.precision.is_none() {
                self.out.extend_from_slice(b"%!(BADPREC)");
            }
            return false;
        }
        let end = reader.format.len();
        let precision = reader.number(end).unwrap_or(0);
        self.flags.precision = usize::try_from(precision).ok();
        after_number
    }

    fn complain(&mut self, verb: char, what: &str) {
        self.out
            .extend_from_slice(format!("%!{verb}{what}").as_bytes());
    }

    fn extra(&mut self, arguments: &[Value]) {
        self.flags = Flags::default();
        self.out.extend_from_slice(b"%!(EXTRA ");
        for (index, argument) in arguments.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(b", ");
            }
            if !argument.is_nil() {
                self.out.extend_from_slice(argument.type_name().as_bytes());
                self.out.push(b'=');
            }
            self.argument(argument, 'v');
        }
        self.out.push(b')');
    }
}
