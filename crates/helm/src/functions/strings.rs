//! Texts: `trim`, `trunc`, `quote`, `indent`, `replace`, `split` and the other string functions of sprig.

use std::collections::BTreeMap;

use stagelink_gotemplate::{FunctionError, GoString, List, ListKind, Map, MapKind, Value};

use super::convert::{self, printed, quoted, strslice, strval};
use super::entry::Type::{Any, Int, Text};
use super::entry::{Arguments, Entry, Outcome, check_items, check_text, pure, text, variadic};
use super::text as go;
use super::words;

pub(super) const FUNCTIONS: &[Entry] = &[
    pure("abbrev", &[Int, Text], |call| {
        text(words::abbrev(call.int(0)?, call.text(1)?))
    }),
    pure("abbrevboth", &[Int, Int, Text], |call| {
        text(words::abbrevboth(call.int(0)?, call.int(1)?, call.text(2)?))
    }),
    pure("camelcase", &[Text], |call| {
        text(words::camelcase(call.text(0)?))
    }),
    variadic("cat", &[], Any, cat),
    pure("contains", &[Text, Text], |call| {
        Ok(Value::Bool(
            go::find(call.text(1)?, call.text(0)?).is_some(),
        ))
    }),
    pure("hasPrefix", &[Text, Text], |call| {
        Ok(Value::Bool(call.text(1)?.starts_with(call.text(0)?)))
    }),
    pure("hasSuffix", &[Text, Text], |call| {
        Ok(Value::Bool(call.text(1)?.ends_with(call.text(0)?)))
    }),
    pure("hello", &[], |_| text("Hello!")),
    pure("indent", &[Int, Text], |call| {
        text(indent(call.int(0)?, call.text(1)?, b"")?)
    }),
    pure("initials", &[Text], |call| {
        text(words::initials(call.text(0)?))
    }),
    pure("join", &[Text, Any], join),
    pure("kebabcase", &[Text], |call| {
        text(words::lower_with_connector(call.text(0)?, '-'))
    }),
    pure("lower", &[Text], |call| text(go::lower(call.text(0)?))),
    pure("nindent", &[Int, Text], |call| {
        text(indent(call.int(0)?, call.text(1)?, b"\n")?)
    }),
    pure("nospace", &[Text], |call| {
        text(words::nospace(call.text(0)?))
    }),
    pure("plural", &[Text, Text, Int], |call| {
        Ok(call.any(usize::from(call.int(2)? != 1)).clone())
    }),
    variadic("quote", &[], Any, |call| {
        text(joined(call, |value| quoted(&strval(value))))
    }),
    pure("repeat", &[Int, Text], repeat),
    pure("replace", &[Text, Text, Text], replace),
    pure("snakecase", &[Text], |call| {
        text(words::lower_with_connector(call.text(0)?, '_'))
    }),
    pure("sortAlpha", &[Any], |call| sort_alpha(call.any(0))),
    pure("split", &[Text, Text], |call| {
        numbered(go::split(call.text(1)?, call.text(0)?, -1))
    }),
    pure("splitList", &[Text, Text], |call| {
        strings(go::split(call.text(1)?, call.text(0)?, -1))
    }),
    pure("splitn", &[Text, Int, Text], |call| {
        numbered(go::split(call.text(2)?, call.text(0)?, call.int(1)?))
    }),
    variadic("squote", &[], Any, |call| {
        text(joined(call, |value| {
            [b"'".as_slice(), &printed(value), b"'"].concat()
        }))
    }),
    pure("substr", &[Int, Int, Text], substr),
    pure("swapcase", &[Text], |call| {
        text(words::swapcase(call.text(0)?))
    }),
    pure("title", &[Text], |call| text(words::title(call.text(0)?))),
    pure("toString", &[Any], |call| text(strval(call.any(0)))),
    pure("toStrings", &[Any], to_strings),
    pure("trim", &[Text], |call| text(go::trim_space(call.text(0)?))),
    pure("trimAll", &[Text, Text], |call| {
        text(convert::trim_all(call.text(1)?, call.text(0)?))
    }),
    pure("trimPrefix", &[Text, Text], |call| {
        let source = call.text(1)?;
        text(
            source
                .strip_prefix(call.text(0)?.as_bytes())
                .unwrap_or(source),
        )
    }),
    pure("trimSuffix", &[Text, Text], |call| {
        let source = call.text(1)?;
        text(
            source
                .strip_suffix(call.text(0)?.as_bytes())
                .unwrap_or(source),
        )
    }),
    pure("trimall", &[Text, Text], |call| {
        text(convert::trim_all(call.text(1)?, call.text(0)?))
    }),
    pure("trunc", &[Int, Text], |call| {
        text(trunc(call.int(0)?, call.text(1)?))
    }),
    pure("untitle", &[Text], |call| {
        text(words::untitle(call.text(0)?))
    }),
    pure("upper", &[Text], |call| text(go::upper(call.text(0)?))),
    pure("wrap", &[Int, Text], |call| {
        wrap(call.int(0)?, b"\n", call.text(1)?)
    }),
    pure("wrapWith", &[Int, Text, Text], |call| {
        wrap(call.int(0)?, call.text(1)?, call.text(2)?)
    }),
];

fn joined(call: Arguments<'_>, one: impl Fn(&Value) -> Vec<u8>) -> Vec<u8> {
    let texts: Vec<Vec<u8>> = call
        .rest(0)
        .iter()
        .filter(|value| !value.is_nil())
        .map(one)
        .collect();
    texts.join(b" ".as_slice())
}

fn cat(call: Arguments<'_>) -> Outcome {
    text(joined(call, printed))
}

fn indent(spaces: i64, source: &[u8], before: &[u8]) -> Result<Vec<u8>, FunctionError> {
    let Ok(width) = u64::try_from(spaces) else {
        return Err("strings: negative Repeat count".into());
    };
    let lines = 1 + source.iter().filter(|byte| **byte == b'\n').count() as u64;
    check_text((source.len() as u64).saturating_add(width.saturating_mul(lines)))?;
    let pad = vec![b' '; width as usize];
    let mut out = Vec::with_capacity(before.len() + source.len() + pad.len() * lines as usize);
    out.extend_from_slice(before);
    for (index, line) in source.split(|byte| *byte == b'\n').enumerate() {
        if index > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(&pad);
        out.extend_from_slice(line);
    }
    Ok(out)
}

fn join(call: Arguments<'_>) -> Outcome {
    let parts = strslice(call.any(1));
    let separator = call.text(0)?;
    let length = parts
        .iter()
        .map(|part| (part.len() + separator.len()) as u64)
        .sum();
    check_text(length)?;
    text(parts.join(separator.as_bytes()))
}

fn repeat(call: Arguments<'_>) -> Outcome {
    let source = call.text(1)?;
    let Ok(count) = u64::try_from(call.int(0)?) else {
        return Err("strings: negative Repeat count".into());
    };
    check_text(count.saturating_mul(source.len() as u64))?;
    if source.is_empty() {
        return text("");
    }
    text(source.repeat(count as usize))
}

fn replace(call: Arguments<'_>) -> Outcome {
    let (old, new, source) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let most = if old.is_empty() {
        source.len() + 1
    } else {
        source.len() / old.len()
    };
    if new.len() > old.len() && (most * new.len()) as u64 > super::entry::MAXIMUM_TEXT {
        let count = if old.is_empty() {
            most
        } else {
            go::split(source, old, -1).len()
        };
        check_text(
            (source.len() as u64).saturating_add((count as u64).saturating_mul(new.len() as u64)),
        )?;
    }
    text(go::replace_all(source, old, new))
}

fn wrap(width: i64, separator: &[u8], source: &[u8]) -> Outcome {
    let lines = source.len() as u64 / width.max(1).unsigned_abs() + source.len() as u64 / 2 + 1;
    if lines.saturating_mul(separator.len() as u64) > super::entry::MAXIMUM_TEXT {
        check_text(lines.saturating_mul(separator.len() as u64))?;
    }
    text(words::wrap(width, separator, source))
}

fn trunc(count: i64, source: &[u8]) -> &[u8] {
    let length = source.len() as i64;
    if count < 0 && length.saturating_add(count) > 0 {
        return &source[(length + count) as usize..];
    }
    if (0..length).contains(&count) {
        &source[..count as usize]
    } else {
        source
    }
}

fn substr(call: Arguments<'_>) -> Outcome {
    let (start, end, source) = (call.int(0)?, call.int(1)?, call.text(2)?);
    let length = source.len() as i64;
    let (from, to) = if start < 0 {
        (0, end)
    } else if end < 0 || end > length {
        (start, length)
    } else {
        (start, end)
    };
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    if let Some(found) = range.and_then(|(from, to)| source.get(from..to)) {
        return text(found);
    }
    let bounds = match start {
        0.. => format!("[{from}:{to}]"),
        _ if end > length => format!("[:{end}] with length {length}"),
        _ => format!("[:{end}]"),
    };
    Err(format!("runtime error: slice bounds out of range {bounds}").into())
}

fn numbered(parts: Vec<&[u8]>) -> Outcome {
    let entries: BTreeMap<GoString, Value> = parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| (GoString::from(format!("_{index}")), Value::string(part)))
        .collect();
    Ok(Value::Map(Map::with_kind(entries, MapKind::String)))
}

fn strings(parts: Vec<&[u8]>) -> Outcome {
    check_items(parts.len() as u64)?;
    Ok(Value::List(List::of_strings(parts)))
}

fn to_strings(call: Arguments<'_>) -> Outcome {
    Ok(Value::List(List::of_strings(strslice(call.any(0)))))
}

/// Sorted texts of a list; one text for anything else.
pub(super) fn sort_alpha(value: &Value) -> Outcome {
    let mut texts = if convert::elements(value).is_some() {
        strslice(value)
    } else {
        vec![strval(value)]
    };
    texts.sort();
    Ok(Value::List(List::with_kind(
        texts.into_iter().map(Value::String).collect(),
        ListKind::String,
    )))
}
