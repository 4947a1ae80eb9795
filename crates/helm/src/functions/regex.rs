//! Regular expressions: `regexMatch`, `regexFind`, `regexReplaceAll`, … and their `must…` twins.

use std::rc::Rc;

use stagelink_gotemplate::{FunctionError, List, Value};

use super::entry::Type::{Int, Text};
use super::entry::{Arguments, Entry, MAXIMUM_TEXT, NIL_STRINGS, Outcome, check_items, pure, text};
use super::pattern::{Pattern, quote_meta};

pub(super) const FUNCTIONS: &[Entry] = &[
    pure("mustRegexFind", &[Text, Text], |call| {
        find(call, compile(call)?)
    }),
    pure("mustRegexFindAll", &[Text, Text, Int], |call| {
        find_all(call, compile(call)?)
    }),
    pure("mustRegexMatch", &[Text, Text], |call| {
        Ok(Value::Bool(compile(call)?.is_match(call.text(1)?)))
    }),
    pure("mustRegexReplaceAll", &[Text, Text, Text], |call| {
        replace(call, compile(call)?, false)
    }),
    pure("mustRegexReplaceAllLiteral", &[Text, Text, Text], |call| {
        replace(call, compile(call)?, true)
    }),
    pure("mustRegexSplit", &[Text, Text, Int], |call| {
        split(call, compile(call)?)
    }),
    pure("regexFind", &[Text, Text], |call| {
        find(call, must_compile(call)?)
    }),
    pure("regexFindAll", &[Text, Text, Int], |call| {
        find_all(call, must_compile(call)?)
    }),
    // A malformed pattern matches nothing here, and is an error everywhere else.
    pure("regexMatch", &[Text, Text], |call| {
        let source = call.text(1)?;
        Ok(Value::Bool(
            compile(call).is_ok_and(|pattern| pattern.is_match(source)),
        ))
    }),
    pure("regexQuoteMeta", &[Text], |call| {
        text(quote_meta(call.text(0)?))
    }),
    pure("regexReplaceAll", &[Text, Text, Text], |call| {
        replace(call, must_compile(call)?, false)
    }),
    pure("regexReplaceAllLiteral", &[Text, Text, Text], |call| {
        replace(call, must_compile(call)?, true)
    }),
    pure("regexSplit", &[Text, Text, Int], |call| {
        split(call, must_compile(call)?)
    }),
];

fn compile(call: Arguments<'_>) -> Result<Rc<Pattern>, String> {
    Pattern::compile(call.text(0)?)
}

/// `regexp.MustCompile`, which says more in its error.
fn must_compile(call: Arguments<'_>) -> Result<Rc<Pattern>, String> {
    let source = call.text(0)?;
    Pattern::compile(source).map_err(|fault| {
        let source = source.to_str_lossy();
        if source.contains('`') {
            format!("regexp: Compile({source:?}): {fault}")
        } else {
            format!("regexp: Compile(`{source}`): {fault}")
        }
    })
}

fn find(call: Arguments<'_>, pattern: Rc<Pattern>) -> Outcome {
    text(pattern.find(call.text(1)?))
}

fn strings(parts: Vec<&[u8]>) -> Outcome {
    check_items(parts.len() as u64)?;
    Ok(Value::List(List::of_strings(parts)))
}

fn find_all(call: Arguments<'_>, pattern: Rc<Pattern>) -> Outcome {
    let found = pattern.find_all(call.text(1)?, call.int(2)?);
    if found.is_empty() {
        return Ok(Value::List(List::with_kind(Vec::new(), NIL_STRINGS)));
    }
    strings(found)
}

fn replace(call: Arguments<'_>, pattern: Rc<Pattern>, literal: bool) -> Outcome {
    match pattern.replace_all(call.text(1)?, call.text(2)?, literal, MAXIMUM_TEXT as usize) {
        Some(replaced) => text(replaced),
        None => Err(FunctionError::Limit(format!(
            "the result has more than the {MAXIMUM_TEXT} bytes that are allowed"
        ))),
    }
}

fn split(call: Arguments<'_>, pattern: Rc<Pattern>) -> Outcome {
    strings(pattern.split(call.text(1)?, call.int(2)?))
}
