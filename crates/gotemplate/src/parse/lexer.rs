//! From bytes to tokens, with byte positions. Follows Go 1.26's `text/template/parse` lexer.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Text outside of actions.
    Text,
    /// `{{`, with or without trim marker.
    LeftDelimiter,
    /// `}}`, with or without trim marker.
    RightDelimiter,
    /// White space within an action.
    Space,
    /// `true` or `false`.
    Bool,
    /// `.`
    Dot,
    /// `.name`
    Field,
    /// `name`
    Identifier,
    /// `break`, `define`, …
    Keyword,
    /// `nil`
    Nil,
    /// A number.
    Number,
    /// `'a'`
    Character,
    /// `"a"`
    QuotedString,
    /// `` `a` ``
    RawString,
    /// `$` or `$name`
    Variable,
    /// `|`
    Pipe,
    /// `=`
    Assign,
    /// `:=`
    Declare,
    /// `(`
    LeftParenthesis,
    /// `)`
    RightParenthesis,
    /// `,` and other single characters.
    Other,
    /// The end of the template.
    End,
}

/// A piece of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    /// Byte position of its first byte.
    pub(crate) start: usize,
    /// Byte position after its last byte.
    pub(crate) end: usize,
}

/// What cannot be a token: Go's message, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LexError {
    pub(crate) message: String,
    pub(crate) position: usize,
}

const KEYWORDS: &[&str] = &[
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with",
];

/// True for Go's white space within actions.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || character.is_alphabetic() || character.is_numeric()
}

/// Gives the tokens of a template one by one.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    input: &'a [u8],
    position: usize,
    inside_action: bool,
    parentheses: usize,
    /// Text that follows is trimmed on its left.
    trim_next_text: bool,
    action_start: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            position: 0,
            inside_action: false,
            parentheses: 0,
            trim_next_text: false,
            action_start: 0,
        }
    }

    pub(crate) fn next(&mut self) -> Result<Token, LexError> {
        if self.inside_action {
            self.action()
        } else {
            self.text()
        }
    }

    fn rest(&self) -> &'a [u8] {
        &self.input[self.position..]
    }

    fn token(&self, kind: TokenKind, start: usize) -> Token {
        Token {
            kind,
            start,
            end: self.position,
        }
    }

    fn error<T>(&self, message: impl Into<String>, position: usize) -> Result<T, LexError> {
        Err(LexError {
            message: message.into(),
            position,
        })
    }

    /// Text up to the next action; comments vanish, and white space that is trimmed too.
    fn text(&mut self) -> Result<Token, LexError> {
        loop {
            if std::mem::take(&mut self.trim_next_text) {
                while self.rest().first().is_some_and(|byte| is_space(*byte)) {
                    self.position += 1;
                }
            }
            let start = self.position;
            let Some(found) = find(self.rest(), b"{{") else {
                self.position = self.input.len();
                let kind = if start == self.position {
                    TokenKind::End
                } else {
                    TokenKind::Text
                };
                return Ok(self.token(kind, start));
            };
            let delimiter = start + found;
            let trims = has_left_trim_marker(&self.input[delimiter + 2..]);
            let mut end = delimiter;
            if trims {
                while end > start && is_space(self.input[end - 1]) {
                    end -= 1;
                }
            }
            if end > start {
                self.position = delimiter;
                return Ok(Token {
                    kind: TokenKind::Text,
                    start,
                    end,
                });
            }
            self.position = delimiter + 2;
            let after_marker = self.position + if trims { 2 } else { 0 };
            if self.input[after_marker..].starts_with(b"/*") {
                self.position = after_marker;
                self.comment(delimiter)?;
                continue;
            }
            self.position = after_marker;
            self.inside_action = true;
            self.parentheses = 0;
            self.action_start = delimiter;
            return Ok(self.token(TokenKind::LeftDelimiter, delimiter));
        }
    }

    fn comment(&mut self, delimiter: usize) -> Result<(), LexError> {
        let start = self.position;
        let Some(length) = find(&self.rest()[2..], b"*/") else {
            return self.error("unclosed comment", start);
        };
        self.position += 2 + length + 2;
        let trims = has_right_trim_marker(self.rest());
        if trims {
            self.position += 2;
        }
        if !self.rest().starts_with(b"}}") {
            let _ = delimiter;
            return self.error("comment ends before closing delimiter", start);
        }
        self.position += 2;
        self.trim_next_text = trims;
        Ok(())
    }

    fn action(&mut self) -> Result<Token, LexError> {
        let start = self.position;
        let rest = self.rest();
        let trims = has_right_trim_marker(rest) && rest[2..].starts_with(b"}}");
        if trims || rest.starts_with(b"}}") {
            if self.parentheses > 0 {
                return self.error("unclosed left paren", start);
            }
            self.position += if trims { 4 } else { 2 };
            self.trim_next_text = trims;
            self.inside_action = false;
            // A trimmed delimiter stands where its braces are.
            let start = if trims { start + 2 } else { start };
            return Ok(self.token(TokenKind::RightDelimiter, start));
        }
        let Some((character, width)) = decode(rest) else {
            return self.error("unclosed action", start);
        };
        match character {
            ' ' | '\t' | '\r' | '\n' => {
                while self.rest().first().is_some_and(|byte| is_space(*byte)) {
                    // The space before a trim marker belongs to the marker.
                    if has_right_trim_marker(self.rest()) && self.rest()[2..].starts_with(b"}}") {
                        break;
                    }
                    self.position += 1;
                }
                if self.position == start {
                    return self.action();
                }
                Ok(self.token(TokenKind::Space, start))
            }
            '=' => self.single(TokenKind::Assign, start),
            ':' => {
                if rest.get(1) != Some(&b'=') {
                    return self.error("expected :=", start);
                }
                self.position += 2;
                Ok(self.token(TokenKind::Declare, start))
            }
            '|' => self.single(TokenKind::Pipe, start),
            '"' => self.quoted(start),
            '`' => self.raw(start),
            '\'' => self.character(start),
            '$' => {
                self.position += 1;
                self.field_or_variable(TokenKind::Variable, start)
            }
            '.' => {
                if rest.get(1).is_none_or(|next| !next.is_ascii_digit()) {
                    self.position += 1;
                    return self.field_or_variable(TokenKind::Field, start);
                }
                self.number(start)
            }
            '+' | '-' | '0'..='9' => self.number(start),
            '(' => {
                self.parentheses += 1;
                self.single(TokenKind::LeftParenthesis, start)
            }
            ')' => {
                if self.parentheses == 0 {
                    return self.error("unexpected right paren", start);
                }
                self.parentheses -= 1;
                self.single(TokenKind::RightParenthesis, start)
            }
            character if is_alphanumeric(character) => self.identifier(start),
            character if character.is_ascii() && !character.is_ascii_control() => {
                self.position += width;
                Ok(self.token(TokenKind::Other, start))
            }
            character => self.error(
                format!("unrecognized character in action: {}", unicode(character)),
                start,
            ),
        }
    }

    fn single(&mut self, kind: TokenKind, start: usize) -> Result<Token, LexError> {
        self.position += 1;
        Ok(self.token(kind, start))
    }

    fn skip_alphanumeric(&mut self) {
        while let Some((character, width)) = decode(self.rest()) {
            if !is_alphanumeric(character) {
                break;
            }
            self.position += width;
        }
    }

    /// What may follow a word: the end, space, or a character that begins something else.
    fn at_terminator(&self) -> bool {
        match self.rest() {
            [] => true,
            [byte, ..] if is_space(*byte) => true,
            [b'.' | b',' | b'|' | b':' | b')' | b'(' | b'=', ..] => true,
            rest => rest.starts_with(b"}}"),
        }
    }

    fn identifier(&mut self, start: usize) -> Result<Token, LexError> {
        self.skip_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = match std::str::from_utf8(&self.input[start..self.position]) {
            Ok(word) if KEYWORDS.contains(&word) => TokenKind::Keyword,
            Ok("true" | "false") => TokenKind::Bool,
            Ok("nil") => TokenKind::Nil,
            _ => TokenKind::Identifier,
        };
        Ok(self.token(kind, start))
    }

    fn bad_character<T>(&self) -> Result<T, LexError> {
        let character = decode(self.rest()).map_or('\u{fffd}', |(character, _)| character);
        self.error(
            format!("bad character {}", unicode(character)),
            self.position,
        )
    }

    fn field_or_variable(&mut self, kind: TokenKind, start: usize) -> Result<Token, LexError> {
        if self.at_terminator() {
            let kind = if kind == TokenKind::Variable {
                TokenKind::Variable
            } else {
                TokenKind::Dot
            };
            return Ok(self.token(kind, start));
        }
        self.skip_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character();
        }
        Ok(self.token(kind, start))
    }

    fn quoted(&mut self, start: usize) -> Result<Token, LexError> {
        self.position += 1;
        loop {
            match self.rest() {
                [] | [b'\n', ..] | [b'\\'] | [b'\\', b'\n', ..] => {
                    return self.error("unterminated quoted string", start);
                }
                [b'\\', _, ..] => self.position += 2,
                [b'"', ..] => return self.single(TokenKind::QuotedString, start),
                _ => self.position += 1,
            }
        }
    }

    fn raw(&mut self, start: usize) -> Result<Token, LexError> {
        match find(&self.rest()[1..], b"`") {
            Some(length) => {
                self.position += length + 2;
                Ok(self.token(TokenKind::RawString, start))
            }
            None => self.error("unterminated raw quoted string", start),
        }
    }

    fn character(&mut self, start: usize) -> Result<Token, LexError> {
        self.position += 1;
        loop {
            match self.rest() {
                [] | [b'\n', ..] | [b'\\'] | [b'\\', b'\n', ..] => {
                    return self.error("unterminated character constant", start);
                }
                [b'\\', _, ..] => self.position += 2,
                [b'\'', ..] => return self.single(TokenKind::Character, start),
                _ => self.position += 1,
            }
        }
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let accepted = self.rest().first().is_some_and(|byte| valid.contains(byte));
        self.position += usize::from(accepted);
        accepted
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }

    fn number(&mut self, start: usize) -> Result<Token, LexError> {
        self.accept(b"+-");
        let mut digits: &[u8] = b"0123456789_";
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = b"0123456789abcdefABCDEF_";
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        if digits.len() == 11 && self.accept(b"eE") {
            self.accept(b"+-");
            self.accept_run(b"0123456789_");
        }
        if digits.len() == 23 && self.accept(b"pP") {
            self.accept(b"+-");
            self.accept_run(b"0123456789_");
        }
        self.accept(b"i");
        if decode(self.rest()).is_some_and(|(character, _)| is_alphanumeric(character)) {
            self.position += decode(self.rest()).map_or(1, |(_, width)| width);
            let text = String::from_utf8_lossy(&self.input[start..self.position]);
            return self.error(format!("bad number syntax: {text:?}"), start);
        }
        Ok(self.token(TokenKind::Number, start))
    }
}

/// `- ` after a left delimiter: the marker is followed by space.
fn has_left_trim_marker(after: &[u8]) -> bool {
    matches!(after, [b'-', space, ..] if is_space(*space))
}

/// ` -` before a right delimiter: the marker follows space.
fn has_right_trim_marker(rest: &[u8]) -> bool {
    matches!(rest, [space, b'-', ..] if is_space(*space))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// The first character of the bytes, U+FFFD with width 1 for what is not UTF-8.
pub(crate) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first.is_ascii() {
        return Some((char::from(first), 1));
    }
    for width in 2..=bytes.len().min(4) {
        if let Ok(text) = std::str::from_utf8(&bytes[..width]) {
            return text.chars().next().map(|character| (character, width));
        }
    }
    Some(('\u{fffd}', 1))
}

/// Go's `%#U`.
pub(crate) fn unicode(character: char) -> String {
    let code = u32::from(character);
    if character.is_control() {
        format!("U+{code:04X}")
    } else {
        format!("U+{code:04X} '{character}'")
    }
}
