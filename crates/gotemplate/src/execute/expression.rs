//! Pipelines, commands, variables and fields.

use super::statement::{Blame, Execution, Result};
use super::{MissingKey, Operand};
use crate::error::ErrorKind;
use crate::parse::node::{CommandNode, Expression, ExpressionKind, Number, Pipeline, VariableNode};
use crate::strconv;
use crate::value::{GoString, Map, MapKind, Object, Value};

impl<'t> Execution<'_, '_, 't> {
    pub(super) fn pipeline(&mut self, dot: &Operand, pipeline: &'t Pipeline) -> Result<Operand> {
        self.at(Blame::Pipeline(pipeline));
        let mut piped = None;
        for command in &pipeline.commands {
            piped = Some(self.command(dot, command, piped)?.lift());
        }
        let value = piped.unwrap_or_default();
        for variable in &pipeline.variables {
            if pipeline.is_assignment {
                self.assign(variable, value.clone())?;
            } else {
                self.declare(variable.slot, value.clone());
            }
        }
        Ok(value)
    }

    /// Evaluates a command; `piped` is the result of the command before it.
    fn command(
        &mut self,
        dot: &Operand,
        command: &'t CommandNode,
        piped: Option<Operand>,
    ) -> Result<Operand> {
        self.step()?;
        let CommandNode { first, arguments } = command;
        match &first.kind {
            ExpressionKind::Field(fields) => {
                self.at(Blame::Expression(first));
                self.fields(dot, dot.clone(), first, fields, arguments, piped)
            }
            ExpressionKind::Chain { operand, fields } => {
                self.chain(dot, first, operand, fields, arguments, piped)
            }
            ExpressionKind::Function { name, index } => {
                self.at(Blame::Expression(first));
                let blame = Blame::Command(command);
                self.function(dot, blame, name, *index, arguments, piped)
            }
            ExpressionKind::Variable { variable, fields } => {
                self.variable_node(dot, first, variable, fields, arguments, piped)
            }
            ExpressionKind::Pipeline(pipeline) => {
                self.no_arguments(first, arguments, piped.as_ref())?;
                self.nested(|inner| inner.pipeline(dot, pipeline))
            }
            _ => {
                self.at(Blame::Expression(first));
                self.no_arguments(first, arguments, piped.as_ref())?;
                self.constant(dot, first)
            }
        }
    }

    fn no_arguments(
        &self,
        first: &Expression,
        arguments: &[Expression],
        piped: Option<&Operand>,
    ) -> Result<()> {
        if arguments.is_empty() && piped.is_none() {
            return Ok(());
        }
        self.fail(format!("can't give argument to non-function {first}"))
    }

    /// Bool, dot, number or string.
    pub(super) fn constant(&mut self, dot: &Operand, expression: &Expression) -> Result<Operand> {
        match &expression.kind {
            ExpressionKind::Bool(value) => Ok(Operand::Plain(Value::Bool(*value))),
            ExpressionKind::Dot => Ok(dot.clone()),
            ExpressionKind::String { value, .. } => {
                Ok(Operand::Plain(Value::String(value.clone())))
            }
            ExpressionKind::Number(number) => self.ideal(number).map(Operand::Plain),
            ExpressionKind::Nil => self.fail("nil is not a command"),
            _ => self.fail(format!("can't evaluate command {expression}")),
        }
    }

    /// The type that a constant has when nothing asks for another one (Go's `idealConstant`).
    fn ideal(&self, number: &Number) -> Result<Value> {
        let spelling = &number.spelling;
        let is_hexadecimal =
            spelling.starts_with("0x") || spelling.starts_with("0X") && spelling.len() > 2;
        let looks_like_float = if is_hexadecimal {
            spelling.contains(['p', 'P'])
        } else {
            spelling.contains(['.', 'e', 'E', 'p', 'P'])
        };
        match number {
            Number {
                float: Some(float),
                is_character: false,
                ..
            } if looks_like_float => Ok(Value::Float(*float)),
            Number { int: Some(int), .. } => Ok(Value::Int(*int)),
            _ => self.fail(format!("{spelling} overflows int")),
        }
    }

    pub(super) fn chain(
        &mut self,
        dot: &Operand,
        node: &'t Expression,
        operand: &'t Expression,
        fields: &'t [GoString],
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        self.at(Blame::Expression(operand));
        let receiver = match &operand.kind {
            ExpressionKind::Pipeline(pipeline) => {
                self.nested(|inner| inner.pipeline(dot, pipeline))?
            }
            ExpressionKind::Function { name, index } => {
                self.function(dot, Blame::Expression(operand), name, *index, &[], None)?
            }
            _ => return self.fail(format!("indirection through explicit nil in {node}")),
        };
        self.fields(dot, receiver, node, fields, arguments, piped)
    }

    pub(super) fn variable_node(
        &mut self,
        dot: &Operand,
        node: &'t Expression,
        variable: &VariableNode,
        fields: &'t [GoString],
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        self.at(Blame::Expression(node));
        let value = self.variable(variable)?;
        if fields.is_empty() {
            self.no_arguments(node, arguments, piped.as_ref())?;
            return Ok(value);
        }
        self.fields(dot, value, node, fields, arguments, piped)
    }

    /// Evaluates `.x.y.z` of a receiver; what is last may take arguments.
    pub(super) fn fields(
        &mut self,
        dot: &Operand,
        mut receiver: Operand,
        node: &'t Expression,
        fields: &'t [GoString],
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        let Some((last, leading)) = fields.split_last() else {
            return Ok(receiver);
        };
        for field in leading {
            receiver = self.field(dot, &receiver, node, field, &[], None)?;
        }
        self.field(dot, &receiver, node, last, arguments, piped)
    }

    fn field(
        &mut self,
        dot: &Operand,
        receiver: &Operand,
        node: &'t Expression,
        name: &GoString,
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        let Some(value) = receiver.value() else {
            if self.missing_key == MissingKey::Error {
                let key = strconv::quote(name);
                return self.fail(format!("nil data; no entry for key {key}"));
            }
            return Ok(Operand::Invalid);
        };
        match value {
            Value::Nil => self.fail(format!("nil pointer evaluating interface {{}}.{name}")),
            Value::Map(_) if !arguments.is_empty() || piped.is_some() => {
                self.fail(format!("{name} is not a method but has arguments"))
            }
            Value::Map(map) => self.entry(map, name),
            Value::Object(object) => {
                let text = name.to_str_lossy();
                if object.has_method(&text) {
                    return self.method(dot, &**object, node, &text, arguments, piped);
                }
                match object.field(&text) {
                    Some(_) if !arguments.is_empty() || piped.is_some() => self.fail(format!(
                        "{text} has arguments but cannot be invoked as function"
                    )),
                    Some(value) => Ok(Operand::of(value)),
                    None => self.no_field(receiver, name),
                }
            }
            _ => self.no_field(receiver, name),
        }
    }

    fn no_field<T>(&self, receiver: &Operand, name: &GoString) -> Result<T> {
        self.fail(format!(
            "can't evaluate field {name} in type {}",
            receiver.static_type()
        ))
    }

    fn entry(&self, map: &Map, name: &GoString) -> Result<Operand> {
        let is_of_strings = map.kind() == MapKind::String;
        match (map.get(name), self.missing_key) {
            (Some(value), _) if is_of_strings => Ok(Operand::of(value)),
            (Some(value), _) => Ok(Operand::Boxed(value)),
            (None, MissingKey::Invalid) => Ok(Operand::Invalid),
            (None, MissingKey::Zero) if is_of_strings => {
                Ok(Operand::Plain(Value::String(GoString::default())))
            }
            (None, MissingKey::Zero) => Ok(Operand::Boxed(Value::Nil)),
            (None, MissingKey::Error) => {
                self.fail(format!("map has no entry for key {}", strconv::quote(name)))
            }
        }
    }

    fn method(
        &mut self,
        dot: &Operand,
        object: &dyn Object,
        node: &'t Expression,
        name: &str,
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        let given = arguments.len() + usize::from(piped.is_some());
        let parameters = object.parameters(name);
        if let Some(wanted) = parameters.map(<[_]>::len).filter(|wanted| *wanted != given) {
            return self.fail(format!(
                "wrong number of args for {name}: want {wanted} got {given}"
            ));
        }
        let values = self.arguments(dot, parameters.unwrap_or_default(), arguments, piped)?;
        match object.call(name, &values) {
            Some(Ok(value)) => Ok(Operand::of(value)),
            Some(Err(message)) => {
                self.at(Blame::Expression(node));
                self.error(ErrorKind::Call {
                    function: name.to_owned(),
                    error: message.into(),
                })
            }
            None => self.fail(format!("wrong arguments for {name}")),
        }
    }
}
