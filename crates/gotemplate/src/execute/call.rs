//! Calls of functions, and the conversion of arguments.

use super::Operand;
use super::statement::{Blame, Execution, Result};
use crate::error::{ErrorKind, FunctionError};
use crate::function::{Function, Parameter, Special};
use crate::parse::node::{Expression, ExpressionKind, Number};
use crate::value::Value;

impl<'t> Execution<'_, '_, 't> {
    pub(super) fn function(
        &mut self,
        dot: &Operand,
        blame: Blame<'t>,
        name: &str,
        index: usize,
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        let templates = self.state.templates();
        let Some(function) = templates.functions().get(index) else {
            return self.fail(format!("{name:?} is not a defined function"));
        };
        self.count(function, arguments.len(), piped.is_some())?;
        let result = match function.special {
            Some(Special::And) => return self.short_circuit(dot, false, arguments, piped),
            Some(Special::Or) => return self.short_circuit(dot, true, arguments, piped),
            Some(Special::Call) => {
                let called = match (arguments.first(), &piped) {
                    (Some(argument), _) => argument.to_string(),
                    (None, Some(piped)) => value_text(piped),
                    (None, None) => String::new(),
                };
                let values = self.arguments(dot, &function.parameters, arguments, piped)?;
                Err(crate::builtin::call(&called, values.first()))
            }
            Some(Special::Reflect(reflect)) => {
                let mut operands = Vec::with_capacity(arguments.len() + 1);
                let parameters = &function.parameters;
                self.each(dot, parameters, arguments, piped, |operand| {
                    operands.push(operand)
                })?;
                reflect(&operands)
            }
            None => {
                let values = self.arguments(dot, &function.parameters, arguments, piped)?;
                self.native(function, values)
            }
        };
        match result {
            Ok(Value::String(text)) if text.len() > self.state.limits().output => {
                let limit = self.state.limits().output;
                self.at(blame);
                self.error(ErrorKind::Limit(format!(
                    "{name} gives more than {limit} bytes"
                )))
            }
            Ok(value) => Ok(Operand::of(value)),
            Err(error) => {
                self.at(blame);
                self.error(ErrorKind::Call {
                    function: name.to_owned(),
                    error,
                })
            }
        }
    }

    /// Calls a function within the limits.
    fn native(
        &mut self,
        function: &Function,
        values: Vec<Value>,
    ) -> std::result::Result<Value, FunctionError> {
        let work = 1 + values.iter().map(weight).sum::<u64>();
        self.state.charge(work)?;
        let value = (function.native)(self.state, values)?;
        // What is made may be kept, so it counts more than what is read.
        self.state.charge(weight(&value).saturating_mul(8))?;
        Ok(value)
    }

    /// Go counts arguments before it evaluates them.
    fn count(&self, function: &Function, arguments: usize, is_piped: bool) -> Result<()> {
        let given = arguments + usize::from(is_piped);
        let wanted = function.parameters.len();
        let name = &function.name;
        if !function.is_variadic {
            if given == wanted {
                return Ok(());
            }
            return self.fail(format!(
                "wrong number of args for {name}: want {wanted} got {given}"
            ));
        }
        let least = wanted - 1;
        if given >= least {
            return Ok(());
        }
        self.fail(format!(
            "wrong number of args for {name}: want at least {least} got {arguments}"
        ))
    }

    fn short_circuit(
        &mut self,
        dot: &Operand,
        ends_with: bool,
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        let mut value = Operand::Invalid;
        for argument in arguments {
            value = self.argument(dot, Parameter::Any, argument)?;
            if value.is_true() == ends_with {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    /// Evaluates all arguments to values.
    pub(super) fn arguments(
        &mut self,
        dot: &Operand,
        parameters: &[Parameter],
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Vec<Value>> {
        let mut values = Vec::with_capacity(arguments.len() + 1);
        self.each(dot, parameters, arguments, piped, |operand| {
            values.push(operand.into_value());
        })?;
        Ok(values)
    }

    /// Evaluates all arguments; what exceeds the parameters has the type of the last one.
    fn each(
        &mut self,
        dot: &Operand,
        parameters: &[Parameter],
        arguments: &'t [Expression],
        piped: Option<Operand>,
        mut take: impl FnMut(Operand),
    ) -> Result<()> {
        let parameter = |index: usize| {
            let known = parameters.get(index).or(parameters.last());
            known.copied().unwrap_or(Parameter::Any)
        };
        for (index, argument) in arguments.iter().enumerate() {
            take(self.argument(dot, parameter(index), argument)?);
        }
        if let Some(piped) = piped {
            take(self.validated(piped, parameter(arguments.len()))?);
        }
        Ok(())
    }

    /// Evaluates an argument for a parameter (Go's `evalArg`).
    fn argument(
        &mut self,
        dot: &Operand,
        parameter: Parameter,
        expression: &'t Expression,
    ) -> Result<Operand> {
        self.step()?;
        self.at(Blame::Expression(expression));
        let operand = match &expression.kind {
            ExpressionKind::Dot => dot.clone(),
            ExpressionKind::Nil if parameter.can_be_nil() => return Ok(Operand::Invalid),
            ExpressionKind::Nil => {
                return self.fail(format!("cannot assign nil to {}", parameter.type_name()));
            }
            ExpressionKind::Field(fields) => {
                self.fields(dot, dot.clone(), expression, fields, &[], None)?
            }
            ExpressionKind::Variable { variable, fields } => {
                self.variable_node(dot, expression, variable, fields, &[], None)?
            }
            ExpressionKind::Pipeline(pipeline) => {
                self.nested(|inner| inner.pipeline(dot, pipeline))?
            }
            ExpressionKind::Function { name, index } => {
                let blame = Blame::Expression(expression);
                self.function(dot, blame, name, *index, &[], None)?
            }
            ExpressionKind::Chain { operand, fields } => {
                self.chain(dot, expression, operand, fields, &[], None)?
            }
            ExpressionKind::Bool(_) | ExpressionKind::Number(_) | ExpressionKind::String { .. } => {
                return self.literal(parameter, expression);
            }
        };
        self.validated(operand, parameter)
    }

    /// A literal takes the type that the parameter asks for.
    fn literal(&mut self, parameter: Parameter, expression: &Expression) -> Result<Operand> {
        let value = match (parameter, &expression.kind) {
            (Parameter::Any, _) => return self.constant(&Operand::Invalid, expression),
            (Parameter::Bool, ExpressionKind::Bool(value)) => Value::Bool(*value),
            (Parameter::String, ExpressionKind::String { value, .. }) => {
                Value::String(value.clone())
            }
            (Parameter::Int, ExpressionKind::Number(Number { int: Some(int), .. })) => {
                Value::Int(*int)
            }
            (Parameter::Int64, ExpressionKind::Number(Number { int: Some(int), .. })) => {
                Value::Int64(*int)
            }
            (
                Parameter::Float,
                ExpressionKind::Number(Number {
                    float: Some(float), ..
                }),
            ) => Value::Float(*float),
            (Parameter::Bool, _) => return self.unlike("bool", expression),
            (Parameter::String, _) => return self.unlike("string", expression),
            (Parameter::Int | Parameter::Int64, _) => return self.unlike("integer", expression),
            (Parameter::Float, _) => return self.unlike("float", expression),
            (Parameter::List | Parameter::Strings | Parameter::Map, _) => {
                return self.fail(format!(
                    "can't handle {expression} for arg of type {}",
                    parameter.type_name()
                ));
            }
        };
        Ok(Operand::Plain(value))
    }

    fn unlike<T>(&self, wanted: &str, expression: &Expression) -> Result<T> {
        self.fail(format!("expected {wanted}; found {expression}"))
    }

    /// Checks a value against a parameter (Go's `validateType`).
    fn validated(&self, operand: Operand, parameter: Parameter) -> Result<Operand> {
        match operand.value() {
            None if parameter.can_be_nil() => Ok(operand),
            None => self.fail(format!("invalid value; expected {}", parameter.type_name())),
            Some(value) if parameter.takes(value) => Ok(operand),
            Some(value) => {
                let got = if value.is_nil() {
                    "interface {}"
                } else {
                    value.type_name()
                };
                self.fail(format!(
                    "wrong type for value; expected {}; got {got}",
                    parameter.type_name()
                ))
            }
        }
    }
}

/// Steps that a function takes to read a value.
fn weight(value: &Value) -> u64 {
    let size = match value {
        Value::String(text) => text.len() / 64,
        Value::Bytes(bytes) => bytes.len() / 64,
        Value::List(list) => list.len() / 8,
        Value::Map(map) => map.len() / 4,
        _ => 0,
    };
    size as u64
}

/// What Go's `reflect.Value.String` gives.
fn value_text(operand: &Operand) -> String {
    match operand.value() {
        None => "<invalid Value>".to_owned(),
        Some(Value::String(text)) => text.to_string(),
        Some(value) => format!("<{} Value>", value.type_name()),
    }
}
