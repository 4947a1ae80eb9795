//! Texts: `trim`, `trunc`, `quote`, `indent`, `replace`, `split` and the other string functions of sprig.

use std::collections::BTreeMap;

use stagelink_gotemplate::{
    FunctionError, FunctionTable, GoString, List, ListKind, Map, MapKind, Rest, Value,
};

use super::convert::{self, printed, quoted, strslice, strval};
use super::shared::{check_items, check_text};
use super::text as go;
use super::words;

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable) {
    table.add("abbrev", |width: i64, text: GoString| {
        GoString::from(words::abbrev(width, &text))
    });
    table.add("abbrevboth", |left: i64, right: i64, text: GoString| {
        GoString::from(words::abbrevboth(left, right, &text))
    });
    table.add("camelcase", |text: GoString| {
        GoString::from(words::camelcase(&text))
    });
    table.add("cat", |values: Rest<Value>| joined(&values.0, printed));
    table.add("contains", |part: GoString, text: GoString| {
        go::find(&text, &part).is_some()
    });
    table.add("hasPrefix", |prefix: GoString, text: GoString| {
        text.starts_with(&prefix)
    });
    table.add("hasSuffix", |suffix: GoString, text: GoString| {
        text.ends_with(&suffix)
    });
    table.add("hello", || "Hello!");
    table.add("indent", |spaces: i64, text: GoString| {
        indent(spaces, &text, b"")
    });
    table.add("initials", |text: GoString| {
        GoString::from(words::initials(&text))
    });
    table.add("join", join);
    table.add("kebabcase", |text: GoString| {
        GoString::from(words::lower_with_connector(&text, '-'))
    });
    table.add("lower", |text: GoString| GoString::from(go::lower(&text)));
    table.add("nindent", |spaces: i64, text: GoString| {
        indent(spaces, &text, b"\n")
    });
    table.add("nospace", |text: GoString| {
        GoString::from(words::nospace(&text))
    });
    table.add(
        "plural",
        |one: GoString, many: GoString, count: i64| if count == 1 { one } else { many },
    );
    table.add("quote", |values: Rest<Value>| {
        joined(&values.0, |value| quoted(&strval(value)))
    });
    table.add("repeat", repeat);
    table.add("replace", replace);
    table.add("snakecase", |text: GoString| {
        GoString::from(words::lower_with_connector(&text, '_'))
    });
    table.add("sortAlpha", |list: Value| sort_alpha(&list));
    table.add("split", |separator: GoString, text: GoString| {
        numbered(go::split(&text, &separator, -1))
    });
    table.add("splitList", |separator: GoString, text: GoString| {
        strings(go::split(&text, &separator, -1))
    });
    table.add(
        "splitn",
        |separator: GoString, count: i64, text: GoString| {
            numbered(go::split(&text, &separator, count))
        },
    );
    table.add("squote", |values: Rest<Value>| {
        joined(&values.0, |value| {
            [b"'".as_slice(), &printed(value), b"'"].concat()
        })
    });
    table.add("substr", substr);
    table.add("swapcase", |text: GoString| {
        GoString::from(words::swapcase(&text))
    });
    table.add("title", |text: GoString| {
        GoString::from(words::title(&text))
    });
    table.add("toString", |value: Value| strval(&value));
    table.add("toStrings", |value: Value| {
        List::of_strings(strslice(&value))
    });
    table.add("trim", |text: GoString| {
        GoString::from(go::trim_space(&text))
    });
    for name in ["trimAll", "trimall"] {
        table.add(name, |cut: GoString, text: GoString| {
            GoString::from(convert::trim_all(&text, &cut))
        });
    }
    table.add("trimPrefix", |prefix: GoString, text: GoString| {
        GoString::from(text.strip_prefix(&*prefix).unwrap_or(&text))
    });
    table.add("trimSuffix", |suffix: GoString, text: GoString| {
        GoString::from(text.strip_suffix(&*suffix).unwrap_or(&text))
    });
    table.add("trunc", |count: i64, text: GoString| {
        GoString::from(trunc(count, &text))
    });
    table.add("untitle", |text: GoString| {
        GoString::from(words::untitle(&text))
    });
    table.add("upper", |text: GoString| GoString::from(go::upper(&text)));
    table.add("wrap", |width: i64, text: GoString| {
        wrap(width, b"\n", &text)
    });
    table.add(
        "wrapWith",
        |width: i64, separator: GoString, text: GoString| wrap(width, &separator, &text),
    );
}

/// The values that are not nil, with a space between.
fn joined(values: &[Value], one: impl Fn(&Value) -> Vec<u8>) -> GoString {
    let texts: Vec<Vec<u8>> = values
        .iter()
        .filter(|value| !value.is_nil())
        .map(one)
        .collect();
    texts.join(b" ".as_slice()).into()
}

fn indent(spaces: i64, source: &[u8], before: &[u8]) -> Result<GoString, FunctionError> {
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
    Ok(out.into())
}

fn join(separator: GoString, list: Value) -> Result<GoString, FunctionError> {
    let parts = strslice(&list);
    check_text(
        parts
            .iter()
            .map(|part| (part.len() + separator.len()) as u64)
            .sum(),
    )?;
    Ok(parts.join(separator.as_bytes()).into())
}

fn repeat(count: i64, text: GoString) -> Result<GoString, FunctionError> {
    let Ok(count) = u64::try_from(count) else {
        return Err("strings: negative Repeat count".into());
    };
    check_text(count.saturating_mul(text.len() as u64))?;
    if text.is_empty() {
        return Ok(text);
    }
    Ok(text.repeat(count as usize).into())
}

fn replace(old: GoString, new: GoString, text: GoString) -> Result<GoString, FunctionError> {
    let most = if old.is_empty() {
        text.len() + 1
    } else {
        text.len() / old.len()
    };
    if new.len() > old.len() && check_text((most * new.len()) as u64).is_err() {
        let count = if old.is_empty() {
            most
        } else {
            go::split(&text, &old, -1).len()
        } as u64;
        check_text((text.len() as u64).saturating_add(count.saturating_mul(new.len() as u64)))?;
    }
    Ok(go::replace_all(&text, &old, &new).into())
}

fn wrap(width: i64, separator: &[u8], text: &[u8]) -> Result<GoString, FunctionError> {
    let lines = text.len() as u64 / width.max(1).unsigned_abs() + text.len() as u64 / 2 + 1;
    check_text(lines.saturating_mul(separator.len() as u64))?;
    Ok(words::wrap(width, separator, text).into())
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

fn substr(start: i64, end: i64, text: GoString) -> Result<GoString, FunctionError> {
    let length = text.len() as i64;
    let (from, to) = if start < 0 {
        (0, end)
    } else if end < 0 || end > length {
        (start, length)
    } else {
        (start, end)
    };
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    if let Some(found) = range.and_then(|(from, to)| text.get(from..to)) {
        return Ok(found.into());
    }
    let bounds = match start {
        0.. => format!("[{from}:{to}]"),
        _ if end > length => format!("[:{end}] with length {length}"),
        _ => format!("[:{end}]"),
    };
    Err(format!("runtime error: slice bounds out of range {bounds}").into())
}

fn numbered(parts: Vec<&[u8]>) -> Map {
    let entries: BTreeMap<GoString, Value> = parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| (GoString::from(format!("_{index}")), Value::string(part)))
        .collect();
    Map::with_kind(entries, MapKind::String)
}

fn strings(parts: Vec<&[u8]>) -> Result<List, FunctionError> {
    check_items(parts.len() as u64)?;
    Ok(List::of_strings(parts))
}

/// Sorted texts of a list; one text for anything else.
fn sort_alpha(value: &Value) -> List {
    let mut texts = if convert::elements(value).is_some() {
        strslice(value)
    } else {
        vec![strval(value)]
    };
    texts.sort();
    List::with_kind(
        texts.into_iter().map(Value::String).collect(),
        ListKind::String,
    )
}
