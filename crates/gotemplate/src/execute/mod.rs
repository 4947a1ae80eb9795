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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FunctionTable, GoString, List};

    fn templates(source: &str) -> Templates {
        let mut table = FunctionTable::builtin();
        table.add(
            "include",
            |state: &mut State<'_>, name: GoString, data: Value| {
                state.execute(&name, data).map(Value::string)
            },
        );
        table.add(
            "tpl",
            |state: &mut State<'_>, text: GoString, data: Value| {
                let mut templates = state.templates().clone();
                templates.parse("tpl", &text)?;
                let output = state.execute_with(&templates, b"tpl", data);
                output.map(Value::string).map_err(|error| error.wrap("tpl"))
            },
        );
        table.add("many", |_: Value| List::new(vec![Value::Nil; 1_000_000]));
        let mut templates = Templates::new("set", table);
        templates.parse("main", source).unwrap();
        templates
    }

    #[test]
    fn functions_can_execute_templates() {
        for (source, expected) in [
            (
                "{{ define \"t\" }}<{{ . }}>{{ end }}{{ include \"t\" 1 }}",
                "<1>",
            ),
            (
                "{{ tpl \"{{ . }}{{ define `x` }}x{{ end }}{{ include `x` 1 }}\" 2 }}",
                "2x",
            ),
            (
                "{{ define \"t\" }}1{{ end }}{{ tpl \"{{ template `t` }}\" 2 }}",
                "1",
            ),
            (
                "{{ include \"none\" 1 }}",
                "template: main:1:3: executing \"main\" at <include \"none\" 1>: error calling include: \
                 template: no template \"none\" associated with template \"set\"",
            ),
            (
                "{{ tpl \"{{ index 1 2 }}\" 2 }}",
                "template: main:1:3: executing \"main\" at <tpl \"{{ index 1 2 }}\" 2>: error calling tpl: \
                 tpl: template: tpl:1:3: executing \"tpl\" at <index 1 2>: error calling index: \
                 can't index item of type int",
            ),
            (
                "{{ tpl \"{{ end }}\" 2 }}",
                "template: main:1:3: executing \"main\" at <tpl \"{{ end }}\" 2>: error calling tpl: \
                 template: tpl:1: unexpected {{end}}",
            ),
        ] {
            let result = templates(source).execute("main", Value::Nil, &Limits::default());
            let text = result.map_or_else(
                |error| error.to_string(),
                |output| String::from_utf8_lossy(&output).into_owned(),
            );
            assert_eq!(text, expected, "{source}");
        }
    }

    #[test]
    fn every_limit_is_an_error_that_says_so() {
        let limits = Limits {
            steps: 10_000,
            output: 1_000,
            depth: 20,
        };
        for (source, expected) in [
            ("{{ range 1000000 }}{{ end }}", "more than 10000 steps"),
            (
                "{{ range 1000 }}{{ $x := len (many 1) }}{{ end }}",
                "more than 10000 steps",
            ),
            ("{{ range 1000 }}xxxx{{ end }}", "larger than 1000 bytes"),
            ("{{ printf \"%2000d\" 1 }}", "more than 1000 bytes"),
            (
                "{{ define \"t\" }}{{ template \"t\" }}{{ end }}{{ template \"t\" }}",
                "exceeded maximum template depth (20)",
            ),
            (
                "{{ define \"t\" }}{{ include \"t\" 1 }}{{ end }}{{ include \"t\" 1 }}",
                "deeper than 20 levels",
            ),
            (
                "{{ $text := \"{{ tpl . . }}\" }}{{ tpl $text $text }}",
                "deeper than 20 levels",
            ),
        ] {
            let result = templates(source).execute("main", Value::Nil, &limits);
            let FunctionError::Execute(error) = result.unwrap_err() else {
                panic!("{source} is executed");
            };
            assert!(error.is_limit(), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn blocks_and_calls_together_are_bounded() {
        let blocks = 400;
        let source = format!(
            "{{{{ define \"t\" }}}}{}{{{{ template \"t\" 1 }}}}{}{{{{ end }}}}{{{{ template \"t\" 1 }}}}",
            "{{ if 1 }}".repeat(blocks),
            "{{ end }}".repeat(blocks)
        );
        let error = templates(&source)
            .execute("main", Value::Nil, &Limits::default())
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("blocks and parentheses are open"),
            "{error}"
        );
    }
}
