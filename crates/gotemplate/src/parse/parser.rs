//! The parser proper.

use super::lexer::{LexError, Lexer, Token, TokenKind};
use super::node::{
    Branch, CommandNode, Expression, ExpressionKind, Node, Nodes, Number, Pipeline, TemplateCall,
    VariableNode,
};
use crate::GoString;
use crate::error::ParseError;
use crate::strconv;

/// How deep parentheses and blocks may be nested; Go has no limit, and no chart comes near this one.
const MAXIMUM_DEPTH: usize = 500;

/// A named template that a text defines.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: GoString,
    pub(crate) nodes: Nodes,
    /// Where it ends, in bytes.
    pub(crate) end: usize,
}

/// Parses a text: gives its own nodes and the templates that it defines, in order.
///
/// `function` finds a function's place by its name.
pub(crate) fn parse(
    name: &str,
    text: &[u8],
    function: &dyn Fn(&str) -> Option<usize>,
) -> Result<(Nodes, Vec<Definition>), ParseError> {
    let mut parser = Parser {
        name,
        text,
        function,
        lexer: Lexer::new(text),
        pending: Vec::new(),
        last_line_at: 0,
        action_at: None,
        variables: vec!["$".to_owned()],
        symbols: vec!["$".to_owned()],
        range_depth: 0,
        depth: 0,
        definitions: Vec::new(),
    };
    let nodes = parser.top()?;
    Ok((nodes, parser.definitions))
}

struct Parser<'a> {
    name: &'a str,
    text: &'a [u8],
    function: &'a dyn Fn(&str) -> Option<usize>,
    lexer: Lexer<'a>,
    /// Tokens that were put back, the next one last.
    pending: Vec<Token>,
    /// Where the newest token begins.
    last_line_at: usize,
    /// Where the action under way begins.
    action_at: Option<usize>,
    /// The variables in reach.
    variables: Vec<String>,
    /// All names of variables of the template under way.
    symbols: Vec<String>,
    range_depth: usize,
    depth: usize,
    definitions: Vec<Definition>,
}

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListEnd {
    End,
    Else,
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

impl<'a> Parser<'a> {
    // === tokens ===

    fn next(&mut self) -> Result<Token> {
        if let Some(token) = self.pending.pop() {
            return Ok(token);
        }
        match self.lexer.next() {
            Ok(token) => {
                self.last_line_at = token.start;
                Ok(token)
            }
            Err(LexError { message, position }) => {
                self.last_line_at = position;
                Err(self.lex_error(message, position))
            }
        }
    }

    fn lex_error(&self, message: String, position: usize) -> ParseError {
        let line = self.line(position);
        let started = self
            .action_at
            .map(|at| self.line(at))
            .filter(|started| *started != line);
        let extra = match started {
            Some(started) if message.ends_with(" action") => {
                format!(" started at {}:{started}", self.name)
            }
            Some(started) => format!(" in action started at {}:{started}", self.name),
            None => String::new(),
        };
        self.error(format!("{message}{extra}"))
    }

    fn put_back(&mut self, token: Token) {
        self.pending.push(token);
    }

    fn peek(&mut self) -> Result<Token> {
        let token = self.next()?;
        self.put_back(token);
        Ok(token)
    }

    fn next_non_space(&mut self) -> Result<Token> {
        loop {
            let token = self.next()?;
            if token.kind != TokenKind::Space {
                return Ok(token);
            }
        }
    }

    fn peek_non_space(&mut self) -> Result<Token> {
        let token = self.next_non_space()?;
        self.put_back(token);
        Ok(token)
    }

    fn bytes(&self, token: Token) -> &'a [u8] {
        &self.text[token.start..token.end]
    }

    fn str(&self, token: Token) -> String {
        String::from_utf8_lossy(self.bytes(token)).into_owned()
    }

    fn is_keyword(&self, token: Token, word: &str) -> bool {
        token.kind == TokenKind::Keyword && self.bytes(token) == word.as_bytes()
    }

    // === errors ===

    fn line(&self, position: usize) -> usize {
        1 + self.text[..position.min(self.text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError {
            template: self.name.to_owned(),
            line: self.line(self.last_line_at),
            message: message.into(),
        }
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(self.error(message))
    }

    fn unexpected<T>(&self, token: Token, context: &str) -> Result<T> {
        self.fail(format!("unexpected {} in {context}", self.show(token)))
    }

    /// A token as Go shows it in errors.
    fn show(&self, token: Token) -> String {
        let text = self.bytes(token);
        match token.kind {
            TokenKind::End => "EOF".to_owned(),
            TokenKind::Keyword | TokenKind::Nil | TokenKind::Dot => {
                format!("<{}>", String::from_utf8_lossy(text))
            }
            _ if text.len() > 10 => {
                let characters: String = String::from_utf8_lossy(text).chars().take(10).collect();
                format!("{}...", strconv::quote(characters.as_bytes()))
            }
            _ => strconv::quote(text),
        }
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAXIMUM_DEPTH {
            return self.fail(format!("nested deeper than {MAXIMUM_DEPTH} levels"));
        }
        self.depth += 1;
        let result = stacker::maybe_grow(64 * 1024, 1024 * 1024, || inner(self));
        self.depth -= 1;
        result
    }

    // === statements ===

    fn top(&mut self) -> Result<Nodes> {
        let mut nodes = Nodes::new();
        loop {
            let token = self.next()?;
            match token.kind {
                TokenKind::End => return Ok(nodes),
                TokenKind::LeftDelimiter => {
                    let word = self.next_non_space()?;
                    if self.is_keyword(word, "define") {
                        self.definition()?;
                        continue;
                    }
                    self.put_back(word);
                    self.put_back(token);
                }
                _ => self.put_back(token),
            }
            match self.text_or_action()? {
                Statement::Node(node) => nodes.push(node),
                Statement::End => return self.fail("unexpected {{end}}"),
                Statement::Else => return self.fail("unexpected {{else}}"),
            }
        }
    }

    fn definition(&mut self) -> Result<()> {
        let token = self.next_non_space()?;
        let name = self.template_name(token, "define clause")?;
        self.expect_right_delimiter("define clause")?;
        let nodes = self.separate("define clause")?;
        let end = self.last_line_at;
        self.definitions.push(Definition { name, nodes, end });
        Ok(())
    }

    /// The body of a template of its own, with variables of its own.
    fn separate(&mut self, context: &str) -> Result<Nodes> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let symbols = std::mem::replace(&mut self.symbols, vec!["$".to_owned()]);
        let range_depth = std::mem::take(&mut self.range_depth);
        let (nodes, end) = self.nested(Self::list)?;
        self.variables = variables;
        self.symbols = symbols;
        self.range_depth = range_depth;
        match end {
            ListEnd::End => Ok(nodes),
            ListEnd::Else => self.fail(format!("unexpected {{{{else}}}} in {context}")),
        }
    }

    fn list(&mut self) -> Result<(Nodes, ListEnd)> {
        let mut nodes = Nodes::new();
        while self.peek_non_space()?.kind != TokenKind::End {
            match self.text_or_action()? {
                Statement::Node(node) => nodes.push(node),
                Statement::End => return Ok((nodes, ListEnd::End)),
                Statement::Else => return Ok((nodes, ListEnd::Else)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Result<Statement> {
        let token = self.next_non_space()?;
        match token.kind {
            TokenKind::Text => Ok(Statement::Node(Node::Text(self.bytes(token).into()))),
            TokenKind::LeftDelimiter => {
                self.action_at = Some(token.start);
                let statement = self.action();
                self.action_at = None;
                statement
            }
            _ => self.unexpected(token, "input"),
        }
    }

    fn action(&mut self) -> Result<Statement> {
        let token = self.next_non_space()?;
        if token.kind != TokenKind::Keyword {
            self.put_back(token);
            let pipeline = self.pipeline("command", TokenKind::RightDelimiter)?;
            return Ok(Statement::Node(Node::Action(pipeline)));
        }
        let node = match self.str(token).as_str() {
            "block" => self.block()?,
            "break" => self.loop_control(token, "break", Node::Break)?,
            "continue" => self.loop_control(token, "continue", Node::Continue)?,
            "else" => return self.otherwise(),
            "end" => {
                self.expect_right_delimiter("end")?;
                return Ok(Statement::End);
            }
            "if" => Node::If(self.nested(|parser| parser.control("if", token.start))?),
            "range" => Node::Range(self.nested(|parser| parser.control("range", token.start))?),
            "with" => Node::With(self.nested(|parser| parser.control("with", token.start))?),
            "template" => self.template()?,
            _ => return self.unexpected(token, "command"),
        };
        Ok(Statement::Node(node))
    }

    fn otherwise(&mut self) -> Result<Statement> {
        let token = self.peek_non_space()?;
        if !self.is_keyword(token, "if") && !self.is_keyword(token, "with") {
            self.expect_right_delimiter("else")?;
        }
        Ok(Statement::Else)
    }

    fn loop_control(&mut self, token: Token, word: &str, node: Node) -> Result<Node> {
        let next = self.next_non_space()?;
        if next.kind != TokenKind::RightDelimiter {
            return self.unexpected(next, &format!("{{{{{word}}}}}"));
        }
        if self.range_depth == 0 {
            self.last_line_at = token.start;
            return self.fail(format!("{{{{{word}}}}} outside {{{{range}}}}"));
        }
        Ok(node)
    }

    fn expect_right_delimiter(&mut self, context: &str) -> Result<()> {
        let token = self.next_non_space()?;
        if token.kind == TokenKind::RightDelimiter {
            return Ok(());
        }
        self.unexpected(token, context)
    }

    fn control(&mut self, context: &str, position: usize) -> Result<Branch> {
        let variables = self.variables.len();
        let pipeline = self.pipeline(context, TokenKind::RightDelimiter)?;
        let is_range = context == "range";
        self.range_depth += usize::from(is_range);
        let list = self.list();
        self.range_depth -= usize::from(is_range);
        let (body, end) = list?;
        let mut otherwise = None;
        if end == ListEnd::Else {
            let token = self.peek_non_space()?;
            // `{{else if}}` and `{{else with}}` need no `{{end}}` of their own.
            if context != "range" && self.is_keyword(token, context) {
                self.next_non_space()?;
                let branch = self.nested(|parser| parser.control(context, token.start))?;
                let node = if context == "if" {
                    Node::If(branch)
                } else {
                    Node::With(branch)
                };
                otherwise = Some(vec![node]);
            } else if token.kind == TokenKind::Keyword
                && (self.is_keyword(token, "if") || self.is_keyword(token, "with"))
            {
                return self.unexpected(token, "input");
            } else {
                let (nodes, end) = self.list()?;
                if end != ListEnd::End {
                    return self.fail("expected end; found {{else}}");
                }
                otherwise = Some(nodes);
            }
        }
        self.variables.truncate(variables);
        Ok(Branch {
            position,
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

    fn unquote(&self, token: Token) -> Result<GoString> {
        strconv::unquote(self.bytes(token))
            .map(GoString::from)
            .ok_or_else(|| self.error("invalid syntax"))
    }

    fn template(&mut self) -> Result<Node> {
        let token = self.next_non_space()?;
        let name = self.template_name(token, "template clause")?;
        let next = self.next_non_space()?;
        let pipeline = if next.kind == TokenKind::RightDelimiter {
            None
        } else {
            self.put_back(next);
            Some(self.pipeline("template clause", TokenKind::RightDelimiter)?)
        };
        Ok(Node::Template(TemplateCall {
            position: token.start,
            name,
            pipeline,
        }))
    }

    fn block(&mut self) -> Result<Node> {
        let token = self.next_non_space()?;
        let name = self.template_name(token, "block clause")?;
        let pipeline = self.pipeline("block clause", TokenKind::RightDelimiter)?;
        let nodes = self.separate("block clause")?;
        self.definitions.push(Definition {
            name: name.clone(),
            nodes,
            end: self.last_line_at,
        });
        let pipeline = Some(pipeline);
        Ok(Node::Template(TemplateCall {
            position: token.start,
            name,
            pipeline,
        }))
    }

    // === expressions ===

    fn symbol(&mut self, name: &str) -> usize {
        if let Some(slot) = self.symbols.iter().position(|symbol| symbol == name) {
            return slot;
        }
        self.symbols.push(name.to_owned());
        self.symbols.len() - 1
    }

    fn declare(&mut self, token: Token) -> VariableNode {
        let name = self.str(token);
        self.variables.push(name.clone());
        VariableNode {
            position: token.start,
            slot: self.symbol(&name),
            name,
        }
    }

    fn pipeline(&mut self, context: &str, end: TokenKind) -> Result<Pipeline> {
        let position = self.peek_non_space()?.start;
        let mut pipeline = Pipeline {
            position,
            is_assignment: false,
            variables: Vec::new(),
            commands: Vec::new(),
        };
        self.declarations(&mut pipeline, context)?;
        loop {
            let token = self.next_non_space()?;
            if token.kind == end {
                break;
            }
            match token.kind {
                TokenKind::Bool
                | TokenKind::Character
                | TokenKind::Dot
                | TokenKind::Field
                | TokenKind::Identifier
                | TokenKind::Number
                | TokenKind::Nil
                | TokenKind::RawString
                | TokenKind::QuotedString
                | TokenKind::Variable
                | TokenKind::LeftParenthesis => {
                    self.put_back(token);
                    let command = self.command()?;
                    pipeline.commands.push(command);
                }
                _ => return self.unexpected(token, context),
            }
        }
        self.check_pipeline(&pipeline, context)?;
        Ok(pipeline)
    }

    fn declarations(&mut self, pipeline: &mut Pipeline, context: &str) -> Result<()> {
        loop {
            let variable = self.peek_non_space()?;
            if variable.kind != TokenKind::Variable {
                return Ok(());
            }
            self.next_non_space()?;
            let after = self.next()?;
            let next = if after.kind == TokenKind::Space {
                self.next_non_space()?
            } else {
                after
            };
            if matches!(next.kind, TokenKind::Assign | TokenKind::Declare) {
                pipeline.is_assignment = next.kind == TokenKind::Assign;
                let variable = self.declare(variable);
                pipeline.variables.push(variable);
                return Ok(());
            }
            if next.kind == TokenKind::Other && self.bytes(next) == b"," {
                let variable = self.declare(variable);
                pipeline.variables.push(variable);
                if context == "range" && pipeline.variables.len() < 2 {
                    match self.peek_non_space()?.kind {
                        TokenKind::Variable
                        | TokenKind::RightDelimiter
                        | TokenKind::RightParenthesis => continue,
                        _ => return self.fail("range can only initialize variables"),
                    }
                }
                return self.fail(format!("too many declarations in {context}"));
            }
            self.put_back(next);
            if after.kind == TokenKind::Space {
                self.put_back(after);
            }
            self.put_back(variable);
            return Ok(());
        }
    }

    fn check_pipeline(&self, pipeline: &Pipeline, context: &str) -> Result<()> {
        if pipeline.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (index, command) in pipeline.commands.iter().enumerate().skip(1) {
            let first = command.arguments.first().map(|argument| &argument.kind);
            if matches!(
                first,
                Some(
                    ExpressionKind::Bool(_)
                        | ExpressionKind::Dot
                        | ExpressionKind::Nil
                        | ExpressionKind::Number(_)
                        | ExpressionKind::String { .. }
                )
            ) {
                let stage = index + 1;
                return self.fail(format!("non executable command in pipeline stage {stage}"));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<CommandNode> {
        let position = self.peek_non_space()?.start;
        let mut arguments = Vec::new();
        loop {
            self.peek_non_space()?;
            if let Some(operand) = self.operand()? {
                arguments.push(operand);
            }
            let token = self.next()?;
            match token.kind {
                TokenKind::Space => continue,
                TokenKind::RightDelimiter | TokenKind::RightParenthesis => self.put_back(token),
                TokenKind::Pipe => {}
                _ => return self.unexpected(token, "operand"),
            }
            break;
        }
        if arguments.is_empty() {
            return self.fail("empty command");
        }
        Ok(CommandNode {
            position,
            arguments,
        })
    }

    fn operand(&mut self) -> Result<Option<Expression>> {
        let Some(operand) = self.term()? else {
            return Ok(None);
        };
        let token = self.peek()?;
        if token.kind != TokenKind::Field {
            return Ok(Some(operand));
        }
        // Go gives the whole chain the position of its first field.
        let position = token.start;
        let mut fields = Vec::new();
        while self.peek()?.kind == TokenKind::Field {
            let token = self.next()?;
            fields.push(GoString::from(&self.bytes(token)[1..]));
        }
        let kind = match operand.kind {
            ExpressionKind::Field(mut first) => {
                first.extend(fields);
                ExpressionKind::Field(first)
            }
            ExpressionKind::Variable {
                variable,
                fields: mut first,
            } => {
                first.extend(fields);
                ExpressionKind::Variable {
                    variable,
                    fields: first,
                }
            }
            ExpressionKind::Bool(_)
            | ExpressionKind::String { .. }
            | ExpressionKind::Number(_)
            | ExpressionKind::Nil
            | ExpressionKind::Dot => {
                let term = strconv::quote(operand.to_string().as_bytes());
                return self.fail(format!("unexpected . after term {term}"));
            }
            _ => ExpressionKind::Chain {
                operand: Box::new(operand),
                fields,
            },
        };
        Ok(Some(Expression { position, kind }))
    }

    fn term(&mut self) -> Result<Option<Expression>> {
        let token = self.next_non_space()?;
        let kind = match token.kind {
            TokenKind::Identifier => {
                let name = self.str(token);
                let Some(index) = (self.function)(&name) else {
                    return self.fail(format!("function {name:?} not defined"));
                };
                ExpressionKind::Function { name, index }
            }
            TokenKind::Dot => ExpressionKind::Dot,
            TokenKind::Nil => ExpressionKind::Nil,
            TokenKind::Variable => {
                let name = self.str(token);
                if !self.variables.contains(&name) {
                    return self.fail(format!("undefined variable {name:?}"));
                }
                let slot = self.symbol(&name);
                ExpressionKind::Variable {
                    variable: VariableNode {
                        position: token.start,
                        name,
                        slot,
                    },
                    fields: Vec::new(),
                }
            }
            TokenKind::Field => ExpressionKind::Field(vec![self.bytes(token)[1..].into()]),
            TokenKind::Bool => ExpressionKind::Bool(self.bytes(token) == b"true"),
            TokenKind::Number | TokenKind::Character => ExpressionKind::Number(self.number(token)?),
            TokenKind::LeftParenthesis => {
                let pipeline = self.nested(|parser| {
                    parser.pipeline("parenthesized pipeline", TokenKind::RightParenthesis)
                })?;
                ExpressionKind::Pipeline(Box::new(pipeline))
            }
            TokenKind::QuotedString | TokenKind::RawString => ExpressionKind::String {
                value: self.unquote(token)?,
                spelling: self.bytes(token).into(),
            },
            _ => {
                self.put_back(token);
                return Ok(None);
            }
        };
        Ok(Some(Expression {
            position: token.start,
            kind,
        }))
    }

    fn number(&self, token: Token) -> Result<Number> {
        let spelling = self.str(token);
        if token.kind == TokenKind::Character {
            let Some(character) = strconv::unquote_character(self.bytes(token)) else {
                return self.fail(format!("malformed character constant: {spelling}"));
            };
            let code = u32::from(character);
            return Ok(Number {
                spelling,
                int: Some(i64::from(code)),
                uint: Some(u64::from(code)),
                float: Some(f64::from(code)),
                is_character: true,
            });
        }
        if spelling.ends_with('i') {
            return self.fail(format!("complex numbers are not supported: {spelling}"));
        }
        let mut int = strconv::parse_int(&spelling, 0);
        let mut uint = strconv::parse_uint(&spelling, 0);
        let mut float = None;
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "Go promotes constants like this"
        )]
        if let Some(value) = int {
            float = Some(value as f64);
        } else if let Some(value) = uint {
            float = Some(value as f64);
        } else if let Some(value) = strconv::parse_float(&spelling) {
            if !spelling.contains(['.', 'e', 'E', 'p', 'P']) {
                return self.fail(format!("integer overflow: {spelling:?}"));
            }
            float = Some(value);
            let whole = value as i64;
            if whole as f64 == value {
                int = Some(whole);
                uint = u64::try_from(whole).ok();
            }
        }
        if int.is_none() && uint.is_none() && float.is_none() {
            return self.fail(format!("illegal number syntax: {spelling:?}"));
        }
        Ok(Number {
            spelling,
            int,
            uint,
            float,
            is_character: false,
        })
    }
}

enum Statement {
    Node(Node),
    End,
    Else,
}
