//! From Go's spelling of a regular expression to that of the `regex` crate.

use regex::bytes::Regex;

/// Reads Go's grammar and writes that of the `regex` crate.
pub(super) fn translate(source: &[u8]) -> Result<String, String> {
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
