//! From bytes to tokens, with byte positions. Gives what Go 1.26's `text/template/parse` gives.

use super::token::{Keyword, Token, TokenKind};
use crate::strconv;

/// True for Go's white space within actions.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// Gives the tokens of a template one by one.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    input: &'a [u8],
    position: usize,
    inside_action: bool,
    parentheses: usize,
    /// Go's messages for errors; after one nothing more is read.
    messages: Vec<String>,
    /// `break` and `continue` are names of functions.
    loop_words_are_functions: [bool; 2],
}

impl<'a> Lexer<'a> {
    /// `is_function` tells what names functions have.
    pub(crate) fn new(input: &'a [u8], is_function: &dyn Fn(&str) -> bool) -> Self {
        Self {
            input,
            position: 0,
            inside_action: false,
            parentheses: 0,
            messages: Vec::new(),
            loop_words_are_functions: [is_function("break"), is_function("continue")],
        }
    }

    /// The next token; after the end and after errors there are more of their kind.
    pub(crate) fn next(&mut self) -> Token {
        match (!self.messages.is_empty(), self.inside_action) {
            (true, true) => self.error("unclosed action", self.position),
            (true, false) => Token::new(TokenKind::End, self.position, self.position),
            (false, true) => self.action(),
            (false, false) => self.text(),
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.input.get(self.position..).unwrap_or_default()
    }

    fn token(&self, kind: TokenKind, start: usize) -> Token {
        Token::new(kind, start, self.position)
    }

    fn error(&mut self, message: impl Into<String>, start: usize) -> Token {
        self.messages.push(message.into());
        // What is asked for after an error is where the error is.
        self.position = start;
        Token::new(TokenKind::Error(self.messages.len() - 1), start, start)
    }

    /// Go's message for an error token.
    pub(crate) fn message(&self, token: Token) -> Option<&str> {
        match token.kind {
            TokenKind::Error(number) => self.messages.get(number).map(String::as_str),
            _ => None,
        }
    }

    fn skip_space(&mut self) {
        let spaces = self.rest().iter().take_while(|byte| is_space(**byte));
        self.position += spaces.count();
    }

    /// True and whether it trims, if a right delimiter is next.
    fn right_delimiter(&self) -> Option<bool> {
        match self.rest() {
            [space, b'-', b'}', b'}', ..] if is_space(*space) => Some(true),
            [b'}', b'}', ..] => Some(false),
            _ => None,
        }
    }

    /// Text up to the next action; comments vanish, and white space that is trimmed too.
    fn text(&mut self) -> Token {
        loop {
            let start = self.position;
            let Some(found) = find(self.rest(), b"{{") else {
                self.position = self.input.len();
                let kind = if start == self.position {
                    TokenKind::End
                } else {
                    TokenKind::Text
                };
                return self.token(kind, start);
            };
            let delimiter = start + found;
            let trims = matches!(self.input.get(delimiter + 2..), Some([b'-', space, ..]) if is_space(*space));
            let mut end = delimiter;
            while trims && end > start && is_space(self.input[end - 1]) {
                end -= 1;
            }
            self.position = delimiter;
            if end > start {
                return Token::new(TokenKind::Text, start, end);
            }
            self.position += if trims { 4 } else { 2 };
            if !self.rest().starts_with(b"/*") {
                self.inside_action = true;
                self.parentheses = 0;
                return Token::new(TokenKind::LeftDelimiter, delimiter, delimiter + 2);
            }
            if let Some(error) = self.comment() {
                return error;
            }
        }
    }

    /// Skips a comment with its right delimiter; gives an error.
    fn comment(&mut self) -> Option<Token> {
        let start = self.position;
        let Some(length) = find(&self.rest()[2..], b"*/") else {
            return Some(self.error("unclosed comment", start));
        };
        self.position += 2 + length + 2;
        match self.right_delimiter() {
            None => return Some(self.error("comment ends before closing delimiter", start)),
            Some(false) => self.position += 2,
            Some(true) => {
                self.position += 4;
                self.skip_space();
            }
        }
        None
    }

    fn action(&mut self) -> Token {
        let start = self.position;
        if let Some(trims) = self.right_delimiter() {
            if self.parentheses > 0 {
                return self.error("unclosed left paren", start);
            }
            return self.end_of_action(trims);
        }
        let rest = self.rest();
        let Some((character, width)) = decode(rest) else {
            return self.error("unclosed action", start);
        };
        match character {
            ' ' | '\t' | '\r' | '\n' => self.space(start),
            '=' => self.single(TokenKind::Assign, start),
            ':' if rest.get(1) == Some(&b'=') => {
                self.position += 2;
                self.token(TokenKind::Declare, start)
            }
            ':' => self.error("expected :=", start),
            '|' => self.single(TokenKind::Pipe, start),
            '"' => self.quoted(
                TokenKind::QuotedString,
                start,
                b'"',
                "unterminated quoted string",
            ),
            '\'' => self.quoted(
                TokenKind::Character,
                start,
                b'\'',
                "unterminated character constant",
            ),
            '`' => match rest[1..].iter().position(|byte| *byte == b'`') {
                Some(length) => {
                    self.position += length + 2;
                    self.token(TokenKind::RawString, start)
                }
                None => self.error("unterminated raw quoted string", start),
            },
            '$' => self.field_or_variable(TokenKind::Variable, start),
            '.' if rest.get(1).is_some_and(|next| !next.is_ascii_digit()) => {
                self.field_or_variable(TokenKind::Field, start)
            }
            '.' | '+' | '-' | '0'..='9' => self.number(start),
            '(' => {
                self.parentheses += 1;
                self.single(TokenKind::LeftParenthesis, start)
            }
            ')' if self.parentheses == 0 => self.error("unexpected right paren", start),
            ')' => {
                self.parentheses -= 1;
                self.single(TokenKind::RightParenthesis, start)
            }
            character if is_alphanumeric(character) => self.identifier(start),
            '!'..='~' => {
                self.position += width;
                self.token(TokenKind::Other, start)
            }
            character => self.error(
                format!("unrecognized character in action: {}", unicode(character)),
                start,
            ),
        }
    }

    fn end_of_action(&mut self, trims: bool) -> Token {
        // A trimmed delimiter stands where its braces are.
        let start = self.position + if trims { 2 } else { 0 };
        self.position = start + 2;
        if trims {
            self.skip_space();
        }
        self.inside_action = false;
        Token::new(TokenKind::RightDelimiter, start, start + 2)
    }

    fn space(&mut self, start: usize) -> Token {
        self.skip_space();
        // The space before a trim marker belongs to the marker.
        self.position -= 1;
        match self.right_delimiter() {
            Some(true) if self.position == start => return self.end_of_action(true),
            Some(true) => {}
            _ => self.position += 1,
        }
        self.token(TokenKind::Space, start)
    }

    fn single(&mut self, kind: TokenKind, start: usize) -> Token {
        self.position += 1;
        self.token(kind, start)
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
            [b'.' | b',' | b'|' | b':' | b')' | b'(', ..] => true,
            [byte, ..] if is_space(*byte) => true,
            rest => rest.starts_with(b"}}"),
        }
    }

    fn bad_character(&mut self, start: usize) -> Token {
        let character = decode(self.rest()).map_or('\u{fffd}', |(character, _)| character);
        self.error(format!("bad character {}", unicode(character)), start)
    }

    fn identifier(&mut self, start: usize) -> Token {
        self.skip_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character(start);
        }
        let [break_is_function, continue_is_function] = self.loop_words_are_functions;
        let kind = match &self.input[start..self.position] {
            b"true" | b"false" => TokenKind::Bool,
            b"nil" => TokenKind::Nil,
            word => match Keyword::of(word) {
                Some(Keyword::Break) if break_is_function => TokenKind::Identifier,
                Some(Keyword::Continue) if continue_is_function => TokenKind::Identifier,
                Some(keyword) => TokenKind::Keyword(keyword),
                None => TokenKind::Identifier,
            },
        };
        self.token(kind, start)
    }

    fn field_or_variable(&mut self, kind: TokenKind, start: usize) -> Token {
        self.position += 1;
        if self.at_terminator() {
            let alone = if kind == TokenKind::Field {
                TokenKind::Dot
            } else {
                kind
            };
            return self.token(alone, start);
        }
        self.skip_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character(start);
        }
        self.token(kind, start)
    }

    fn quoted(&mut self, kind: TokenKind, start: usize, mark: u8, unterminated: &str) -> Token {
        self.position += 1;
        loop {
            match self.rest() {
                [] | [b'\n', ..] | [b'\\'] | [b'\\', b'\n', ..] => {
                    return self.error(unterminated, start);
                }
                [b'\\', _, ..] => self.position += 2,
                [byte, ..] if *byte == mark => return self.single(kind, start),
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

    fn number(&mut self, start: usize) -> Token {
        let mut kind = TokenKind::Number;
        let mut is_fine = self.scan_number();
        // Complex: 1+2i. No spaces, must end in 'i'.
        if is_fine && matches!(self.rest(), [b'+' | b'-', ..]) {
            kind = TokenKind::Complex;
            is_fine = self.scan_number() && self.input[self.position - 1] == b'i';
        }
        if is_fine {
            return self.token(kind, start);
        }
        let text = strconv::quote(&self.input[start..self.position]);
        self.error(format!("bad number syntax: {text}"), start)
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789_";
        const HEXADECIMAL: &[u8] = b"0123456789abcdefABCDEF_";
        self.accept(b"+-");
        let mut digits = DECIMAL;
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = HEXADECIMAL;
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
        let exponent: &[u8] = match digits {
            DECIMAL => b"eE",
            HEXADECIMAL => b"pP",
            _ => b"",
        };
        if self.accept(exponent) {
            self.accept(b"+-");
            self.accept_run(DECIMAL);
        }
        self.accept(b"i");
        match decode(self.rest()) {
            Some((character, width)) if is_alphanumeric(character) => {
                self.position += width;
                false
            }
            _ => true,
        }
    }
}

/// Where two bytes stand next to each other.
fn find(haystack: &[u8], [first, second]: &[u8; 2]) -> Option<usize> {
    let mut start = 0;
    while let Some(found) = haystack[start..].iter().position(|byte| byte == first) {
        start += found + 1;
        if haystack.get(start) == Some(second) {
            return Some(start - 1);
        }
    }
    None
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
    if strconv::is_printable(character) {
        format!("U+{code:04X} '{character}'")
    } else {
        format!("U+{code:04X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        let mut lexer = Lexer::new(text.as_bytes(), &|_| false);
        let mut tokens = Vec::new();
        loop {
            let token = lexer.next();
            tokens.push((token.kind, &text[token.start..token.end]));
            if matches!(token.kind, TokenKind::End | TokenKind::Error(_)) {
                return tokens;
            }
        }
    }

    #[test]
    fn trim_markers_take_the_white_space() {
        use TokenKind::{End, LeftDelimiter, Number, RightDelimiter, Text};
        assert_eq!(
            kinds("a \n{{- 1 -}}\n b"),
            [
                (Text, "a"),
                (LeftDelimiter, "{{"),
                (Number, "1"),
                (RightDelimiter, "}}"),
                (Text, "b"),
                (End, ""),
            ]
        );
        // A minus without space is a sign.
        assert_eq!(kinds("{{-3}}")[1], (Number, "-3"));
    }

    #[test]
    fn comments_vanish_and_trim_only_where_they_say_so() {
        use TokenKind::{End, Text};
        assert_eq!(
            kinds("a\n{{- /* c */}}\n\nb"),
            [(Text, "a"), (Text, "\n\nb"), (End, "")]
        );
        assert_eq!(kinds("{{/* c */ -}} b"), [(Text, "b"), (End, "")]);
    }

    #[test]
    fn words_end_where_something_else_can_begin() {
        use TokenKind::{Dot, Error, Field, Identifier, Nil, Variable};
        for (action, expected) in [
            ("with.a", (TokenKind::Keyword(Keyword::With), "with")),
            ("a.b", (Identifier, "a")),
            ("$x:=1", (Variable, "$x")),
            (".a.b", (Field, ".a")),
            (". ", (Dot, ".")),
            ("nil", (Nil, "nil")),
            ("$x=1", (Error(0), "")),
            ("a+b", (Error(0), "")),
        ] {
            assert_eq!(kinds(&format!("{{{{{action}}}}}"))[1], expected, "{action}");
        }
    }
}
