//! Statements, and where errors are.

use std::fmt;

use super::{MissingKey, NESTING_PER_LEVEL, Operand, State};
use crate::error::{ErrorKind, ExecuteError, FunctionError, Location};
use crate::parse::node::{
    Branch, CommandNode, Expression, Node, Pipeline, TemplateCall, VariableNode,
};
use crate::strconv;
use crate::template::Parsed;
use crate::value::{Kind, ListKind, MapKind, Value};

pub(super) type Result<T, E = Box<ExecuteError>> = std::result::Result<T, E>;

impl From<Box<ExecuteError>> for FunctionError {
    fn from(error: Box<ExecuteError>) -> Self {
        Self::Execute(error)
    }
}

/// How much of a node is kept for its error, in bytes: there is one for each level of templates.
const MAXIMUM_NODE: usize = 16 * 1024;

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// A variable with its value.
struct Variable {
    slot: usize,
    value: Operand,
}

/// The node that an error is blamed on.
#[derive(Clone, Copy)]
pub(super) enum Blame<'t> {
    Action(&'t Pipeline),
    Call(&'t TemplateCall),
    Command(&'t CommandNode),
    Expression(&'t Expression),
    Pipeline(&'t Pipeline),
}

impl Blame<'_> {
    fn position(self) -> usize {
        match self {
            Self::Action(pipeline) | Self::Pipeline(pipeline) => pipeline.position,
            Self::Call(call) => call.position,
            Self::Command(command) => command.first.position,
            Self::Expression(expression) => expression.position,
        }
    }
}

impl fmt::Display for Blame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(pipeline) => write!(f, "{{{{{pipeline}}}}}"),
            Self::Call(call) => call.fmt(f),
            Self::Command(command) => command.fmt(f),
            Self::Expression(expression) => expression.fmt(f),
            Self::Pipeline(pipeline) => pipeline.fmt(f),
        }
    }
}

/// One execution of one template.
pub(super) struct Execution<'s, 'e, 't> {
    pub(super) state: &'s mut State<'e>,
    pub(super) missing_key: MissingKey,
    template: &'t Parsed,
    output: &'s mut Vec<u8>,
    variables: Vec<Variable>,
    blame: Option<Blame<'t>>,
}

impl<'s, 'e, 't> Execution<'s, 'e, 't> {
    pub(super) fn new(
        state: &'s mut State<'e>,
        template: &'t Parsed,
        output: &'s mut Vec<u8>,
    ) -> Self {
        Self {
            missing_key: state.templates.missing_key(),
            state,
            template,
            output,
            variables: Vec::new(),
            blame: None,
        }
    }

    pub(super) fn run(mut self, dot: Operand) -> Result<()> {
        // The first variable is `$`.
        self.declare(0, dot.clone());
        self.list(&dot, &self.template.nodes)?;
        self.check_output()
    }

    // === errors ===

    /// Says which node later errors are blamed on.
    pub(super) fn at(&mut self, node: Blame<'t>) {
        self.blame = Some(node);
    }

    pub(super) fn error<T>(&self, kind: ErrorKind) -> Result<T> {
        let location = self.blame.map(|node| {
            let (text, line, column) = self.template.locate(node.position());
            Box::new(Location {
                text,
                line,
                column,
                node: crate::error::shortened(node.to_string(), MAXIMUM_NODE),
            })
        });
        Err(Box::new(ExecuteError {
            location,
            template: self.template.name.to_string(),
            kind,
        }))
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        self.error(ErrorKind::Evaluate(message.into()))
    }

    /// Counts a step.
    pub(super) fn step(&mut self) -> Result<()> {
        self.state.usage.steps += 1;
        if self.state.usage.steps > self.state.limits.steps {
            let limit = self.state.limits.steps;
            return self.error(ErrorKind::Limit(format!(
                "the template took more than {limit} steps"
            )));
        }
        self.check_output()
    }

    fn check_output(&self) -> Result<()> {
        if self.output.len() > self.state.limits.output {
            let limit = self.state.limits.output;
            return self.error(ErrorKind::Limit(format!(
                "the output is larger than {limit} bytes"
            )));
        }
        Ok(())
    }

    /// Runs something one level deeper.
    pub(super) fn nested<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let limit = self.state.limits.depth.saturating_mul(NESTING_PER_LEVEL);
        if self.state.usage.nesting >= limit {
            return self.error(ErrorKind::Limit(format!(
                "more than {limit} blocks and parentheses are open"
            )));
        }
        self.state.usage.nesting += 1;
        let result = stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || run(self));
        self.state.usage.nesting -= 1;
        result
    }

    // === variables ===

    pub(super) fn declare(&mut self, slot: usize, value: Operand) {
        self.variables.push(Variable { slot, value });
    }

    /// The place of the newest variable of this name.
    fn place(&mut self, variable: &VariableNode) -> Result<usize> {
        let slot = variable.slot;
        match self.variables.iter().rposition(|entry| entry.slot == slot) {
            Some(place) => {
                // Looking for it takes time when there are many.
                self.state.usage.steps += (self.variables.len() - place) as u64 / 32;
                Ok(place)
            }
            None => self.fail(format!("undefined variable: {}", variable.name)),
        }
    }

    pub(super) fn assign(&mut self, variable: &VariableNode, value: Operand) -> Result<()> {
        let place = self.place(variable)?;
        self.variables[place].value = value;
        Ok(())
    }

    pub(super) fn variable(&mut self, variable: &VariableNode) -> Result<Operand> {
        let place = self.place(variable)?;
        Ok(self.variables[place].value.clone())
    }

    // === statements ===

    fn list(&mut self, dot: &Operand, nodes: &'t [Node]) -> Result<Flow> {
        for node in nodes {
            self.step()?;
            let flow = match node {
                Node::Text(range) => {
                    self.output
                        .extend_from_slice(&self.template.text[range.clone()]);
                    Flow::Next
                }
                Node::Action(pipeline) => {
                    self.action(dot, pipeline)?;
                    Flow::Next
                }
                Node::If(branch) => self.condition(dot, branch, false)?,
                Node::With(branch) => self.condition(dot, branch, true)?,
                Node::Range(branch) => self.range(dot, branch)?,
                Node::Template(call) => {
                    self.template(dot, call)?;
                    Flow::Next
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn action(&mut self, dot: &Operand, pipeline: &'t Pipeline) -> Result<()> {
        let value = self.pipeline(dot, pipeline)?;
        if !pipeline.variables.is_empty() {
            return Ok(());
        }
        match value.value() {
            None => self.output.extend_from_slice(b"<no value>"),
            Some(Value::Object(object)) if object.kind() == Kind::Func => {
                self.at(Blame::Action(pipeline));
                let name = object.type_name();
                return self.fail(format!("can't print {{{{{pipeline}}}}} of type {name}"));
            }
            Some(value) => crate::fmt::write(value, self.output),
        }
        Ok(())
    }

    /// `if` and `with`.
    fn condition(&mut self, dot: &Operand, branch: &'t Branch, is_with: bool) -> Result<Flow> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipeline)?;
        let flow = if value.is_true() {
            let dot = if is_with { &value } else { dot };
            self.nested(|inner| inner.list(dot, &branch.body))
        } else if let Some(nodes) = &branch.otherwise {
            self.nested(|inner| inner.list(dot, nodes))
        } else {
            Ok(Flow::Next)
        };
        self.variables.truncate(mark);
        flow
    }

    fn range(&mut self, dot: &Operand, branch: &'t Branch) -> Result<Flow> {
        let start = self.variables.len();
        let value = self.pipeline(dot, &branch.pipeline)?;
        let any = self.iterations(branch, value.into_value())?;
        let flow = match &branch.otherwise {
            Some(nodes) if !any => self.nested(|inner| inner.list(dot, nodes))?,
            _ => Flow::Next,
        };
        self.variables.truncate(start);
        Ok(flow)
    }

    /// Runs the body for each element; says if there was one.
    fn iterations(&mut self, branch: &'t Branch, value: Value) -> Result<bool> {
        let mark = self.variables.len();
        match value {
            Value::Nil => Ok(false),
            Value::List(list) => {
                let element = |value| match list.kind() {
                    ListKind::Any => Operand::Boxed(value),
                    _ => Operand::of(value),
                };
                // The body may change the list: each element is read when its turn comes.
                let length = list.len();
                for index in 0..length {
                    let value = element(list.get(index).unwrap_or_default());
                    if self.iteration(branch, mark, ordinal(index), value)? == Flow::Break {
                        break;
                    }
                }
                Ok(length > 0)
            }
            Value::Map(map) => {
                let entries = map.to_vec();
                let any = !entries.is_empty();
                for (key, value) in entries {
                    let value = match map.kind() {
                        MapKind::String => Operand::of(value),
                        _ => Operand::Boxed(value),
                    };
                    if self.iteration(branch, mark, Value::String(key), value)? == Flow::Break {
                        break;
                    }
                }
                Ok(any)
            }
            Value::Bytes(bytes) => {
                for (index, byte) in bytes.iter().enumerate() {
                    let value = Operand::Plain(Value::Uint64(u64::from(*byte)));
                    if self.iteration(branch, mark, ordinal(index), value)? == Flow::Break {
                        break;
                    }
                }
                Ok(!bytes.is_empty())
            }
            Value::Int(count) => self.counted(branch, mark, 0..count, Value::Int),
            Value::Int64(count) => self.counted(branch, mark, 0..count, Value::Int64),
            Value::Uint64(count) => self.counted(branch, mark, 0..count, Value::Uint64),
            Value::Object(object) => match object.entries() {
                Some(entries) => {
                    let any = !entries.is_empty();
                    for (key, value) in entries {
                        if self.iteration(branch, mark, key, Operand::of(value))? == Flow::Break {
                            break;
                        }
                    }
                    Ok(any)
                }
                None => self.cannot_range(&Value::Object(object)),
            },
            Value::Bool(_) | Value::Float(_) | Value::String(_) => self.cannot_range(&value),
        }
    }

    /// `range` over a number.
    fn counted<N>(
        &mut self,
        branch: &'t Branch,
        mark: usize,
        numbers: std::ops::Range<N>,
        value: impl Fn(N) -> Value,
    ) -> Result<bool>
    where
        N: Copy + fmt::Display + PartialOrd,
        std::ops::Range<N>: Iterator<Item = N>,
    {
        if branch.pipeline.variables.len() > 1 {
            return self.fail(format!(
                "can't use {} to iterate over more than one variable",
                numbers.end
            ));
        }
        let any = numbers.start < numbers.end;
        for number in numbers {
            let value = Operand::Plain(value(number));
            if self.iteration(branch, mark, Value::Nil, value)? == Flow::Break {
                break;
            }
        }
        Ok(any)
    }

    fn cannot_range<T>(&self, value: &Value) -> Result<T> {
        let text = crate::fmt::display(value);
        self.fail(format!(
            "range can't iterate over {}",
            String::from_utf8_lossy(&text)
        ))
    }

    /// One turn of a loop.
    fn iteration(
        &mut self,
        branch: &'t Branch,
        mark: usize,
        key: Value,
        element: Operand,
    ) -> Result<Flow> {
        self.step()?;
        match branch.pipeline.variables.as_slice() {
            [] => {}
            [only] => self.loop_variable(branch, mark - 1, only, element.clone())?,
            [first, second, ..] if branch.pipeline.is_assignment => {
                self.assign(first, Operand::Plain(key))?;
                self.assign(second, element.clone())?;
            }
            [first, second, ..] => {
                self.loop_variable(branch, mark - 1, second, element.clone())?;
                self.loop_variable(branch, mark - 2, first, Operand::Plain(key))?;
            }
        }
        let flow = self.nested(|inner| inner.list(&element, &branch.body));
        self.variables.truncate(mark);
        flow
    }

    fn loop_variable(
        &mut self,
        branch: &Branch,
        place: usize,
        variable: &VariableNode,
        value: Operand,
    ) -> Result<()> {
        if branch.pipeline.is_assignment {
            return self.assign(variable, value);
        }
        // The pipeline has declared it.
        self.variables[place].value = value;
        Ok(())
    }

    fn template(&mut self, dot: &Operand, call: &'t TemplateCall) -> Result<()> {
        self.at(Blame::Call(call));
        let templates = self.state.templates;
        let Some(template) = templates.get(&call.name) else {
            let name = strconv::quote(&call.name);
            return self.fail(format!("template {name} not defined"));
        };
        if self.state.usage.depth >= self.state.limits.depth {
            let depth = self.state.limits.depth;
            return self.error(ErrorKind::Limit(format!(
                "exceeded maximum template depth ({depth})"
            )));
        }
        let data = match &call.pipeline {
            Some(pipeline) => self.pipeline(dot, pipeline)?,
            None => Operand::Invalid,
        };
        self.state.run(template, data, self.output)
    }
}

fn ordinal(index: usize) -> Value {
    Value::Int(i64::try_from(index).unwrap_or(i64::MAX))
}
