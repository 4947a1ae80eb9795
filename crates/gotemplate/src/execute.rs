//! The evaluator. Follows Go 1.26's `text/template/exec.go`, error texts included.

use std::fmt;
use std::rc::Rc;

use crate::error::{ErrorKind, ExecuteError, FunctionError, Location};
use crate::function::{Function, Parameter, ShortCircuit};
use crate::parse::node::{
    Branch, CommandNode, Expression, ExpressionKind, Node, Number, Pipeline, TemplateCall,
    VariableNode,
};
use crate::template::{Parsed, Templates};
use crate::value::{GoString, Kind, MapKind, Value};

/// What a template may use up. Templates are code, and charts are not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Nodes and calls that may be evaluated.
    pub steps: u64,
    /// Bytes that one template, or one function, may give.
    pub output: usize,
    /// How deep templates may call each other.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 200_000_000,
            output: 32 * 1024 * 1024,
            depth: 2_000,
        }
    }
}

/// What to do about a key that a map does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value at all (`missingkey=default`).
    #[default]
    Invalid,
    /// The zero value of the element type (`missingkey=zero`), as Helm does.
    Zero,
    /// An error (`missingkey=error`).
    Error,
}

/// A value during evaluation: `None` is Go's invalid value, `Some(Value::Nil)` an interface that
/// holds nothing. Templates can tell them apart.
type Operand = Option<Value>;

type Result<T, E = Box<ExecuteError>> = std::result::Result<T, E>;

/// The state of an execution, for functions that execute templates themselves.
#[derive(Debug)]
pub struct State<'e> {
    templates: &'e Templates,
    limits: &'e Limits,
    steps: u64,
    depth: usize,
}

impl<'e> State<'e> {
    pub(crate) fn new(templates: &'e Templates, limits: &'e Limits) -> Self {
        Self {
            templates,
            limits,
            steps: 0,
            depth: 0,
        }
    }

    /// The templates that are being executed.
    pub fn templates(&self) -> &'e Templates {
        self.templates
    }

    /// The limits of this execution.
    pub fn limits(&self) -> &'e Limits {
        self.limits
    }

    /// Executes a template of the set that is being executed (for `include`).
    ///
    /// # Errors
    /// As [`Templates::execute`]; a template that is not there is
    /// `template: no template "x" associated with template "y"`.
    pub fn execute(&mut self, name: &[u8], data: Value) -> Result<Vec<u8>, FunctionError> {
        let templates = self.templates;
        self.execute_of(templates, name, data)
    }

    /// Executes a template of another set within the limits of this execution (for `tpl`).
    ///
    /// # Errors
    /// As [`Templates::execute`].
    pub fn execute_with(
        &mut self,
        templates: &Templates,
        name: &[u8],
        data: Value,
    ) -> Result<Vec<u8>, FunctionError> {
        let mut inner = State {
            templates,
            limits: self.limits,
            steps: self.steps,
            depth: self.depth,
        };
        let result = inner.execute_of(templates, name, data);
        self.steps = inner.steps;
        result
    }

    pub(crate) fn execute_of(
        &mut self,
        templates: &Templates,
        name: &[u8],
        data: Value,
    ) -> Result<Vec<u8>, FunctionError> {
        let Some(template) = templates.get(name) else {
            return Err(FunctionError::Message(format!(
                "template: no template {} associated with template {}",
                crate::strconv::quote(name),
                crate::strconv::quote(templates.name().as_bytes()),
            )));
        };
        if self.depth >= self.limits.depth {
            return Err(FunctionError::Limit(format!(
                "templates call each other deeper than {} levels",
                self.limits.depth
            )));
        }
        self.depth += 1;
        let result = stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || {
            Execution::new(self, template).run(data)
        });
        self.depth -= 1;
        result.map_err(FunctionError::Execute)
    }

    /// Counts work that a function does; charge a step for each element or kilobyte made.
    ///
    /// # Errors
    /// [`FunctionError::Limit`] when the limit is reached.
    pub fn charge(&mut self, steps: u64) -> Result<(), FunctionError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.limits.steps {
            return Err(FunctionError::Limit(format!(
                "the template took more than {} steps",
                self.limits.steps
            )));
        }
        Ok(())
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

/// How a list of nodes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// A variable with its value.
#[derive(Debug)]
struct Variable {
    slot: usize,
    value: Operand,
    /// True for an element of a list or map.
    is_element: bool,
}

impl Variable {
    fn new(slot: usize, value: Operand) -> Self {
        Self {
            slot,
            value,
            is_element: false,
        }
    }
}

/// The node that an error is blamed on.
#[derive(Clone, Copy)]
struct At<'t> {
    position: usize,
    node: &'t dyn fmt::Display,
}

/// A statement as Go prints it, `{{pipeline}}`.
struct ActionText<'t>(&'t Pipeline);

impl fmt::Display for ActionText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{}}}}}", self.0)
    }
}

/// One execution of one template.
struct Execution<'s, 'e, 't> {
    state: &'s mut State<'e>,
    template: &'t Parsed,
    out: Vec<u8>,
    variables: Vec<Variable>,
    /// True while dot is an element of a list or map: Go then sees an interface, not what it holds.
    dot_is_element: bool,
    at: Option<(usize, String)>,
    at_node: Option<At<'t>>,
}

impl<'s, 'e, 't> Execution<'s, 'e, 't> {
    fn new(state: &'s mut State<'e>, template: &'t Parsed) -> Self {
        Self {
            state,
            template,
            out: Vec::new(),
            variables: Vec::new(),
            dot_is_element: false,
            at: None,
            at_node: None,
        }
    }

    fn run(mut self, data: Value) -> Result<Vec<u8>> {
        // `reflect.ValueOf(nil)` is the invalid value.
        let dot = lift(Some(data));
        self.variables.push(Variable::new(0, dot.clone()));
        self.list(&dot, &self.template.nodes)?;
        self.check_output()?;
        Ok(self.out)
    }

    // === errors ===

    fn at(&mut self, position: usize, node: &'t dyn fmt::Display) {
        self.at_node = Some(At { position, node });
        self.at = None;
    }

    fn error<T>(&self, kind: ErrorKind) -> Result<T> {
        let location = match (self.at_node, &self.at) {
            (_, Some((position, node))) => Some(self.template.locate(*position, node.clone())),
            (Some(at), None) => Some(self.template.locate(at.position, at.node.to_string())),
            (None, None) => None,
        };
        Err(Box::new(ExecuteError {
            location: location.map(|(text, line, column, node)| {
                Box::new(Location {
                    text,
                    line,
                    column,
                    node,
                })
            }),
            template: self.template.name.to_string(),
            kind,
        }))
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T> {
        self.error(ErrorKind::Evaluate(message.into()))
    }

    fn step(&mut self) -> Result<()> {
        self.state.steps += 1;
        if self.state.steps > self.state.limits.steps {
            let limit = self.state.limits.steps;
            return self.error(ErrorKind::Limit(format!(
                "the template took more than {limit} steps"
            )));
        }
        self.check_output()
    }

    fn check_output(&self) -> Result<()> {
        if self.out.len() > self.state.limits.output {
            let limit = self.state.limits.output;
            return self.error(ErrorKind::Limit(format!(
                "the output is larger than {limit} bytes"
            )));
        }
        Ok(())
    }

    // === statements ===

    fn list(&mut self, dot: &Operand, nodes: &'t [Node]) -> Result<Flow> {
        for node in nodes {
            self.step()?;
            match node {
                Node::Text(text) => self.out.extend_from_slice(text),
                Node::Action(pipeline) => self.action(dot, pipeline)?,
                Node::If(branch) => match self.condition(dot, branch, false)? {
                    Flow::Next => {}
                    flow => return Ok(flow),
                },
                Node::With(branch) => match self.condition(dot, branch, true)? {
                    Flow::Next => {}
                    flow => return Ok(flow),
                },
                Node::Range(branch) => match self.range(dot, branch)? {
                    Flow::Next => {}
                    flow => return Ok(flow),
                },
                Node::Template(call) => self.template(dot, call)?,
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::Next)
    }

    fn action(&mut self, dot: &Operand, pipeline: &'t Pipeline) -> Result<()> {
        // Go blames the action from its first operand on.
        let value = self.pipeline(dot, pipeline)?;
        if !pipeline.variables.is_empty() {
            return Ok(());
        }
        match value {
            None => self.out.extend_from_slice(b"<no value>"),
            Some(Value::Object(object)) if object.kind() == Kind::Func => {
                self.at = Some((pipeline.position, ActionText(pipeline).to_string()));
                let name = object.type_name().to_owned();
                return self.fail(format!("can't print {pipeline} of type {name}"));
            }
            Some(value) => crate::fmt::write(&value, &mut self.out),
        }
        Ok(())
    }

    fn condition(&mut self, dot: &Operand, branch: &'t Branch, is_with: bool) -> Result<Flow> {
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipeline)?;
        let flow = if value.as_ref().is_some_and(Value::is_true) {
            let outer = self.dot_is_element;
            self.dot_is_element &= !is_with;
            let flow =
                self.nested(|inner| inner.list(if is_with { &value } else { dot }, &branch.body));
            self.dot_is_element = outer;
            flow
        } else if let Some(nodes) = &branch.otherwise {
            self.nested(|inner| inner.list(dot, nodes))
        } else {
            Ok(Flow::Next)
        };
        self.variables.truncate(mark);
        flow
    }

    fn nested<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || run(self))
    }

    fn range(&mut self, dot: &Operand, branch: &'t Branch) -> Result<Flow> {
        let start = self.variables.len();
        let value = self.pipeline(dot, &branch.pipeline)?;
        let mark = self.variables.len();
        let mut any = false;
        let mut flow = Flow::Next;
        match &value {
            Some(Value::List(list)) => {
                let mut index = 0;
                // The body may change the list: each element is read when its turn comes.
                let length = list.len();
                while index < length && flow == Flow::Next {
                    let element = list.get(index).unwrap_or_default();
                    let key = Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
                    flow = self.iteration(branch, mark, key, element)?;
                    any = true;
                    index += 1;
                }
            }
            Some(Value::Bytes(bytes)) => {
                for (index, byte) in bytes.iter().enumerate() {
                    let key = Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
                    flow = self.iteration(branch, mark, key, Value::Uint64(u64::from(*byte)))?;
                    any = true;
                    if flow != Flow::Next {
                        break;
                    }
                }
            }
            Some(Value::Map(map)) => {
                for (key, element) in map.to_vec() {
                    flow = self.iteration(branch, mark, Value::String(key), element)?;
                    any = true;
                    if flow != Flow::Next {
                        break;
                    }
                }
            }
            Some(number @ (Value::Int(count) | Value::Int64(count))) => {
                if branch.pipeline.variables.len() > 1 {
                    let count = crate::fmt::display(number);
                    return self.fail(format!(
                        "can't use {} to iterate over more than one variable",
                        String::from_utf8_lossy(&count)
                    ));
                }
                let typed = |index| match number {
                    Value::Int64(_) => Value::Int64(index),
                    _ => Value::Int(index),
                };
                for index in 0..*count {
                    flow = self.iteration(branch, mark, typed(index), typed(index))?;
                    any = true;
                    if flow != Flow::Next {
                        break;
                    }
                }
            }
            Some(Value::Object(object)) => match object.entries() {
                Some(entries) => {
                    for (key, element) in entries {
                        flow = self.iteration(branch, mark, key, element)?;
                        any = true;
                        if flow != Flow::Next {
                            break;
                        }
                    }
                }
                None => return self.cannot_range(value.as_ref()),
            },
            None | Some(Value::Nil) => {}
            Some(_) => return self.cannot_range(value.as_ref()),
        }
        if !any && let Some(nodes) = &branch.otherwise {
            let flow = self.nested(|inner| inner.list(dot, nodes))?;
            self.variables.truncate(start);
            return Ok(flow);
        }
        self.variables.truncate(start);
        Ok(Flow::Next)
    }

    fn cannot_range<T>(&self, value: Option<&Value>) -> Result<T> {
        let text = value.map_or_else(|| b"<no value>".to_vec(), crate::fmt::display);
        self.fail(format!(
            "range can't iterate over {}",
            String::from_utf8_lossy(&text)
        ))
    }

    /// One turn; gives `Break` when the loop ends.
    fn iteration(
        &mut self,
        branch: &'t Branch,
        mark: usize,
        key: Value,
        element: Value,
    ) -> Result<Flow> {
        self.step()?;
        let variables = &branch.pipeline.variables;
        let element = Some(element);
        match variables.as_slice() {
            [] => {}
            [only] => self.loop_variable(branch, (mark, 1), only, element.clone(), true)?,
            [first, second, ..] => {
                self.loop_variable(branch, (mark, 2), first, Some(key), false)?;
                self.loop_variable(branch, (mark, 1), second, element.clone(), true)?;
            }
        }
        let outer = std::mem::replace(&mut self.dot_is_element, true);
        let flow = self.nested(|inner| inner.list(&element, &branch.body));
        self.dot_is_element = outer;
        let flow = flow?;
        self.variables.truncate(mark);
        Ok(if flow == Flow::Break {
            Flow::Break
        } else {
            Flow::Next
        })
    }

    fn loop_variable(
        &mut self,
        branch: &Branch,
        (mark, from_top): (usize, usize),
        variable: &VariableNode,
        value: Operand,
        is_element: bool,
    ) -> Result<()> {
        if branch.pipeline.is_assignment {
            return self.set_variable(variable, value);
        }
        if let Some(entry) = mark
            .checked_sub(from_top)
            .and_then(|at| self.variables.get_mut(at))
        {
            entry.value = value;
            entry.is_element = is_element;
        }
        Ok(())
    }

    fn set_variable(&mut self, variable: &VariableNode, value: Operand) -> Result<()> {
        match self
            .variables
            .iter_mut()
            .rev()
            .find(|entry| entry.slot == variable.slot)
        {
            Some(entry) => {
                entry.value = value;
                entry.is_element = false;
                Ok(())
            }
            None => self.fail(format!("undefined variable: {}", variable.name)),
        }
    }

    fn template(&mut self, dot: &Operand, call: &'t TemplateCall) -> Result<()> {
        self.at(call.position, call);
        let templates = self.state.templates;
        let Some(template) = templates.get(&call.name) else {
            return self.fail(format!(
                "template {} not defined",
                crate::strconv::quote(&call.name)
            ));
        };
        if self.state.depth >= self.state.limits.depth {
            let depth = self.state.limits.depth;
            return self.error(ErrorKind::Limit(format!(
                "exceeded maximum template depth ({depth})"
            )));
        }
        let data = match &call.pipeline {
            Some(pipeline) => self.pipeline(dot, pipeline)?,
            None => None,
        };
        self.state.depth += 1;
        let out = std::mem::take(&mut self.out);
        let result: Result<Vec<u8>> = stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || {
            let mut inner = Execution::new(self.state, template);
            inner.out = out;
            inner.variables.push(Variable::new(0, data.clone()));
            inner.list(&data, &template.nodes)?;
            Ok(inner.out)
        });
        self.state.depth -= 1;
        self.out = result?;
        Ok(())
    }

    // === expressions ===

    fn pipeline(&mut self, dot: &Operand, pipeline: &'t Pipeline) -> Result<Operand> {
        self.at(pipeline.position, pipeline);
        let mut value: Option<Operand> = None;
        for command in &pipeline.commands {
            let result = self.command(dot, command, value.take())?;
            value = Some(lift(result));
        }
        let value = value.unwrap_or_default();
        for variable in &pipeline.variables {
            if pipeline.is_assignment {
                self.set_variable(variable, value.clone())?;
            } else {
                self.variables
                    .push(Variable::new(variable.slot, value.clone()));
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
        let Some((first, arguments)) = command.arguments.split_first() else {
            return self.fail("empty command");
        };
        match &first.kind {
            ExpressionKind::Field(fields) => {
                self.at(first.position, first);
                self.fields(
                    dot,
                    (dot.clone(), self.dot_is_element),
                    fields,
                    arguments,
                    piped,
                )
            }
            ExpressionKind::Chain { operand, fields } => {
                self.chain(dot, first, operand, fields, arguments, piped)
            }
            ExpressionKind::Function { name, index } => {
                self.at(first.position, first);
                let blame = At {
                    position: command.position,
                    node: command,
                };
                self.function(dot, blame, name, *index, arguments, piped)
            }
            ExpressionKind::Variable { variable, fields } => {
                self.variable(dot, first, variable, fields, arguments, piped)
            }
            ExpressionKind::Pipeline(pipeline) => {
                self.no_arguments(first, arguments, piped.as_ref())?;
                self.nested(|inner| inner.pipeline(dot, pipeline))
            }
            kind => {
                self.at(first.position, first);
                self.no_arguments(first, arguments, piped.as_ref())?;
                match kind {
                    ExpressionKind::Nil => self.fail("nil is not a command"),
                    _ => self.constant(dot, first),
                }
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
    fn constant(&mut self, dot: &Operand, expression: &Expression) -> Result<Operand> {
        Ok(match &expression.kind {
            ExpressionKind::Bool(value) => Some(Value::Bool(*value)),
            ExpressionKind::Dot => dot.clone(),
            ExpressionKind::String { value, .. } => Some(Value::String(value.clone())),
            ExpressionKind::Number(number) => Some(self.ideal(number)?),
            _ => return self.fail(format!("can't evaluate command {expression}")),
        })
    }

    /// The type that a constant has when nothing asks for another one (Go's `idealConstant`).
    fn ideal(&self, number: &Number) -> Result<Value> {
        let spelling = &number.spelling;
        let is_hexadecimal = spelling.len() > 2
            && spelling[..2].eq_ignore_ascii_case("0x")
            && !spelling.contains(['p', 'P']);
        match number {
            Number {
                float: Some(float),
                is_character: false,
                ..
            } if !is_hexadecimal && spelling.contains(['.', 'e', 'E', 'p', 'P']) => {
                Ok(Value::Float(*float))
            }
            Number { int: Some(int), .. } => Ok(Value::Int(*int)),
            _ => self.fail(format!("{spelling} overflows int")),
        }
    }

    fn chain(
        &mut self,
        dot: &Operand,
        node: &'t Expression,
        operand: &'t Expression,
        fields: &'t [GoString],
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        self.at(node.position, node);
        let receiver = match &operand.kind {
            ExpressionKind::Pipeline(pipeline) => {
                self.nested(|inner| inner.pipeline(dot, pipeline))?
            }
            ExpressionKind::Function { name, index } => {
                self.at(operand.position, operand);
                let blame = At {
                    position: operand.position,
                    node: operand,
                };
                self.function(dot, blame, name, *index, &[], None)?
            }
            _ => return self.fail(format!("indirection through explicit nil in {node}")),
        };
        self.fields(dot, (receiver, false), fields, arguments, piped)
    }

    fn variable(
        &mut self,
        dot: &Operand,
        node: &'t Expression,
        variable: &'t VariableNode,
        fields: &'t [GoString],
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        self.at(node.position, node);
        let found = self
            .variables
            .iter()
            .rev()
            .find(|entry| entry.slot == variable.slot);
        let Some(Variable {
            value, is_element, ..
        }) = found
        else {
            return self.fail(format!("undefined variable: {}", variable.name));
        };
        let (value, is_element) = (value.clone(), *is_element);
        if fields.is_empty() {
            self.no_arguments(node, arguments, piped.as_ref())?;
            return Ok(value);
        }
        self.fields(dot, (value, is_element), fields, arguments, piped)
    }

    fn fields(
        &mut self,
        dot: &Operand,
        (mut receiver, mut is_element): (Operand, bool),
        fields: &'t [GoString],
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        let Some((last, leading)) = fields.split_last() else {
            return Ok(receiver);
        };
        for field in leading {
            let is_map = matches!(receiver, Some(Value::Map(_)));
            receiver = self.field(dot, (&receiver, is_element), field, &[], None)?;
            is_element = is_map;
        }
        self.field(dot, (&receiver, is_element), last, arguments, piped)
    }

    fn field(
        &mut self,
        dot: &Operand,
        (receiver, is_element): (&Operand, bool),
        name: &GoString,
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        let missing = self.state.templates.missing_key();
        let has_arguments = !arguments.is_empty() || piped.is_some();
        match receiver {
            None if missing == MissingKey::Error => self.fail(format!(
                "nil data; no entry for key {}",
                crate::strconv::quote(name)
            )),
            None => Ok(None),
            Some(Value::Nil) => self.fail(format!("nil pointer evaluating interface {{}}.{name}")),
            Some(Value::Map(map)) => {
                if has_arguments {
                    return self.fail(format!("{name} is not a method but has arguments"));
                }
                if let Some(value) = map.get(name) {
                    return Ok(Some(value));
                }
                match missing {
                    MissingKey::Invalid => Ok(None),
                    MissingKey::Zero if map.kind() == MapKind::String => {
                        Ok(Some(Value::String(GoString::default())))
                    }
                    MissingKey::Zero => Ok(Some(Value::Nil)),
                    MissingKey::Error => self.fail(format!(
                        "map has no entry for key {}",
                        crate::strconv::quote(name)
                    )),
                }
            }
            Some(Value::Object(object)) => {
                let object = Rc::clone(object);
                let text = name.to_str_lossy().into_owned();
                if object.has_method(&text) {
                    let parameters = object.parameters(&text);
                    let given = arguments.len() + usize::from(piped.is_some());
                    if let Some(wanted) =
                        parameters.map(<[_]>::len).filter(|wanted| *wanted != given)
                    {
                        return self.fail(format!(
                            "wrong number of args for {text}: want {wanted} got {given}"
                        ));
                    }
                    let parameter = |index: usize| {
                        let known = parameters.and_then(|parameters| parameters.get(index));
                        known.copied().unwrap_or(Parameter::Any)
                    };
                    let mut values = Vec::with_capacity(given);
                    for (index, argument) in arguments.iter().enumerate() {
                        values.push(self.argument(dot, parameter(index), argument)?);
                    }
                    if let Some(piped) = piped {
                        values.push(self.validated(piped, parameter(values.len()))?);
                    }
                    return match object.call(&text, &values) {
                        Some(Ok(value)) => Ok(Some(value)),
                        Some(Err(message)) => self.error(ErrorKind::Call {
                            function: text,
                            error: FunctionError::Message(message),
                        }),
                        None => self.fail(format!("wrong arguments for {text}")),
                    };
                }
                match object.field(&text) {
                    Some(_) if has_arguments => self.fail(format!(
                        "{text} has arguments but cannot be invoked as function"
                    )),
                    Some(value) => Ok(Some(value)),
                    None if is_element => self.fail(format!(
                        "can't evaluate field {text} in type interface {{}}"
                    )),
                    None => self.fail(format!(
                        "can't evaluate field {text} in type {}",
                        object.type_name()
                    )),
                }
            }
            Some(value) => {
                let type_name = if is_element {
                    "interface {}"
                } else {
                    value.type_name()
                };
                self.fail(format!("can't evaluate field {name} in type {type_name}"))
            }
        }
    }

    fn function(
        &mut self,
        dot: &Operand,
        blame: At<'t>,
        name: &str,
        index: usize,
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        let Some(function) = self.state.templates.functions().get(index).cloned() else {
            return self.fail(format!("{name:?} is not a defined function"));
        };
        self.count(&function, arguments.len(), piped.is_some())?;
        if let Some(kind) = function.short_circuit {
            return self.short_circuit(dot, kind, arguments, piped);
        }
        let fixed = function.parameters.len() - usize::from(function.is_variadic);
        let parameter = |index: usize| {
            let last = function
                .parameters
                .last()
                .copied()
                .unwrap_or(Parameter::Any);
            if index < fixed {
                function.parameters[index]
            } else {
                last
            }
        };
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for (index, argument) in arguments.iter().enumerate() {
            values.push(self.argument(dot, parameter(index), argument)?);
        }
        if let Some(piped) = piped {
            values.push(self.validated(piped, parameter(values.len()))?);
        }
        let work = 1 + values.iter().map(weight).sum::<u64>();
        let result = self.state.charge(work).and_then(|()| {
            let value = (function.native)(self.state, values)?;
            // What is made may be kept, so it counts more than what is read.
            self.state.charge(weight(&value).saturating_mul(8))?;
            Ok(value)
        });
        let limit = self.state.limits.output;
        match result {
            Ok(Value::String(text)) if text.len() > limit => {
                self.at(blame.position, blame.node);
                self.error(ErrorKind::Limit(format!(
                    "{name} gives more than {limit} bytes"
                )))
            }
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.at(blame.position, blame.node);
                self.error(ErrorKind::Call {
                    function: name.to_owned(),
                    error,
                })
            }
        }
    }

    /// Go counts arguments before it evaluates them.
    fn count(&self, function: &Function, arguments: usize, piped: bool) -> Result<()> {
        let given = arguments + usize::from(piped);
        let name = &function.name;
        if function.is_variadic {
            let least = function.parameters.len() - 1;
            if given < least {
                return self.fail(format!(
                    "wrong number of args for {name}: want at least {least} got {arguments}"
                ));
            }
        } else if given != function.parameters.len() {
            let wanted = function.parameters.len();
            return self.fail(format!(
                "wrong number of args for {name}: want {wanted} got {given}"
            ));
        }
        Ok(())
    }

    fn short_circuit(
        &mut self,
        dot: &Operand,
        kind: ShortCircuit,
        arguments: &'t [Expression],
        piped: Option<Operand>,
    ) -> Result<Operand> {
        let mut value = None;
        for argument in arguments {
            let operand = self.argument(dot, Parameter::Any, argument)?;
            let is_true = operand.is_true();
            value = lift(Some(operand));
            if is_true == (kind == ShortCircuit::Or) {
                return Ok(value);
            }
        }
        if let Some(piped) = piped {
            value = lift(piped);
        }
        Ok(value)
    }

    /// Evaluates an argument for a parameter (Go's `evalArg`).
    fn argument(
        &mut self,
        dot: &Operand,
        parameter: Parameter,
        expression: &'t Expression,
    ) -> Result<Value> {
        self.step()?;
        self.at(expression.position, expression);
        let operand = match &expression.kind {
            ExpressionKind::Dot => dot.clone(),
            ExpressionKind::Nil => {
                if parameter.can_be_nil() {
                    return Ok(Value::Nil);
                }
                return self.fail(format!("cannot assign nil to {}", parameter.type_name()));
            }
            ExpressionKind::Field(fields) => {
                self.fields(dot, (dot.clone(), self.dot_is_element), fields, &[], None)?
            }
            ExpressionKind::Variable { variable, fields } => {
                self.variable(dot, expression, variable, fields, &[], None)?
            }
            ExpressionKind::Pipeline(pipeline) => {
                self.nested(|inner| inner.pipeline(dot, pipeline))?
            }
            ExpressionKind::Function { name, index } => {
                let blame = At {
                    position: expression.position,
                    node: expression,
                };
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
    fn literal(&mut self, parameter: Parameter, expression: &Expression) -> Result<Value> {
        let wanted = match (parameter, &expression.kind) {
            (Parameter::Any, _) => {
                return Ok(self.constant(&None, expression)?.unwrap_or_default());
            }
            (Parameter::Bool, ExpressionKind::Bool(value)) => return Ok(Value::Bool(*value)),
            (Parameter::String, ExpressionKind::String { value, .. }) => {
                return Ok(Value::String(value.clone()));
            }
            (Parameter::Int, ExpressionKind::Number(Number { int: Some(int), .. })) => {
                return Ok(Value::Int(*int));
            }
            (Parameter::Int64, ExpressionKind::Number(Number { int: Some(int), .. })) => {
                return Ok(Value::Int64(*int));
            }
            (
                Parameter::Float,
                ExpressionKind::Number(Number {
                    float: Some(float), ..
                }),
            ) => {
                return Ok(Value::Float(*float));
            }
            (Parameter::Bool, _) => "bool",
            (Parameter::String, _) => "string",
            (Parameter::Int | Parameter::Int64, _) => "integer",
            (Parameter::Float, _) => "float",
            (Parameter::List | Parameter::Strings | Parameter::Map, _) => {
                return self.fail(format!(
                    "can't handle {expression} for arg of type {}",
                    parameter.type_name()
                ));
            }
        };
        self.fail(format!("expected {wanted}; found {expression}"))
    }

    /// Checks a value against a parameter (Go's `validateType`).
    fn validated(&self, operand: Operand, parameter: Parameter) -> Result<Value> {
        let Some(value) = operand else {
            if parameter.can_be_nil() {
                return Ok(Value::Nil);
            }
            return self.fail(format!("invalid value; expected {}", parameter.type_name()));
        };
        if parameter.takes(&value) {
            return Ok(value);
        }
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

/// An interface that holds nothing becomes no value at all at the end of a command.
fn lift(operand: Operand) -> Operand {
    operand.filter(|value| !value.is_nil())
}
