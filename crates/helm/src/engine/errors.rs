//! Errors of templates in Helm's words.
//!
//! Helm takes the text of a Go error apart (`pkg/engine/engine.go`, `reformatExecErrorMsg`); so the same is done here with the
//! same texts. Beside it stands what a person needs first: the innermost place and message.

use std::fmt::Write as _;

use stagelink_gotemplate::{ErrorKind, ExecuteError, FunctionError, Location, ParseError};

use super::SET_NAME;
use super::functions::{MESSAGE_END, MESSAGE_START};
use crate::error::{Place, RenderError, RenderErrorKind};
use crate::functions::unsupported::NOT_SUPPORTED;

/// A file that is not well-formed.
pub(super) fn parse_error(file: &str, error: &ParseError) -> RenderError {
    let text = error.to_string();
    let tokens: Vec<&str> = text.split(": ").collect();
    let helm = match tokens.as_slice() {
        [_, location, .., message] => format!("parse error at ({location}): {message}"),
        [_, location] => format!("parse error at ({location}): {location}"),
        _ => format!("parse error in ({file}): {text}"),
    };
    let place = Place {
        line: Some(error.line),
        ..Place::file(&error.template)
    };
    RenderError::new(RenderErrorKind::Syntax, Some(place), error.message.clone()).with_helm(helm)
}

/// A file that failed while it ran.
pub(super) fn execution_error(file: &str, error: &FunctionError) -> RenderError {
    let FunctionError::Execute(outermost) = error else {
        return RenderError::new(
            RenderErrorKind::Execution,
            Some(Place::file(file)),
            error.to_string(),
        )
        .with_helm(error.to_string());
    };
    let (location, message) = innermost(outermost);
    let place = location.map_or_else(
        || Place::file(file),
        |location| Place {
            template: location.text.clone(),
            line: Some(location.line),
            column: Some(location.column),
        },
    );
    let helm = in_helms_words(outermost);
    if let Some(own) = own_message(&message) {
        return RenderError::new(RenderErrorKind::Refused, Some(place), own).with_helm(helm);
    }
    if message.ends_with(NOT_SUPPORTED) {
        let message = message
            .rsplit_once(": ")
            .map_or(message.as_str(), |(_, message)| message);
        return RenderError::new(RenderErrorKind::Unsupported, Some(place), message)
            .with_helm(helm);
    }
    let is_limit = outermost.is_limit() || message.contains("nested reference name");
    let kind = if is_limit {
        RenderErrorKind::Budget
    } else {
        RenderErrorKind::Execution
    };
    RenderError::new(kind, Some(place), message).with_helm(helm)
}

/// Where it all started, and what the error says there. Text that was passed to `tpl` has no place in a file; its caller has.
fn innermost(error: &ExecuteError) -> (Option<&Location>, String) {
    fn within(error: &FunctionError) -> Option<&ExecuteError> {
        match error {
            FunctionError::Execute(inner) => Some(inner),
            FunctionError::Wrapped { source, .. } => within(source),
            _ => None,
        }
    }
    let mut current = error;
    let mut place = None;
    loop {
        if let Some(location) = current
            .location
            .as_deref()
            .filter(|location| location.text != SET_NAME)
        {
            place = Some(location);
        }
        match &current.kind {
            ErrorKind::Call { error, .. } if within(error).is_some() => {
                current = within(error).unwrap_or(current)
            }
            kind => {
                let in_text = current
                    .location
                    .as_deref()
                    .is_some_and(|location| location.text == SET_NAME);
                let message = kind.to_string();
                return (
                    place,
                    if in_text && own_message(&message).is_none() {
                        format!("in a text passed to tpl: {message}")
                    } else {
                        message
                    },
                );
            }
        }
    }
}

/// The message between the marks of `fail` and `required`.
fn own_message(text: &str) -> Option<&str> {
    let start = text.find(MESSAGE_START)? + MESSAGE_START.len();
    let end = text.rfind(MESSAGE_END)?;
    text.get(start..end)
}

/// What `reformatExecErrorMsg` gives.
fn in_helms_words(error: &ExecuteError) -> String {
    let text = error.to_string();
    let mut tokens = text.splitn(3, ": ");
    if let (Some(_), Some(location), Some(rest)) = (tokens.next(), tokens.next(), tokens.next())
        && let Some(own) = own_message(rest)
    {
        return format!("execution error at ({location}): {own}");
    }
    // Whether the whole chain can be taken apart depends on its end alone, and long chains have long texts.
    let mut chain = vec![error];
    let mut end = None;
    while let Some(ExecuteError {
        kind: ErrorKind::Call { error, .. },
        ..
    }) = chain.last()
    {
        match error {
            FunctionError::Execute(inner) => chain.push(inner),
            other => {
                end = Some(other.to_string());
                break;
            }
        }
    }
    let end = match end {
        None => None,
        Some(end) => match Block::parse(&end) {
            Some(block) => Some(block),
            None => return text,
        },
    };
    let mut blocks: Vec<Block> = Vec::new();
    for block in chain
        .iter()
        .map(|error| Block::parse(&error.to_string()))
        .chain(end.map(Some))
    {
        let Some(block) = block else { return text };
        if blocks.last() != Some(&block) {
            blocks.push(block);
        }
    }
    blocks
        .iter()
        .map(Block::to_text)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// One link of the chain (`TraceableError`).
#[derive(Debug, PartialEq, Eq)]
struct Block {
    location: String,
    message: String,
    executed: String,
}

impl Block {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Self {
                location: String::new(),
                message: text.to_owned(),
                executed: String::new(),
            });
        }
        Self::parse_executing(rest).or_else(|| Self::parse_simple(rest))
    }

    fn parse_executing(rest: &str) -> Option<Self> {
        let (location, after) = rest.split_once(": executing ")?;
        let (function, after) = after.strip_prefix('"')?.split_once('"')?;
        let (node, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
        Some(Self {
            location: location.to_owned(),
            message: without_next(message),
            executed: format!("executing \"{function}\" at <{node}>:"),
        })
    }

    fn parse_simple(rest: &str) -> Option<Self> {
        let (location, message) = rest.rsplit_once(": ")?;
        Some(Self {
            location: location.to_owned(),
            message: without_next(message),
            executed: String::new(),
        })
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        if !self.location.is_empty() {
            let _ = write!(text, "{}\n  ", self.location);
        }
        if !self.executed.is_empty() {
            let _ = write!(text, "{}\n    ", self.executed);
        }
        if !self.message.is_empty() {
            let _ = writeln!(text, "{}", self.message);
        }
        text
    }
}

/// A message without the link of the chain that follows it.
fn without_next(message: &str) -> String {
    message
        .find(" template:")
        .map_or(message, |cut| &message[..cut])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_chain_are_taken_apart() {
        let block = Block::parse(r#"template: c/t.yaml:1:3: executing "c/t.yaml" at <include "x" .>: error calling include: template: c/_h.tpl:2:1: …"#).unwrap();
        assert_eq!(block.location, "c/t.yaml:1:3");
        assert_eq!(
            block.executed,
            r#"executing "c/t.yaml" at <include "x" .>:"#
        );
        assert_eq!(block.message, "error calling include:");
        assert_eq!(
            Block::parse("template: c/t.yaml: oh: no").unwrap().location,
            "c/t.yaml: oh"
        );
        assert_eq!(Block::parse("something else"), None);
    }

    #[test]
    fn a_parse_error_names_file_and_line() {
        let error = ParseError {
            template: "c/t.yaml".to_owned(),
            line: 3,
            message: "function \"x\" not defined".to_owned(),
        };
        let error = parse_error("c/t.yaml", &error);
        assert_eq!(
            error.helm_text(),
            Some("parse error at (c/t.yaml:3): function \"x\" not defined")
        );
        assert_eq!(
            error.to_string(),
            "c/t.yaml:3: function \"x\" not defined; correct the template"
        );
    }
}
