//! The pieces of a template.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// What cannot be a token; [`Lexer::message`](super::lexer::Lexer::message) says why by this number.
    Error(usize),
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
    Keyword(Keyword),
    /// `nil`
    Nil,
    /// A number.
    Number,
    /// `1+2i`
    Complex,
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

/// A word with a meaning of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
}

impl Keyword {
    /// The keyword that is spelt so.
    pub(super) fn of(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"block" => Self::Block,
            b"break" => Self::Break,
            b"continue" => Self::Continue,
            b"define" => Self::Define,
            b"else" => Self::Else,
            b"end" => Self::End,
            b"if" => Self::If,
            b"range" => Self::Range,
            b"template" => Self::Template,
            b"with" => Self::With,
            _ => return None,
        })
    }
}

/// A piece of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    /// Byte position of its first byte; an error is on the line of this one.
    pub(crate) start: usize,
    /// Byte position after its last byte.
    pub(crate) end: usize,
}

impl Token {
    pub(crate) fn new(kind: TokenKind, start: usize, end: usize) -> Self {
        Self { kind, start, end }
    }
}
