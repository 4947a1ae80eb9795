//! Writing what Helm's `toYaml` writes: go-yaml v2's emitter for what can come out of JSON.
//!
//! go-yaml's emitter is a machine driven by events; here the same rules stand in two layers: which style a scalar takes
//! ([`Shape`]), and how it is laid out ([`Emitter`]).

mod order;
mod shape;

use crate::number::format_float;
use crate::resolve::{Scalar, through_json};
use crate::{Error, ScalarStyle};
use order::natural_order;
use serde_json::Value;
use shape::{Shape, escape, is_break, is_printable, is_refused, is_word};

/// go-yaml folds a line at the first space behind this column.
const WIDTH: usize = 80;
const INDENT: usize = 2;
/// A longer key is written with `? ` in front.
const LONGEST_SIMPLE_KEY: usize = 128;

/// Writes a value as Helm's `toYaml` does, with a line break at its end (which `toYaml` itself removes).
///
/// Keys are sorted as go-yaml sorts them (`a2` before `a10`), strings that would read back as something else are quoted,
/// lists are not indented below their key, lines are folded at 80 columns.
///
/// ```
/// let value = serde_json::json!({"port": 8080.0, "version": "1.0", "args": ["--a: b", ""], "script": "x\ny\n"});
/// assert_eq!(stagelink_yaml::emit(&value)?, "args:\n- '--a: b'\n- \"\"\nport: 8080\nscript: |\n  x\n  y\nversion: \"1.0\"\n");
/// # Ok::<(), stagelink_yaml::Error>(())
/// ```
///
/// # Errors
/// [`Error::ControlCharacter`]: `toYaml` reads its JSON with a YAML parser, which refuses a few characters that JSON allows.
pub fn emit(value: &Value) -> Result<String, Error> {
    let mut emitter = Emitter {
        out: String::new(),
        column: 0,
        whitespace: true,
        indention: true,
    };
    emitter.node(value, None, Context::Root)?;
    emitter.indent(0);
    Ok(emitter.out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Root,
    Sequence,
    Mapping,
    SimpleKey,
}

struct Emitter {
    out: String,
    column: usize,
    /// The last thing written was white space (or nothing).
    whitespace: bool,
    /// Nothing but indentation and `-` so far in this line.
    indention: bool,
}

impl Emitter {
    /// `indent` is that of the collection around the node; [`None`] outside of all.
    fn node(
        &mut self,
        value: &Value,
        indent: Option<usize>,
        context: Context,
    ) -> Result<(), Error> {
        match value {
            Value::Object(map) if !map.is_empty() => {
                let indent = indent.map_or(0, |indent| indent + INDENT);
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by(|(a, _), (b, _)| natural_order(a, b));
                for (key, value) in entries {
                    self.entry(key, value, indent)?;
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let indent = match indent {
                    None => 0,
                    // A list as a key's value stands below the key, not indented.
                    Some(indent) if context == Context::Mapping && !self.indention => indent,
                    Some(indent) => indent + INDENT,
                };
                for item in items {
                    self.indent(indent);
                    self.indicator("-", true, true);
                    self.node(item, Some(indent), Context::Sequence)?;
                }
            }
            Value::Object(_) => self.indicator("{}", true, false),
            Value::Array(_) => self.indicator("[]", true, false),
            Value::Null => self.plain("null", 0, false),
            Value::Bool(value) => self.plain(if *value { "true" } else { "false" }, 0, false),
            Value::Number(number) => {
                let text = match (number.is_f64(), number.as_f64()) {
                    (true, Some(float)) => match through_json(float) {
                        Scalar::Int(whole) => whole.to_string(),
                        Scalar::Unsigned(whole) => whole.to_string(),
                        _ => format_float(float, 64),
                    },
                    _ => number.to_string(),
                };
                self.plain(&text, 0, false);
            }
            Value::String(text) => self.string(text, indent, context)?,
        }
        Ok(())
    }

    fn entry(&mut self, key: &str, value: &Value, indent: usize) -> Result<(), Error> {
        self.indent(indent);
        if key.len() <= LONGEST_SIMPLE_KEY && !key.contains(is_break) {
            self.string(key, Some(indent), Context::SimpleKey)?;
            self.indicator(":", false, false);
        } else {
            self.indicator("?", true, true);
            self.string(key, Some(indent), Context::Mapping)?;
            self.indent(indent);
            self.indicator(":", true, true);
        }
        self.node(value, Some(indent), Context::Mapping)
    }

    fn string(&mut self, text: &str, indent: Option<usize>, context: Context) -> Result<(), Error> {
        let is_bad = if text.is_ascii() {
            text.as_bytes().contains(&0x7f)
        } else {
            text.contains(is_refused)
        };
        if is_bad {
            return Err(Error::ControlCharacter);
        }
        // go-yaml indents a scalar's own lines by two even where it stands alone.
        let indent = indent.map_or(INDENT, |indent| indent + INDENT);
        let folding = context != Context::SimpleKey;
        match Shape::of(text).style(text, context) {
            ScalarStyle::Plain => self.plain(text, indent, folding),
            ScalarStyle::SingleQuoted => self.single_quoted(text, indent, folding),
            ScalarStyle::DoubleQuoted => self.double_quoted(text, indent, folding),
            ScalarStyle::Literal | ScalarStyle::Folded => self.literal(text, indent),
        }
        Ok(())
    }

    fn put(&mut self, letter: char) {
        self.out.push(letter);
        self.column = if is_break(letter) { 0 } else { self.column + 1 };
    }

    fn indent(&mut self, indent: usize) {
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, indicator: &str, needs_whitespace: bool, is_indention: bool) {
        if needs_whitespace && !self.whitespace {
            self.put(' ');
        }
        indicator.chars().for_each(|letter| self.put(letter));
        self.whitespace = false;
        self.indention = self.indention && is_indention;
    }

    fn plain(&mut self, text: &str, indent: usize, folding: bool) {
        if !self.whitespace {
            self.put(' ');
        }
        self.folded(text, indent, folding, |_| false);
        self.whitespace = false;
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, indent: usize, folding: bool) {
        self.indicator("'", true, false);
        self.folded(text, indent, folding, |at| at > 0 && at + 1 < text.len());
        self.indicator("'", false, false);
    }

    /// The letters of a plain scalar or a single quoted one, which may be folded at a single space that is not at its edge.
    fn folded(
        &mut self,
        text: &str,
        indent: usize,
        folding: bool,
        quoted_inside: impl Fn(usize) -> bool,
    ) {
        if is_word(text) {
            self.line(text);
            return;
        }
        let quoted = self.out.ends_with('\'');
        let (mut spaces, mut breaks) = (false, false);
        for (at, letter) in text.char_indices() {
            if letter == ' ' {
                let single = !spaces && !text[at + 1..].starts_with(' ');
                if folding && single && self.column > WIDTH && (!quoted || quoted_inside(at)) {
                    self.indent(indent);
                } else {
                    self.put(letter);
                }
                spaces = true;
            } else if is_break(letter) {
                if !breaks && letter == '\n' {
                    self.put('\n');
                }
                self.put(letter);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.indent(indent);
                }
                if letter == '\'' && quoted {
                    self.put('\'');
                }
                self.put(letter);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
        }
    }

    fn double_quoted(&mut self, text: &str, indent: usize, folding: bool) {
        self.indicator("\"", true, false);
        // go-yaml looks for the byte order mark at the beginning whichever letter it is at.
        let escape_all = text.starts_with('\u{feff}');
        let mut spaces = false;
        for (at, letter) in text.char_indices() {
            if escape_all
                || !is_printable(letter)
                || is_break(letter)
                || matches!(letter, '"' | '\\')
            {
                escape(letter).chars().for_each(|letter| self.put(letter));
                spaces = false;
            } else if letter == ' ' {
                if folding && !spaces && self.column > WIDTH && at > 0 && at + 1 < text.len() {
                    self.indent(indent);
                    if text[at + 1..].starts_with(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(letter);
                }
                spaces = true;
            } else {
                self.put(letter);
                spaces = false;
            }
        }
        self.indicator("\"", false, false);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.indicator("|", true, false);
        if text.starts_with([' ', '\n', '\r', '\u{2028}', '\u{2029}', '\u{85}']) {
            self.indicator("2", false, false);
        }
        let mut from_end = text.chars().rev();
        match (
            from_end.next().map(is_break),
            from_end.next().is_none_or(is_break),
        ) {
            (Some(true), true) => self.indicator("+", false, false),
            (Some(true), false) => {}
            _ => self.indicator("-", false, false),
        }
        self.put('\n');
        self.indention = true;
        self.whitespace = true;
        for line in text.split_inclusive(is_break) {
            let letters = line.trim_end_matches(is_break);
            if !letters.is_empty() {
                self.indent(indent);
                self.line(letters);
            }
            if let Some(line_break) = line[letters.len()..].chars().next() {
                self.put(line_break);
                self.indention = true;
            }
        }
    }

    /// Letters of which none is a line break.
    fn line(&mut self, letters: &str) {
        self.out.push_str(letters);
        self.column += letters.chars().count();
        self.indention = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strings_are_quoted_as_helm_quotes_them() {
        for (text, written) in [
            ("", "\"\""),
            ("a b", "a b"),
            ("yes", "\"yes\""),
            ("null", "\"null\""),
            ("1e3", "\"1e3\""),
            ("0x1", "\"0x1\""),
            ("12:30", "\"12:30\""),
            ("2026-11-23", "\"2026-11-23\""),
            ("a: b", "'a: b'"),
            ("a:", "'a:'"),
            ("#b", "'#b'"),
            ("a #b", "'a #b'"),
            ("a#b", "a#b"),
            (" a", "' a'"),
            ("- a", "'- a'"),
            ("-a", "-a"),
            ("*a", "'*a'"),
            ("it's", "it's"),
            ("'", "''''"),
            ("---", "'---'"),
            ("a\tb", "\"a\\tb\""),
            ("a\nb", "|-\n  a\n  b"),
            ("a\n", "|\n  a\n"),
            ("a\n\n", "|+\n  a\n\n"),
            (" a\nb", "|2-\n   a\n  b"),
            ("a \nb", "\"a \\nb\""),
            ("a\n ", "\"a\\n \""),
            ("\n", "|2+\n\n"),
            ("\u{1F4DA}", "\"\\U0001F4DA\""),
            ("ü", "ü"),
            ("<<", "<<"),
            ("~", "\"~\""),
            ("=", "="),
        ] {
            let end = if written.ends_with('\n') { "" } else { "\n" };
            assert_eq!(
                emit(&json!(text)),
                Ok(format!("{written}{end}")),
                "{text:?}"
            );
        }
    }

    #[test]
    fn collections_are_laid_out_as_helm_does() {
        let value = json!({"a10": 1, "a2": {"x": [1, [2, 3], {"b": 1, "c": []}]}, "A": {}, "1": null, "yes": [[]], "long key": "v"});
        let text = "\"1\": null\nA: {}\na2:\n  x:\n  - 1\n  - - 2\n    - 3\n  - b: 1\n    c: []\na10: 1\nlong key: v\n\"yes\":\n- []\n";
        assert_eq!(emit(&value).expect("yaml"), text);
        let key = "k".repeat(129);
        assert_eq!(
            emit(&json!({&key: {"a": [1]}})).expect("yaml"),
            format!("? {key}\n: a:\n  - 1\n")
        );
    }

    #[test]
    fn long_lines_are_folded() {
        let words = "word ".repeat(20);
        let text = emit(&json!({"a": words.trim_end()})).expect("yaml");
        assert_eq!(text.lines().count(), 2);
        assert!(
            text.lines()
                .nth(1)
                .is_some_and(|line| line.starts_with("  word")),
            "{text}"
        );
    }

    #[test]
    fn numbers_are_go_numbers() {
        for (value, text) in [
            (json!(8080.0), "8080\n"),
            (json!(1e6), "1000000\n"),
            (json!(1e20), "1e+20\n"),
            (json!(1e-7), "1e-07\n"),
            (
                json!(12_345_678_901_234_567_890_f64),
                "12345678901234567000\n",
            ),
            (json!(u64::MAX), "18446744073709551615\n"),
            (json!(0.1), "0.1\n"),
        ] {
            assert_eq!(emit(&value).as_deref(), Ok(text));
        }
        assert_eq!(emit(&json!("\u{7f}")), Err(Error::ControlCharacter));
    }
}
