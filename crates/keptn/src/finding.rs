//! What is wrong with a resource, where, and what to do about it.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, but probably not as it is meant.
    Warning,
    /// Only Stagelink alone cannot know: the thing may be in the cluster.
    Unresolved,
    /// It cannot work.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Warning => "warning",
            Self::Unresolved => "unresolved",
            Self::Error => "error",
        })
    }
}

/// One thing that is wrong. Shown on one line, without the severity:
///
/// ```
/// use stagelink_keptn::{Finding, Severity};
///
/// let finding = Finding::new(Severity::Error, "context.yaml", "the list has an empty item")
///     .in_resource("KeptnAppContext/simple-go")
///     .at("spec.spanLinks[0]")
///     .advise("remove it");
/// assert_eq!(
///     finding.to_string(),
///     "context.yaml: KeptnAppContext/simple-go spec.spanLinks[0]: the list has an empty item; remove it"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file or template that it is in.
    pub source: String,
    /// Number of the document in the file, from 1; 0 if it is not known.
    pub document: usize,
    /// Line in the file, from 1; 0 if it is not known.
    pub line: usize,
    /// Kind and name, `KeptnAppContext/simple-go`; empty if it is no resource.
    pub resource: String,
    /// The field, for example `spec.spanLinks[0]`; may be empty.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// What to do; may be empty.
    pub advice: String,
}

impl Finding {
    /// A finding in a file.
    pub fn new(severity: Severity, source: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            severity,
            source: source.into(),
            document: 0,
            line: 0,
            resource: String::new(),
            field: String::new(),
            problem: problem.into(),
            advice: String::new(),
        }
    }

    /// Names the resource.
    #[must_use]
    pub fn in_resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = resource.into();
        self
    }

    /// Names the field.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// True if it cannot work.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        } else if self.document > 1 {
            write!(f, " (document {})", self.document)?;
        }
        f.write_str(": ")?;
        match (self.resource.is_empty(), self.field.is_empty()) {
            (true, true) => {}
            (false, false) => write!(f, "{} {}: ", self.resource, self.field)?,
            _ => write!(f, "{}{}: ", self.resource, self.field)?,
        }
        f.write_str(&self.problem)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}
