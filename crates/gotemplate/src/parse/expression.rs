//! Pipelines, commands and operands.

use super::node::{CommandNode, Expression, ExpressionKind, Number, Pipeline, VariableNode};
use super::parser::{Parser, Result};
use super::token::{Token, TokenKind};
use crate::GoString;
use crate::strconv;

impl Parser<'_> {
    fn declare(&mut self, token: Token) -> VariableNode {
        let name = String::from_utf8_lossy(self.bytes(token));
        self.frame.variables.declare(&name)
    }

    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Result<Pipeline> {
        let mut pipeline = Pipeline {
            position: self.peek_non_space().start,
            is_assignment: false,
            variables: Vec::new(),
            commands: Vec::new(),
        };
        self.declarations(&mut pipeline, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                TokenKind::Bool
                | TokenKind::Character
                | TokenKind::Complex
                | TokenKind::Dot
                | TokenKind::Field
                | TokenKind::Identifier
                | TokenKind::Number
                | TokenKind::Nil
                | TokenKind::RawString
                | TokenKind::QuotedString
                | TokenKind::Variable
                | TokenKind::LeftParenthesis => {
                    self.put_back();
                    let command = self.command()?;
                    pipeline.commands.push(command);
                }
                _ => return self.unexpected(token, context),
            }
        }
        self.check(&pipeline, context)?;
        Ok(pipeline)
    }

    /// Variables that are declared or assigned at the beginning of a pipeline.
    fn declarations(&mut self, pipeline: &mut Pipeline, context: &str) -> Result<()> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != TokenKind::Variable {
                return Ok(());
            }
            self.next();
            let after = self.peek();
            let next = self.peek_non_space();
            match next.kind {
                TokenKind::Assign | TokenKind::Declare => {
                    self.next_non_space();
                    pipeline.is_assignment = next.kind == TokenKind::Assign;
                    let variable = self.declare(variable);
                    pipeline.variables.push(variable);
                    return Ok(());
                }
                TokenKind::Other if self.bytes(next) == b"," => {
                    self.next_non_space();
                    let variable = self.declare(variable);
                    pipeline.variables.push(variable);
                    if context != "range" || pipeline.variables.len() >= 2 {
                        return self.fail(format!("too many declarations in {context}"));
                    }
                    if !matches!(
                        self.peek_non_space().kind,
                        TokenKind::Variable
                            | TokenKind::RightDelimiter
                            | TokenKind::RightParenthesis
                    ) {
                        return self.fail("range can only initialize variables");
                    }
                }
                _ => {
                    // It is an argument: back with it, and with the space that ends it.
                    if after.kind == TokenKind::Space {
                        self.put_back_with([variable, after]);
                    } else {
                        self.put_back_with([variable]);
                    }
                    return Ok(());
                }
            }
        }
    }

    fn check(&self, pipeline: &Pipeline, context: &str) -> Result<()> {
        if pipeline.commands.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        for (index, command) in pipeline.commands.iter().enumerate().skip(1) {
            if matches!(
                command.first.kind,
                ExpressionKind::Bool(_)
                    | ExpressionKind::Dot
                    | ExpressionKind::Nil
                    | ExpressionKind::Number(_)
                    | ExpressionKind::String { .. }
            ) {
                let stage = index + 1;
                return self.fail(format!("non executable command in pipeline stage {stage}"));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<CommandNode> {
        let mut operands = Vec::new();
        loop {
            self.peek_non_space();
            operands.extend(self.operand()?);
            let token = self.next();
            match token.kind {
                TokenKind::Space => {}
                TokenKind::RightDelimiter | TokenKind::RightParenthesis => {
                    self.put_back();
                    break;
                }
                TokenKind::Pipe => break,
                _ => return self.unexpected(token, "operand"),
            }
        }
        match CommandNode::new(operands) {
            Some(command) => Ok(command),
            None => self.fail("empty command"),
        }
    }

    fn operand(&mut self) -> Result<Option<Expression>> {
        let Some(operand) = self.term()? else {
            return Ok(None);
        };
        let token = self.peek();
        if token.kind != TokenKind::Field {
            return Ok(Some(operand));
        }
        // Go gives the whole chain the position of its first field.
        let position = token.start;
        let mut more = Vec::new();
        while self.peek().kind == TokenKind::Field {
            let token = self.next();
            more.push(GoString::from(&self.bytes(token)[1..]));
        }
        let kind = match operand.kind {
            ExpressionKind::Field(mut fields) => {
                fields.append(&mut more);
                ExpressionKind::Field(fields)
            }
            ExpressionKind::Variable {
                variable,
                mut fields,
            } => {
                fields.append(&mut more);
                ExpressionKind::Variable { variable, fields }
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
                fields: more,
            },
        };
        Ok(Some(Expression { position, kind }))
    }

    fn term(&mut self) -> Result<Option<Expression>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            TokenKind::Identifier => {
                let name = String::from_utf8_lossy(self.bytes(token));
                let Some((name, index)) = (self.function)(&name) else {
                    let name = strconv::quote(self.bytes(token));
                    return self.fail(format!("function {name} not defined"));
                };
                ExpressionKind::Function { name, index }
            }
            TokenKind::Dot => ExpressionKind::Dot,
            TokenKind::Nil => ExpressionKind::Nil,
            TokenKind::Variable => {
                let name = String::from_utf8_lossy(self.bytes(token));
                let Some(variable) = self.frame.variables.find(&name) else {
                    let name = strconv::quote(name.as_bytes());
                    return self.fail(format!("undefined variable {name}"));
                };
                ExpressionKind::Variable {
                    variable,
                    fields: Vec::new(),
                }
            }
            TokenKind::Field => ExpressionKind::Field(vec![self.bytes(token)[1..].into()]),
            TokenKind::Bool => ExpressionKind::Bool(self.bytes(token) == b"true"),
            TokenKind::Number | TokenKind::Character | TokenKind::Complex => {
                ExpressionKind::Number(self.number(token)?)
            }
            TokenKind::LeftParenthesis => {
                let pipeline = self.nested(|parser| {
                    parser.pipeline("parenthesized pipeline", TokenKind::RightParenthesis)
                })?;
                return Ok(Some(Expression {
                    position: pipeline.position,
                    kind: ExpressionKind::Pipeline(Box::new(pipeline)),
                }));
            }
            TokenKind::QuotedString | TokenKind::RawString => ExpressionKind::String {
                value: self.unquote(token)?,
                spelling: self.bytes(token).into(),
            },
            _ => {
                self.put_back();
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
            let code = match strconv::unquote_character(self.bytes(token)) {
                Ok(code) => code,
                Err(strconv::CharacterError::Syntax) => return self.fail("invalid syntax"),
                Err(strconv::CharacterError::Length) => {
                    return self.fail(format!("malformed character constant: {spelling}"));
                }
            };
            return Ok(Number {
                spelling,
                int: Some(i64::from(code)),
                float: Some(f64::from(code)),
                is_character: true,
            });
        }
        if token.kind == TokenKind::Complex || spelling.ends_with('i') {
            return self.fail(format!("complex numbers are not supported: {spelling}"));
        }
        let quoted = || strconv::quote(spelling.as_bytes());
        let mut int = strconv::parse_int(&spelling, 0);
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "Go promotes constants like this"
        )]
        let float = match (int, strconv::parse_uint(&spelling, 0)) {
            (Some(value), _) => value as f64,
            (None, Some(value)) => value as f64,
            (None, None) => match strconv::parse_float(&spelling) {
                None => return self.fail(format!("illegal number syntax: {}", quoted())),
                Some(_) if !spelling.contains(['.', 'e', 'E', 'p', 'P']) => {
                    return self.fail(format!("integer overflow: {}", quoted()));
                }
                Some(value) => {
                    let whole = value as i64;
                    // 2^63 is no int, though a saturating cast looks as if it were.
                    if whole as f64 == value && whole != i64::MAX {
                        int = Some(whole);
                    }
                    value
                }
            },
        };
        Ok(Number {
            spelling,
            int,
            float: Some(float),
            is_character: false,
        })
    }
}
