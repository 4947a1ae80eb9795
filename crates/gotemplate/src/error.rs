//! What goes wrong, in Go's words, with where it happened.

use std::fmt;

/// A template that cannot be parsed. Shown as Go shows it: `template: NAME:LINE: MESSAGE`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template: {template}:{line}: {message}")]
pub struct ParseError {
    /// Name of the text that was parsed.
    pub template: String,
    /// Line, from 1.
    pub line: usize,
    /// Go's message.
    pub message: String,
}

/// A template that cannot be executed.
///
/// Shown as Go shows it:
/// `template: NAME:LINE:COLUMN: executing "TEMPLATE" at <NODE>: MESSAGE`.
#[derive(Debug, Clone, thiserror::Error)]
pub struct ExecuteError {
    /// Where it happened; absent before the first node.
    pub location: Option<Box<Location>>,
    /// Name of the template that was executed.
    pub template: String,
    /// What happened.
    pub kind: ErrorKind,
}

/// A place in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Name of the text that holds the node.
    pub text: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 0 as in Go.
    pub column: usize,
    /// The node as Go prints it.
    pub node: String,
}

/// What happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The template cannot be evaluated; Go's message.
    Evaluate(String),
    /// A function gave an error.
    Call {
        /// Name of the function.
        function: String,
        /// Its error.
        error: FunctionError,
    },
    /// A limit of [`Limits`](crate::Limits) was reached.
    Limit(String),
}

/// The error of a function.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// The function's own message.
    #[error("{0}")]
    Message(String),
    /// A template that the function executed.
    #[error("{0}")]
    Execute(Box<ExecuteError>),
    /// A template that the function parsed.
    #[error("{0}")]
    Parse(ParseError),
    /// A message around another error, as Go's `fmt.Errorf("…: %w")`.
    #[error("{message}: {source}")]
    Wrapped {
        /// The message.
        message: String,
        /// The error within.
        source: Box<FunctionError>,
    },
    /// A limit was reached.
    #[error("{0}")]
    Limit(String),
}

/// How much of a message around an error is kept, in bytes.
const MAXIMUM_MESSAGE: usize = 64 * 1024;

/// A text with its end cut off where it is too long.
pub(crate) fn shortened(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
        text.shrink_to_fit();
    }
    text
}

impl FunctionError {
    /// A message.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }

    /// This error with a message before it; of a message above 64 KiB only the beginning is kept, as there
    /// may be one for each level of templates.
    #[must_use]
    pub fn wrap(self, message: impl Into<String>) -> Self {
        Self::Wrapped {
            message: shortened(message.into(), MAXIMUM_MESSAGE),
            source: Box::new(self),
        }
    }
}

impl From<String> for FunctionError {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

impl From<&str> for FunctionError {
    fn from(message: &str) -> Self {
        Self::Message(message.to_owned())
    }
}

impl From<ExecuteError> for FunctionError {
    fn from(error: ExecuteError) -> Self {
        Self::Execute(Box::new(error))
    }
}

impl From<ParseError> for FunctionError {
    fn from(error: ParseError) -> Self {
        Self::Parse(error)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evaluate(message) | Self::Limit(message) => f.write_str(message),
            Self::Call { function, error } => write!(f, "error calling {function}: {error}"),
        }
    }
}

impl fmt::Display for ExecuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(
                f,
                "template: {}:{}:{}: executing {:?} at <{}>: {}",
                location.text,
                location.line,
                location.column,
                self.template,
                location.node,
                self.kind
            ),
            None => write!(f, "template: {}: {}", self.template, self.kind),
        }
    }
}

impl ExecuteError {
    /// True if a limit was reached, here or in a template that was called.
    pub fn is_limit(&self) -> bool {
        fn within(error: &FunctionError) -> bool {
            match error {
                FunctionError::Limit(_) => true,
                FunctionError::Execute(error) => error.is_limit(),
                FunctionError::Wrapped { source, .. } => within(source),
                FunctionError::Message(_) | FunctionError::Parse(_) => false,
            }
        }
        match &self.kind {
            ErrorKind::Limit(_) => true,
            ErrorKind::Call { error, .. } => within(error),
            ErrorKind::Evaluate(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_shortened_between_characters() {
        assert_eq!(shortened("aé".repeat(10), 3), "aé…");
        assert_eq!(shortened("aé".repeat(10), 2), "a…");
        assert_eq!(shortened("aé".to_owned(), 3), "aé");
    }
}
