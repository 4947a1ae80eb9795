//! Statements: text, control structures and definitions.

use std::collections::HashMap;
use std::rc::Rc;

use super::lexer::Lexer;
use super::node::{Branch, Node, Nodes, Pipeline, TemplateCall};
use super::token::{Keyword, Token, TokenKind};
use super::variables::Variables;
use crate::GoString;
use crate::error::ParseError;
use crate::strconv;

/// How deep parentheses and blocks may be nested. Go takes 10,000 parentheses and any number of
/// blocks; no chart comes near this one.
const MAXIMUM_DEPTH: usize = 500;

/// A named template that a text defines, or the text itself.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: GoString,
    pub(crate) nodes: Nodes,
}

/// Finds a function by its name: gives the name to keep and the function's place in its table.
pub(crate) type FindFunction<'a> = dyn Fn(&str) -> Option<(Rc<str>, usize)> + 'a;

/// Parses a text: gives the templates that it defines, itself among them.
///
/// `function` finds a function by its name.
pub(crate) fn parse(
    name: &str,
    text: &[u8],
    function: &FindFunction<'_>,
) -> Result<Vec<Definition>, ParseError> {
    let mut parser = Parser {
        name,
        text,
        function,
        lexer: Lexer::new(text, &|name| function(name).is_some()),
        frame: Frame::default(),
        depth: 0,
        definitions: Vec::new(),
        defined: HashMap::new(),
    };
    let nodes = parser.top()?;
    parser.define(name.into(), nodes)?;
    Ok(parser.definitions)
}

pub(super) struct Parser<'a> {
    name: &'a str,
    text: &'a [u8],
    pub(super) function: &'a FindFunction<'a>,
    lexer: Lexer<'a>,
    pub(super) frame: Frame,
    depth: usize,
    definitions: Vec<Definition>,
    /// Their places by name.
    defined: HashMap<GoString, usize>,
}

/// What belongs to one template of the text.
pub(super) struct Frame {
    /// Tokens that were read: first the newest one, whose line errors are on.
    tokens: [Token; 3],
    /// How many of them were put back.
    waiting: usize,
    /// Where the action under way begins.
    action: Option<usize>,
    pub(super) variables: Variables,
    ranges: usize,
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            tokens: std::array::from_fn(|_| Token::new(TokenKind::End, 0, 0)),
            waiting: 0,
            action: None,
            variables: Variables::default(),
            ranges: 0,
        }
    }
}

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListEnd {
    End,
    Else,
}

impl ListEnd {
    fn as_str(self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

enum Statement {
    Node(Node),
    End(ListEnd),
}

pub(super) type Result<T, E = ParseError> = std::result::Result<T, E>;

// === tokens ===

impl<'a> Parser<'a> {
    pub(super) fn next(&mut self) -> Token {
        match self.frame.waiting.checked_sub(1) {
            Some(waiting) => self.frame.waiting = waiting,
            None => self.frame.tokens[0] = self.lexer.next(),
        }
        self.frame.tokens[self.frame.waiting]
    }

    /// Puts the newest token back.
    pub(super) fn put_back(&mut self) {
        self.frame.waiting += 1;
    }

    /// Puts the newest token back, and those before it, the earliest first.
    pub(super) fn put_back_with<const COUNT: usize>(&mut self, earlier: [Token; COUNT]) {
        self.frame.waiting = COUNT + 1;
        for (place, token) in self.frame.tokens[1..]
            .iter_mut()
            .zip(earlier.into_iter().rev())
        {
            *place = token;
        }
    }

    pub(super) fn peek(&mut self) -> Token {
        let token = self.next();
        self.put_back();
        token
    }

    pub(super) fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != TokenKind::Space {
                return token;
            }
        }
    }

    pub(super) fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.put_back();
        token
    }

    pub(super) fn bytes(&self, token: Token) -> &'a [u8] {
        &self.text[token.start..token.end]
    }

    pub(super) fn str(&self, token: Token) -> String {
        String::from_utf8_lossy(self.bytes(token)).into_owned()
    }

    fn expect_right_delimiter(&mut self, context: &str) -> Result<()> {
        let token = self.next_non_space();
        if token.kind == TokenKind::RightDelimiter {
            return Ok(());
        }
        self.unexpected(token, context)
    }
}

// === errors ===

impl Parser<'_> {
    fn line(&self, position: usize) -> usize {
        1 + self.text[..position]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    }

    pub(super) fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError {
            template: self.name.to_owned(),
            line: self.line(self.frame.tokens[0].start),
            message: message.into(),
        }
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(self.error(message))
    }

    pub(super) fn unexpected<T>(&self, token: Token, context: &str) -> Result<T> {
        let Some(message) = self.lexer.message(token) else {
            return self.fail(format!("unexpected {} in {context}", self.show(token)));
        };
        let line = self.line(token.start);
        let started = self.frame.action.map(|at| self.line(at));
        match started.filter(|started| *started != line) {
            Some(started) => {
                let action = if message.ends_with(" action") {
                    ""
                } else {
                    " in action"
                };
                let name = self.name;
                self.fail(format!("{message}{action} started at {name}:{started}"))
            }
            None => self.fail(message),
        }
    }

    /// A token as Go shows it in errors.
    fn show(&self, token: Token) -> String {
        let text = self.bytes(token);
        match token.kind {
            TokenKind::End => "EOF".to_owned(),
            TokenKind::Keyword(_) | TokenKind::Nil | TokenKind::Dot => {
                format!("<{}>", String::from_utf8_lossy(text))
            }
            _ if text.len() > 10 => {
                format!("{}...", strconv::quote(strconv::first_characters(text, 10)))
            }
            _ => strconv::quote(text),
        }
    }

    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAXIMUM_DEPTH {
            return self.fail(format!(
                "max expression depth exceeded: nested deeper than {MAXIMUM_DEPTH} levels"
            ));
        }
        self.depth += 1;
        let result = stacker::maybe_grow(64 * 1024, 1024 * 1024, || inner(self));
        self.depth -= 1;
        result
    }
}

// === statements ===

impl Parser<'_> {
    fn top(&mut self) -> Result<Nodes> {
        let mut nodes = Nodes::new();
        loop {
            let delimiter = self.peek();
            match delimiter.kind {
                TokenKind::End => return Ok(nodes),
                TokenKind::LeftDelimiter => {
                    self.next();
                    let word = self.next_non_space();
                    if word.kind == TokenKind::Keyword(Keyword::Define) {
                        self.definition()?;
                        continue;
                    }
                    self.put_back_with([delimiter]);
                }
                _ => {}
            }
            match self.text_or_action()? {
                Statement::Node(node) => nodes.push(node),
                Statement::End(end) => return self.fail(format!("unexpected {}", end.as_str())),
            }
        }
    }

    /// Adds a template; only a blank one can be defined twice in one text.
    fn define(&mut self, name: GoString, nodes: Nodes) -> Result<()> {
        let earlier = self.defined.get(&name).copied();
        match earlier.and_then(|place| self.definitions.get_mut(place)) {
            None => {
                self.defined.insert(name.clone(), self.definitions.len());
                self.definitions.push(Definition { name, nodes });
            }
            Some(earlier) if is_blank(&earlier.nodes, self.text) => earlier.nodes = nodes,
            Some(_) if is_blank(&nodes, self.text) => {}
            Some(_) => {
                return self.fail(format!(
                    "template: multiple definition of template {}",
                    strconv::quote(&name)
                ));
            }
        }
        Ok(())
    }

    fn definition(&mut self) -> Result<()> {
        let context = "define clause";
        let outer = std::mem::take(&mut self.frame);
        let token = self.next_non_space();
        let name = self.template_name(token, context)?;
        self.expect_right_delimiter(context)?;
        let nodes = self.own_list(context)?;
        self.define(name, nodes)?;
        self.frame = outer;
        Ok(())
    }

    fn own_list(&mut self, context: &str) -> Result<Nodes> {
        match self.nested(Self::list)? {
            (nodes, ListEnd::End) => Ok(nodes),
            (_, end) => self.fail(format!("unexpected {} in {context}", end.as_str())),
        }
    }

    fn list(&mut self) -> Result<(Nodes, ListEnd)> {
        let mut nodes = Nodes::new();
        while self.peek_non_space().kind != TokenKind::End {
            match self.text_or_action()? {
                Statement::Node(node) => nodes.push(node),
                Statement::End(end) => return Ok((nodes, end)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Statement> {
        let token = self.next_non_space();
        match token.kind {
            TokenKind::Text => Ok(Statement::Node(Node::Text(token.start..token.end))),
            TokenKind::LeftDelimiter => {
                self.frame.action = Some(token.start);
                let statement = self.action();
                self.frame.action = None;
                statement
            }
            _ => self.unexpected(token, "input"),
        }
    }

    fn action(&mut self) -> Result<Statement> {
        let token = self.next_non_space();
        let node = match token.kind {
            TokenKind::Keyword(Keyword::Block) => self.block()?,
            TokenKind::Keyword(Keyword::Break) => self.loop_control("{{break}}", Node::Break)?,
            TokenKind::Keyword(Keyword::Continue) => {
                self.loop_control("{{continue}}", Node::Continue)?
            }
            TokenKind::Keyword(Keyword::Else) => {
                let next = self.peek_non_space().kind;
                if !matches!(next, TokenKind::Keyword(Keyword::If | Keyword::With)) {
                    self.expect_right_delimiter("else")?;
                }
                return Ok(Statement::End(ListEnd::Else));
            }
            TokenKind::Keyword(Keyword::End) => {
                self.expect_right_delimiter("end")?;
                return Ok(Statement::End(ListEnd::End));
            }
            TokenKind::Keyword(Keyword::If) => Node::If(self.control(Keyword::If)?),
            TokenKind::Keyword(Keyword::Range) => Node::Range(self.control(Keyword::Range)?),
            TokenKind::Keyword(Keyword::With) => Node::With(self.control(Keyword::With)?),
            TokenKind::Keyword(Keyword::Template) => self.template()?,
            _ => {
                self.put_back();
                Node::Action(self.pipeline("command", TokenKind::RightDelimiter)?)
            }
        };
        Ok(Statement::Node(node))
    }

    fn loop_control(&mut self, word: &str, node: Node) -> Result<Node> {
        self.expect_right_delimiter(word)?;
        if self.frame.ranges == 0 {
            return self.fail(format!("{word} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn control(&mut self, keyword: Keyword) -> Result<Branch> {
        self.nested(|parser| {
            let mark = parser.frame.variables.mark();
            let branch = parser.branch(keyword)?;
            parser.frame.variables.forget(mark);
            Ok(branch)
        })
    }

    fn branch(&mut self, keyword: Keyword) -> Result<Branch> {
        let is_range = keyword == Keyword::Range;
        let context = match keyword {
            Keyword::If => "if",
            Keyword::With => "with",
            _ => "range",
        };
        let pipeline = self.pipeline(context, TokenKind::RightDelimiter)?;
        self.frame.ranges += usize::from(is_range);
        let (body, end) = self.list()?;
        self.frame.ranges -= usize::from(is_range);
        let otherwise = match end {
            ListEnd::End => None,
            // `{{else if}}` and `{{else with}}` need no `{{end}}` of their own.
            ListEnd::Else if !is_range && self.peek().kind == TokenKind::Keyword(keyword) => {
                self.next();
                let branch = self.control(keyword)?;
                Some(vec![if keyword == Keyword::If {
                    Node::If(branch)
                } else {
                    Node::With(branch)
                }])
            }
            ListEnd::Else => match self.list()? {
                (nodes, ListEnd::End) => Some(nodes),
                (_, end) => {
                    return self.fail(format!("expected end; found {}", end.as_str()));
                }
            },
        };
        Ok(Branch {
            pipeline,
            body,
            otherwise,
        })
    }

    fn template_name(&mut self, token: Token, context: &str) -> Result<GoString> {
        match token.kind {
            TokenKind::QuotedString | TokenKind::RawString => self.unquote(token),
            _ => self.unexpected(token, context),
        }
    }

    pub(super) fn unquote(&self, token: Token) -> Result<GoString> {
        strconv::unquote(self.bytes(token))
            .map(GoString::from)
            .ok_or_else(|| self.error("invalid syntax"))
    }

    fn template(&mut self) -> Result<Node> {
        let context = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(token, context)?;
        let pipeline = if self.next_non_space().kind == TokenKind::RightDelimiter {
            None
        } else {
            self.put_back();
            Some(self.pipeline(context, TokenKind::RightDelimiter)?)
        };
        Ok(call(token, name, pipeline))
    }

    fn block(&mut self) -> Result<Node> {
        let context = "block clause";
        let token = self.next_non_space();
        let name = self.template_name(token, context)?;
        let pipeline = self.pipeline(context, TokenKind::RightDelimiter)?;
        let outer = std::mem::take(&mut self.frame);
        let list = self.nested(Self::list)?;
        let inner = std::mem::replace(&mut self.frame, outer);
        if list.1 != ListEnd::End {
            // Go counts this error to the outer template, whose newest token is the block's.
            return self.fail(format!("unexpected {} in {context}", list.1.as_str()));
        }
        let outer = std::mem::replace(&mut self.frame, inner);
        self.define(name.clone(), list.0)?;
        self.frame = outer;
        Ok(call(token, name, Some(pipeline)))
    }
}

fn call(token: Token, name: GoString, pipeline: Option<Pipeline>) -> Node {
    Node::Template(TemplateCall {
        position: token.start,
        name,
        pipeline,
    })
}

/// True if there is nothing but white space, as Go's `IsEmptyTree`.
pub(crate) fn is_blank(nodes: &[Node], text: &[u8]) -> bool {
    nodes.iter().all(|node| match node {
        Node::Text(range) => {
            std::str::from_utf8(&text[range.clone()]).is_ok_and(|text| text.trim().is_empty())
        }
        _ => false,
    })
}
