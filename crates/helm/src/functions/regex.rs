//! Regular expressions: `regexMatch`, `regexFind`, `regexReplaceAll`, … and their `must…` twins.

use std::rc::Rc;

use stagelink_gotemplate::{FunctionError, FunctionTable, GoString, List};

use super::pattern::{Pattern, quote_meta};
use super::shared::{MAXIMUM_TEXT, NIL_STRINGS, check_items};

/// What these functions give.
type Result<T> = std::result::Result<T, FunctionError>;

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable) {
    table.add("mustRegexFind", |pattern: GoString, text: GoString| {
        Ok::<_, FunctionError>(find(compile(&pattern)?, &text))
    });
    table.add(
        "mustRegexFindAll",
        |pattern: GoString, text: GoString, count: i64| find_all(compile(&pattern)?, &text, count),
    );
    table.add("mustRegexMatch", |pattern: GoString, text: GoString| {
        Ok::<_, FunctionError>(compile(&pattern)?.is_match(&text))
    });
    table.add(
        "mustRegexReplaceAll",
        |pattern: GoString, text: GoString, new: GoString| {
            replace(compile(&pattern)?, &text, &new, false)
        },
    );
    table.add(
        "mustRegexReplaceAllLiteral",
        |pattern: GoString, text: GoString, new: GoString| {
            replace(compile(&pattern)?, &text, &new, true)
        },
    );
    table.add(
        "mustRegexSplit",
        |pattern: GoString, text: GoString, count: i64| split(compile(&pattern)?, &text, count),
    );
    table.add("regexFind", |pattern: GoString, text: GoString| {
        Ok::<_, FunctionError>(find(must_compile(&pattern)?, &text))
    });
    table.add(
        "regexFindAll",
        |pattern: GoString, text: GoString, count: i64| {
            find_all(must_compile(&pattern)?, &text, count)
        },
    );
    // A malformed pattern matches nothing here, and is an error everywhere else.
    table.add("regexMatch", |pattern: GoString, text: GoString| {
        compile(&pattern).is_ok_and(|pattern| pattern.is_match(&text))
    });
    table.add("regexQuoteMeta", |text: GoString| {
        GoString::from(quote_meta(&text))
    });
    table.add(
        "regexReplaceAll",
        |pattern: GoString, text: GoString, new: GoString| {
            replace(must_compile(&pattern)?, &text, &new, false)
        },
    );
    table.add(
        "regexReplaceAllLiteral",
        |pattern: GoString, text: GoString, new: GoString| {
            replace(must_compile(&pattern)?, &text, &new, true)
        },
    );
    table.add(
        "regexSplit",
        |pattern: GoString, text: GoString, count: i64| {
            split(must_compile(&pattern)?, &text, count)
        },
    );
}

fn compile(pattern: &[u8]) -> Result<Rc<Pattern>> {
    Ok(Pattern::compile(pattern)?)
}

/// `regexp.MustCompile`, which says more in its error.
fn must_compile(pattern: &[u8]) -> Result<Rc<Pattern>> {
    Pattern::compile(pattern).map_err(|fault| {
        let pattern = String::from_utf8_lossy(pattern);
        let shown = if pattern.contains('`') {
            format!("{pattern:?}")
        } else {
            format!("`{pattern}`")
        };
        format!("regexp: Compile({shown}): {fault}").into()
    })
}

fn find(pattern: Rc<Pattern>, text: &[u8]) -> GoString {
    pattern.find(text).into()
}

fn strings(parts: Vec<&[u8]>) -> Result<List> {
    check_items(parts.len() as u64)?;
    Ok(List::of_strings(parts))
}

fn find_all(pattern: Rc<Pattern>, text: &[u8], count: i64) -> Result<List> {
    let found = pattern.find_all(text, count);
    if found.is_empty() {
        return Ok(List::with_kind(Vec::new(), NIL_STRINGS));
    }
    strings(found)
}

fn replace(pattern: Rc<Pattern>, text: &[u8], new: &[u8], literal: bool) -> Result<GoString> {
    let replaced = pattern.replace_all(text, new, literal, MAXIMUM_TEXT as usize);
    replaced.map(GoString::from).ok_or_else(|| {
        FunctionError::Limit(format!(
            "the result has more than the {MAXIMUM_TEXT} bytes that are allowed"
        ))
    })
}

fn split(pattern: Rc<Pattern>, text: &[u8], count: i64) -> Result<List> {
    strings(pattern.split(text, count))
}
