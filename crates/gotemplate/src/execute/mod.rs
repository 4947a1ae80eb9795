//! The evaluator. Gives what Go 1.26's `text/template/exec.go` gives, error texts included.

mod call;
mod expression;
mod operand;
mod statement;

use crate::error::FunctionError;
use crate::template::{Parsed, Templates};
use crate::value::Value;
pub(crate) use operand::Operand;
use statement::Execution;

/// What a template may use up. Templates are code, and charts are not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Nodes, arguments and, by their size, what functions read and make.
    pub steps: u64,
    /// Bytes that one template, or one function, may give.
    pub output: usize,
    /// How deep templates may call each other. Go's own limit is 100,000.
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

/// Blocks and parentheses that may be open at once, for each level of [`Limits::depth`]: an upper bound
/// of what the stack takes.
const NESTING_PER_LEVEL: usize = 50;

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

/// The state of an execution, for functions that execute templates themselves.
#[derive(Debug)]
pub struct State<'e> {
    templates: &'e Templates,
    limits: &'e Limits,
    usage: Usage,
}

/// What has been used up so far.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    steps: u64,
    /// Templates that call each other.
    depth: usize,
    /// Blocks and parentheses that are open.
    nesting: usize,
}

impl<'e> State<'e> {
    pub(crate) fn new(templates: &'e Templates, limits: &'e Limits) -> Self {
        Self {
            templates,
            limits,
            usage: Usage::default(),
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
        let Some(template) = self.templates.get(name) else {
            return Err(FunctionError::Message(format!(
                "template: no template {} associated with template {}",
                crate::strconv::quote(name),
                crate::strconv::quote(self.templates.name().as_bytes()),
            )));
        };
        if self.usage.depth >= self.limits.depth {
            return Err(FunctionError::Limit(format!(
                "templates call each other deeper than {} levels",
                self.limits.depth
            )));
        }
        // `reflect.ValueOf(nil)` is the invalid value.
        let dot = Operand::of(data).lift();
        let mut output = Vec::new();
        self.run(template, dot, &mut output)?;
        Ok(output)
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
            usage: self.usage,
        };
        let result = inner.execute(name, data);
        self.usage = inner.usage;
        result
    }

    /// Counts work that a function does; charge a step for each element or kilobyte made.
    ///
    /// # Errors
    /// [`FunctionError::Limit`] when the limit is reached.
    pub fn charge(&mut self, steps: u64) -> Result<(), FunctionError> {
        self.usage.steps = self.usage.steps.saturating_add(steps);
        if self.usage.steps > self.limits.steps {
            return Err(FunctionError::Limit(format!(
                "the template took more than {} steps",
                self.limits.steps
            )));
        }
        Ok(())
    }

    /// Runs a template on a stack that is large enough.
    fn run(
        &mut self,
        template: &Parsed,
        dot: Operand,
        output: &mut Vec<u8>,
    ) -> statement::Result<()> {
        let nesting = self.usage.nesting;
        self.usage.depth += 1;
        let result = stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || {
            Execution::new(self, template, output).run(dot)
        });
        self.usage.depth -= 1;
        self.usage.nesting = nesting;
        result
    }
}
