//! Go's regular expressions on top of the `regex` crate.
//!
//! Both are RE2's family with leftmost-first matching; what differs is spelling. A pattern is read by Go's grammar and written
//! anew: `\d \w \s \b` mean ASCII, `[\w-\.]` and `a{` are legal, `**` and `(?x)` are not.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::bytes::{Captures, Regex, RegexBuilder};

use super::text::{self, decode_rune};

/// Compiled patterns that one thread keeps; a chart uses a handful.
const CACHE_LIMIT: usize = 256;

/// A compiled pattern.
pub(crate) struct Pattern {
    regex: Regex,
    is_empty: bool,
}

impl Pattern {
    /// Compiles a pattern, or finds it among those compiled before.
    ///
    /// # Errors
    /// Go's `error parsing regexp: …`.
    pub(crate) fn compile(source: &[u8]) -> Result<Rc<Self>, String> {
        thread_local! {
            static CACHE: RefCell<HashMap<Vec<u8>, Rc<Pattern>>> = RefCell::new(HashMap::new());
        }
        CACHE.with_borrow_mut(|cache| {
            if let Some(pattern) = cache.get(source) {
                return Ok(Rc::clone(pattern));
            }
            let translated =
                translate(source).map_err(|fault| format!("error parsing regexp: {fault}"))?;
            let regex = RegexBuilder::new(&translated).build().map_err(|error| {
                format!("error parsing regexp: {}", last_line(&error.to_string()))
            })?;
            let pattern = Rc::new(Self {
                regex,
                is_empty: source.is_empty(),
            });
            if cache.len() >= CACHE_LIMIT {
                cache.clear();
            }
            cache.insert(source.to_vec(), Rc::clone(&pattern));
            Ok(pattern)
        })
    }

    /// `MatchString`.
    pub(crate) fn is_match(&self, source: &[u8]) -> bool {
        self.regex.is_match(source)
    }

    /// `FindString`: the first match, or nothing.
    pub(crate) fn find<'a>(&self, source: &'a [u8]) -> &'a [u8] {
        self.regex
            .find(source)
            .map_or(b"", |found| found.as_bytes())
    }

    /// Every match in Go's order: an empty match directly after another one does not count. `limit` < 0 means all.
    fn each<'a>(
        &self,
        source: &'a [u8],
        limit: i64,
        mut deliver: impl FnMut(&Captures<'a>, usize, usize),
    ) {
        let mut at = 0;
        let mut previous_end = None;
        let mut count = 0;
        while at <= source.len() && (limit < 0 || count < limit) {
            let Some(captures) = self.regex.captures_at(source, at) else {
                break;
            };
            let Some(whole) = captures.get(0) else { break };
            let (start, end) = (whole.start(), whole.end());
            let mut accept = true;
            if end == at {
                accept = previous_end != Some(start);
                let (_, width) = decode_rune(&source[at..]);
                at = if width > 0 {
                    at + width
                } else {
                    source.len() + 1
                };
            } else {
                at = end;
            }
            previous_end = Some(end);
            if accept {
                deliver(&captures, start, end);
                count += 1;
            }
        }
    }

    /// `FindAllString`; nothing when `limit` is zero.
    pub(crate) fn find_all<'a>(&self, source: &'a [u8], limit: i64) -> Vec<&'a [u8]> {
        let mut found = Vec::new();
        self.each(source, limit, |_, start, end| {
            found.push(&source[start..end])
        });
        found
    }

    /// `ReplaceAllString`, or `ReplaceAllLiteralString` when `$1` in the replacement means nothing.
    ///
    /// Nothing when the result would be larger than `limit` bytes.
    pub(crate) fn replace_all(
        &self,
        source: &[u8],
        replacement: &[u8],
        literal: bool,
        limit: usize,
    ) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(source.len());
        let mut copied = 0;
        self.each(source, -1, |captures, start, end| {
            if out.len() > limit {
                return;
            }
            out.extend_from_slice(&source[copied..start]);
            if literal {
                out.extend_from_slice(replacement);
            } else {
                expand(captures, replacement, &mut out);
            }
            copied = end;
        });
        out.extend_from_slice(&source[copied..]);
        (out.len() <= limit).then_some(out)
    }

    /// `Split`.
    pub(crate) fn split<'a>(&self, source: &'a [u8], limit: i64) -> Vec<&'a [u8]> {
        if limit == 0 {
            return Vec::new();
        }
        if !self.is_empty && source.is_empty() {
            return vec![b""];
        }
        let mut parts = Vec::new();
        let (mut begin, mut last) = (0, 0);
        self.each(source, limit, |_, start, end| {
            if limit > 0 && parts.len() as i64 == limit - 1 {
                return;
            }
            last = start;
            if end != 0 {
                parts.push(&source[begin..start]);
            }
            begin = end;
        });
        if last != source.len() {
            parts.push(&source[begin..]);
        }
        parts
    }
}

fn last_line(message: &str) -> &str {
    message.lines().last().unwrap_or_default().trim()
}

/// `Regexp.Expand`: `$1`, `${name}`, `$$`; the longest name counts, so `$1x` is the group `1x`.
fn expand(captures: &Captures<'_>, template: &[u8], out: &mut Vec<u8>) {
    let mut rest = template;
    while let Some(at) = text::find(rest, b"$") {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if let [b'$', tail @ ..] = rest {
            out.push(b'$');
            rest = tail;
            continue;
        }
        let Some((name, tail)) = group_name(rest) else {
            out.push(b'$');
            continue;
        };
        rest = tail;
        let has_leading_zero = name.len() > 1 && name.starts_with('0');
        let group = match name.parse::<usize>() {
            Ok(index) if !has_leading_zero => captures.get(index),
            _ => captures.name(name),
        };
        if let Some(group) = group {
            out.extend_from_slice(group.as_bytes());
        }
    }
    out.extend_from_slice(rest);
}

fn group_name(rest: &[u8]) -> Option<(&str, &[u8])> {
    let (braced, body) = match rest {
        [b'{', body @ ..] => (true, body),
        body => (false, body),
    };
    let mut length = 0;
    while length < body.len() {
        let (rune, size) = decode_rune(&body[length..]);
        if !(text::is_letter(rune) || text::is_digit(rune) || rune == '_') {
            break;
        }
        length += size;
    }
    if length == 0 || braced && body.get(length) != Some(&b'}') {
        return None;
    }
    let name = std::str::from_utf8(&body[..length]).ok()?;
    Some((name, &body[length + usize::from(braced)..]))
}

/// `regexp.QuoteMeta`.
pub(crate) fn quote_meta(source: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(source.len());
    for &byte in source {
        if br"\.+*?()|[]{}^$".contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// Reads Go's grammar and writes that of the `regex` crate.
fn translate(source: &[u8]) -> Result<String, String> {
    let source = std::str::from_utf8(source).map_err(|_| "invalid UTF-8".to_owned())?;
    let mut translator = Translator {
        source,
        at: 0,
        out: String::with_capacity(source.len() + 16),
        depth: 0,
    };
    translator.run()?;
    Ok(translator.out)
}

/// What came just before, which decides whether a repetition may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Operand,
    Repetition(usize),
}

struct Translator<'a> {
    source: &'a str,
    at: usize,
    out: String,
    depth: usize,
}

impl<'a> Translator<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn literal(&mut self, literal: char) {
        let mut buffer = [0; 4];
        self.out += &regex::escape(literal.encode_utf8(&mut buffer));
    }

    fn run(&mut self) -> Result<(), String> {
        let mut before = Before::Nothing;
        while let Some(next) = self.rest().chars().next() {
            let start = self.at;
            match next {
                '(' => {
                    before = if self.group()? {
                        Before::Nothing
                    } else {
                        before
                    };
                }
                ')' => {
                    if self.depth == 0 {
                        return Err(format!("unexpected ): `{}`", self.source));
                    }
                    self.depth -= 1;
                    self.at += 1;
                    self.out.push(')');
                    before = Before::Operand;
                }
                '|' => {
                    self.at += 1;
                    self.out.push('|');
                    before = Before::Nothing;
                }
                '[' => {
                    self.class()?;
                    before = Before::Operand;
                }
                '*' | '+' | '?' => {
                    self.at += 1;
                    before = self.repetition(start, next.to_string(), before)?;
                }
                '{' => match self.repeat_count()? {
                    Some(operator) => before = self.repetition(start, operator, before)?,
                    None => {
                        self.at += 1;
                        self.literal('{');
                        before = Before::Operand;
                    }
                },
                '\\' => {
                    self.escape()?;
                    before = Before::Operand;
                }
                '.' | '^' | '$' => {
                    self.at += 1;
                    self.out.push(next);
                    before = Before::Operand;
                }
                _ => {
                    self.at += next.len_utf8();
                    self.literal(next);
                    before = Before::Operand;
                }
            }
        }
        if self.depth > 0 {
            Err(format!("missing closing ): `{}`", self.source))
        } else {
            Ok(())
        }
    }

    fn repetition(
        &mut self,
        start: usize,
        operator: String,
        before: Before,
    ) -> Result<Before, String> {
        let mut operator = operator;
        if self.rest().starts_with('?') {
            self.at += 1;
            operator.push('?');
        }
        match before {
            Before::Nothing => Err(format!(
                "missing argument to repetition operator: `{}`",
                &self.source[start..self.at]
            )),
            Before::Repetition(first) => Err(format!(
                "invalid nested repetition operator: `{}`",
                &self.source[first..self.at]
            )),
            Before::Operand => {
                self.out += &operator;
                Ok(Before::Repetition(start))
            }
        }
    }

    /// `{2}`, `{2,}` or `{2,5}`; anything else is the character `{`.
    fn repeat_count(&mut self) -> Result<Option<String>, String> {
        let Some(end) = self.rest().find('}') else {
            return Ok(None);
        };
        let text = &self.rest()[..=end];
        let body = &text[1..end];
        let (low, high) = match body.split_once(',') {
            Some((low, high)) => (low, Some(high)),
            None => (body, None),
        };
        let is_number = |digits: &str| {
            !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && (digits == "0" || !digits.starts_with('0'))
        };
        if !is_number(low) || high.is_some_and(|high| !high.is_empty() && !is_number(high)) {
            return Ok(None);
        }
        let value = |digits: &str| digits.parse::<u32>().ok().filter(|count| *count <= 1000);
        let fits = match (value(low), high) {
            (None, _) => false,
            (Some(_), None | Some("")) => true,
            (Some(low), Some(high)) => value(high).is_some_and(|high| low <= high),
        };
        if !fits {
            return Err(format!("invalid repeat count: `{text}`"));
        }
        self.at += text.len();
        Ok(Some(text.to_owned()))
    }

    /// Opens a group; gives whether what follows starts anew (flags alone, `(?i)`, do not).
    fn group(&mut self) -> Result<bool, String> {
        let rest = self.rest();
        let Some(inner) = rest.strip_prefix("(?") else {
            self.at += 1;
            self.out.push('(');
            self.depth += 1;
            return Ok(true);
        };
        if let Some(named) = inner.strip_prefix("P<").or_else(|| inner.strip_prefix('<')) {
            let Some(end) = named.find('>') else {
                return Err(format!("invalid named capture: `{rest}`"));
            };
            let name = &named[..end];
            let whole = &rest[..rest.len() - named.len() + end + 1];
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                return Err(format!("invalid named capture: `{whole}`"));
            }
            self.at += whole.len();
            // The crate wants names that start with a letter; a leading underscore is fine, a digit is not.
            self.out += &format!("(?P<{name}>");
            self.depth += 1;
            return Ok(true);
        }
        let flags = inner
            .bytes()
            .take_while(|byte| matches!(byte, b'i' | b'm' | b's' | b'U' | b'-'))
            .count();
        let (spelled, after) = inner.split_at(flags);
        let is_valid = spelled.matches('-').count() <= 1 && !spelled.ends_with('-');
        match after.chars().next() {
            Some(end @ (':' | ')')) if is_valid => {
                self.at += 2 + flags + 1;
                if end == ':' {
                    self.depth += 1;
                    self.out += &format!("(?{spelled}:");
                } else if !spelled.is_empty() {
                    self.out += &format!("(?{spelled})");
                }
                Ok(end == ':')
            }
            None => Err("missing closing ): `".to_owned() + self.source + "`"),
            Some(bad) => {
                let end = 2 + flags + bad.len_utf8();
                Err(format!(
                    "invalid or unsupported Perl syntax: `{}`",
                    &rest[..end.min(rest.len())]
                ))
            }
        }
    }

    /// An escape outside a class.
    fn escape(&mut self) -> Result<(), String> {
        let rest = self.rest();
        match rest[1..].chars().next() {
            Some('A') => self.out += r"\A",
            Some('z') => self.out += r"\z",
            Some('b') => self.out += r"(?-u:\b)",
            Some('B') => self.out += r"(?-u:\B)",
            Some('Q') => {
                let body = &rest[2..];
                let (quoted, length) = body
                    .find(r"\E")
                    .map_or((body, body.len()), |end| (&body[..end], end + 2));
                quoted.chars().for_each(|quoted| self.literal(quoted));
                self.at += 2 + length;
                return Ok(());
            }
            Some(class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) => self.out += &perl_class(class),
            Some('p' | 'P') => {
                let class = self.unicode_class()?;
                self.out += &class;
                return Ok(());
            }
            _ => {
                let literal = self.escaped_character()?;
                self.literal(literal);
                return Ok(());
            }
        }
        self.at += 2;
        Ok(())
    }

    /// `\pL`, `\p{Greek}`, `\p{^Greek}`, at the backslash.
    fn unicode_class(&mut self) -> Result<String, String> {
        let rest = self.rest();
        let mut negative = rest.as_bytes()[1] == b'P';
        let body = &rest[2..];
        let (name, length) = match body.strip_prefix('{') {
            Some(braced) => match braced.find('}') {
                Some(end) => (&braced[..end], 2 + 1 + end + 1),
                None => return Err(format!("invalid character class range: `{rest}`")),
            },
            None => match body.chars().next() {
                Some(letter) => (&body[..letter.len_utf8()], 2 + letter.len_utf8()),
                None => return Err(format!("invalid character class range: `{rest}`")),
            },
        };
        let name = match name.strip_prefix('^') {
            Some(name) => {
                negative = !negative;
                name
            }
            None => name,
        };
        let class = format!("\\{}{{{name}}}", if negative { 'P' } else { 'p' });
        if name.contains(['=', ':']) || Regex::new(&class).is_err() {
            return Err(format!(
                "invalid character class range: `{}`",
                &rest[..length]
            ));
        }
        self.at += length;
        Ok(class)
    }

    /// A character written with a backslash, at the backslash.
    fn escaped_character(&mut self) -> Result<char, String> {
        let start = self.at;
        self.at += 1;
        let Some(escaped) = self.next() else {
            return Err("trailing backslash at end of expression: ``".to_owned());
        };
        let invalid = |translator: &Self| {
            Err(format!(
                "invalid escape sequence: `{}`",
                &translator.source[start..translator.at]
            ))
        };
        match escaped {
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            '0'..='7' => {
                if escaped != '0'
                    && !self
                        .rest()
                        .starts_with(|next: char| ('0'..='7').contains(&next))
                {
                    return invalid(self);
                }
                let mut value = u32::from(escaped) - u32::from('0');
                for _ in 0..2 {
                    let Some(digit) = self
                        .rest()
                        .chars()
                        .next()
                        .filter(|next| ('0'..='7').contains(next))
                    else {
                        break;
                    };
                    value = value * 8 + (u32::from(digit) - u32::from('0'));
                    self.at += 1;
                }
                char::from_u32(value).map_or_else(|| invalid(self), Ok)
            }
            'x' => {
                let rest = self.rest();
                let (digits, length) = match rest.strip_prefix('{') {
                    Some(braced) => match braced.find('}') {
                        Some(end) => (&braced[..end], end + 2),
                        None => return invalid(self),
                    },
                    None => match rest.get(..2) {
                        Some(digits) => (digits, 2),
                        None => return invalid(self),
                    },
                };
                self.at += length;
                let is_hex =
                    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                match u32::from_str_radix(digits, 16)
                    .ok()
                    .filter(|_| is_hex)
                    .and_then(char::from_u32)
                {
                    Some(value) => Ok(value),
                    None => invalid(self),
                }
            }
            punctuation if punctuation.is_ascii() && !punctuation.is_ascii_alphanumeric() => {
                Ok(punctuation)
            }
            _ => invalid(self),
        }
    }

    /// A class, at its `[`.
    fn class(&mut self) -> Result<(), String> {
        let start = self.at;
        self.at += 1;
        self.out.push('[');
        if self.rest().starts_with('^') {
            self.at += 1;
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return Err(format!("missing closing ]: `{}`", &self.source[start..]));
            }
            if rest.starts_with(']') && !first {
                self.at += 1;
                self.out.push(']');
                return Ok(());
            }
            first = false;
            if rest.starts_with("[:")
                && let Some(end) = rest.find(":]")
            {
                let named = &rest[..end + 2];
                if Regex::new(&format!("[{named}]")).is_err() {
                    return Err(format!("invalid character class range: `{named}`"));
                }
                self.out += named;
                self.at += named.len();
                continue;
            }
            if rest.starts_with("\\p") || rest.starts_with("\\P") {
                let class = self.unicode_class()?;
                self.out += &class;
                continue;
            }
            if let Some(class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W')) =
                rest.strip_prefix('\\').and_then(|rest| rest.chars().next())
            {
                self.out += &perl_class(class);
                self.at += 2;
                continue;
            }
            let range_start = self.at;
            let low = self.class_character(start)?;
            let range = self.rest();
            if range.starts_with('-') && range.len() > 1 && !range.starts_with("-]") {
                self.at += 1;
                let high = self.class_character(start)?;
                if high < low {
                    return Err(format!(
                        "invalid character class range: `{}`",
                        &self.source[range_start..self.at]
                    ));
                }
                self.class_literal(low);
                self.out.push('-');
                self.class_literal(high);
            } else {
                self.class_literal(low);
            }
        }
    }

    fn class_literal(&mut self, literal: char) {
        if literal.is_ascii_punctuation() && !matches!(literal, '<' | '>') {
            self.out.push('\\');
        }
        self.out.push(literal);
    }

    fn class_character(&mut self, start: usize) -> Result<char, String> {
        if self.rest().starts_with('\\') {
            return self.escaped_character();
        }
        self.next()
            .ok_or_else(|| format!("missing closing ]: `{}`", &self.source[start..]))
    }
}

/// The ASCII classes of Perl, as a bracketed class (which also nests).
fn perl_class(letter: char) -> String {
    let (negative, body) = match letter {
        'd' => ("", "0-9"),
        'D' => ("^", "0-9"),
        's' => ("", r"\t\n\f\r "),
        'S' => ("^", r"\t\n\f\r "),
        'w' => ("", "0-9A-Za-z_"),
        _ => ("^", "0-9A-Za-z_"),
    };
    format!("[{negative}{body}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_go_match() {
        for (pattern, source, expected) in [
            (r"[\w-\.]+", "a-b.c", "a-b.c"),
            (r"\d+", "x٣42", "42"),
            (r"[[:alpha:]]+", "12ab", "ab"),
            (r"\Qa.b\E+", "a.bb", "a.bb"),
            (r"a{,2}", "a{,2}", "a{,2}"),
            (r"a{2}", "aaa", "aa"),
            (r"[a&&b]+", "&&", "&&"),
            (r"[]a]+", "]a", "]a"),
            (r"(?i)ABC", "xabc", "abc"),
            (r"\x41\x{42}\103", "ABC", "ABC"),
            (r"\p{Greek}+", "abγδ", "γδ"),
            (r"^v?(\d+)\.(\d+)", "v1.28.3", "v1.28"),
            (r"[^\s/]+$", "a/b c", "c"),
            (r"\-\_\/", "-_/", "-_/"),
        ] {
            let compiled = Pattern::compile(pattern.as_bytes()).unwrap();
            assert_eq!(
                String::from_utf8_lossy(compiled.find(source.as_bytes())),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn refuses_with_the_words_of_go() {
        for (pattern, message) in [
            ("(", "missing closing ): `(`"),
            ("a)", "unexpected ): `a)`"),
            ("[a", "missing closing ]: `[a`"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            ("a\\", "trailing backslash at end of expression: ``"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            (r"\p{Nope}", r"invalid character class range: `\p{Nope}`"),
        ] {
            let fault = Pattern::compile(pattern.as_bytes()).err();
            assert_eq!(
                fault,
                Some(format!("error parsing regexp: {message}")),
                "{pattern}"
            );
        }
    }

    #[test]
    fn replaces_as_go_does() {
        for (pattern, source, replacement, expected) in [
            ("a(x*)b", "-ab-axxb-", "${1}W", "-W-xxW-"),
            ("a(x*)b", "-ab-axxb-", "$1W", "---"),
            ("x*", "abxc", "-", "-a-b-c-"),
            ("b", "abc", "$$", "a$c"),
            ("b", "abc", "${", "a${c"),
            ("", "é", "-", "-é-"),
        ] {
            let compiled = Pattern::compile(pattern.as_bytes()).unwrap();
            let replaced = compiled
                .replace_all(source.as_bytes(), replacement.as_bytes(), false, 100)
                .unwrap();
            assert_eq!(
                String::from_utf8_lossy(&replaced),
                expected,
                "{pattern} {source} {replacement}"
            );
        }
    }

    #[test]
    fn splits_and_finds_all() {
        let comma = Pattern::compile(b"z+").unwrap();
        assert_eq!(comma.split(b"pizza", -1), [b"pi".as_slice(), b"a"]);
        assert_eq!(comma.split(b"pizza", 1), [b"pizza".as_slice()]);
        assert_eq!(comma.split(b"", -1), [b"".as_slice()]);
        assert!(comma.split(b"pizza", 0).is_empty());
        let even = Pattern::compile(b"[2,4,6,8]").unwrap();
        assert_eq!(even.find_all(b"123456789", 2), [b"2".as_slice(), b"4"]);
        assert_eq!(quote_meta(b"1.2[3]"), br"1\.2\[3\]");
    }
}
