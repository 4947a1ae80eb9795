//! The tree of a template, and how its nodes are printed in error texts (Go's `Node.String`).

use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use crate::GoString;
use crate::strconv;

/// A sequence of nodes.
pub(crate) type Nodes = Vec<Node>;

/// A statement of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// Text to print as it is: where it is in the template's text.
    Text(Range<usize>),
    /// `{{ pipeline }}`
    Action(Pipeline),
    /// `{{ if }}`
    If(Branch),
    /// `{{ with }}`
    With(Branch),
    /// `{{ range }}`
    Range(Branch),
    /// `{{ template "name" pipeline }}`
    Template(TemplateCall),
    /// `{{ break }}`
    Break,
    /// `{{ continue }}`
    Continue,
}

/// `if`, `with` or `range`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Branch {
    pub(crate) pipeline: Pipeline,
    pub(crate) body: Nodes,
    pub(crate) otherwise: Option<Nodes>,
}

/// `{{ template "name" pipeline }}`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TemplateCall {
    pub(crate) position: usize,
    pub(crate) name: GoString,
    pub(crate) pipeline: Option<Pipeline>,
}

/// Commands joined by `|`, and the variables that take the result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pipeline {
    pub(crate) position: usize,
    /// `=` instead of `:=`.
    pub(crate) is_assignment: bool,
    pub(crate) variables: Vec<VariableNode>,
    pub(crate) commands: Vec<CommandNode>,
}

/// A variable as it is declared, assigned or used.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VariableNode {
    /// Name with its `$`.
    pub(crate) name: Rc<str>,
    /// Place among the variables of the template, from 0; 0 is `$`.
    pub(crate) slot: usize,
}

/// A function or value with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CommandNode {
    pub(crate) first: Expression,
    pub(crate) arguments: Vec<Expression>,
}

impl CommandNode {
    /// A command of operands; `None` if there is none.
    pub(crate) fn new(mut operands: Vec<Expression>) -> Option<Self> {
        if operands.is_empty() {
            return None;
        }
        let arguments = operands.split_off(1);
        let first = operands.pop()?;
        Some(Self { first, arguments })
    }
}

/// An operand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression {
    pub(crate) position: usize,
    pub(crate) kind: ExpressionKind,
}

/// What an operand is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExpressionKind {
    /// `.`
    Dot,
    /// `nil`
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// A number, and its spelling.
    Number(Number),
    /// A string, and its spelling.
    String { value: GoString, spelling: GoString },
    /// `.a.b`
    Field(Vec<GoString>),
    /// `$x.a.b`
    Variable {
        variable: VariableNode,
        fields: Vec<GoString>,
    },
    /// The name of a function, and its place in the function table.
    Function { name: Rc<str>, index: usize },
    /// `(operand).a.b`
    Chain {
        operand: Box<Expression>,
        fields: Vec<GoString>,
    },
    /// `( pipeline )`
    Pipeline(Box<Pipeline>),
}

/// A number: Go's constants are typed only where they are used.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) spelling: String,
    pub(crate) int: Option<i64>,
    pub(crate) float: Option<f64>,
    /// Written as a character.
    pub(crate) is_character: bool,
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            for (index, variable) in self.variables.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                f.write_str(&variable.name)?;
            }
            f.write_str(if self.is_assignment { " = " } else { " := " })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for CommandNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_operand(f, &self.first)?;
        for argument in &self.arguments {
            f.write_str(" ")?;
            write_operand(f, argument)?;
        }
        Ok(())
    }
}

/// An operand of something larger: pipelines have parentheses there.
fn write_operand(f: &mut fmt::Formatter<'_>, operand: &Expression) -> fmt::Result {
    match &operand.kind {
        ExpressionKind::Pipeline(pipeline) => write!(f, "({pipeline})"),
        _ => write!(f, "{operand}"),
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[GoString]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExpressionKind::Dot => f.write_str("."),
            ExpressionKind::Nil => f.write_str("nil"),
            ExpressionKind::Bool(value) => write!(f, "{value}"),
            ExpressionKind::Number(number) => f.write_str(&number.spelling),
            ExpressionKind::String { spelling, .. } => write!(f, "{spelling}"),
            ExpressionKind::Field(fields) => write_fields(f, fields),
            ExpressionKind::Variable { variable, fields } => {
                f.write_str(&variable.name)?;
                write_fields(f, fields)
            }
            ExpressionKind::Function { name, .. } => f.write_str(name),
            ExpressionKind::Chain { operand, fields } => {
                write_operand(f, operand)?;
                write_fields(f, fields)
            }
            ExpressionKind::Pipeline(pipeline) => write!(f, "{pipeline}"),
        }
    }
}

impl fmt::Display for TemplateCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", strconv::quote(&self.name))?;
        if let Some(pipeline) = &self.pipeline {
            write!(f, " {pipeline}")?;
        }
        f.write_str("}}")
    }
}
