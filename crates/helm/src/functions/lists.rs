//! Lists: `list`, `first`, `append`, `uniq`, `slice`, `concat` and the other list functions of sprig.
//!
//! Functions and their `must…` twins differ only in how Go reports the error, so they are the same here.

use std::collections::HashSet;

use stagelink_gotemplate::{FunctionError, List, ListKind, Value};

use super::convert::{elements, is_empty, to_int64};
use super::entry::Type::{Any, Int};
use super::entry::{Arguments, Entry, NIL_LIST, Outcome, check_items, list, pure, variadic};

/// Most elements other than texts that `uniq` compares with each other.
const MAXIMUM_COMPARED: usize = 10_000;

pub(super) const FUNCTIONS: &[Entry] = &[
    pure("append", &[Any, Any], append),
    pure("chunk", &[Int, Any], chunk),
    pure("compact", &[Any], compact),
    variadic("concat", &[], Any, concat),
    pure("first", &[Any], first),
    pure("has", &[Any, Any], has),
    pure("initial", &[Any], initial),
    pure("last", &[Any], last),
    variadic("list", &[], Any, |call| list(call.rest(0).to_vec())),
    pure("mustAppend", &[Any, Any], append),
    pure("mustChunk", &[Int, Any], chunk),
    pure("mustCompact", &[Any], compact),
    pure("mustFirst", &[Any], first),
    pure("mustHas", &[Any, Any], has),
    pure("mustInitial", &[Any], initial),
    pure("mustLast", &[Any], last),
    pure("mustPrepend", &[Any, Any], prepend),
    pure("mustPush", &[Any, Any], append),
    pure("mustRest", &[Any], rest),
    pure("mustReverse", &[Any], reverse),
    variadic("mustSlice", &[Any], Any, slice),
    pure("mustUniq", &[Any], uniq),
    variadic("mustWithout", &[Any], Any, without),
    pure("prepend", &[Any, Any], prepend),
    pure("push", &[Any, Any], append),
    pure("rest", &[Any], rest),
    pure("reverse", &[Any], reverse),
    variadic("slice", &[Any], Any, slice),
    variadic("tuple", &[], Any, |call| list(call.rest(0).to_vec())),
    pure("uniq", &[Any], uniq),
    variadic("without", &[Any], Any, without),
];

/// The elements of an argument, or the error of sprig; nil makes sprig stumble over a nil pointer.
fn items(value: &Value, fault: impl Fn(&str) -> String) -> Result<Vec<Value>, String> {
    if value.is_nil() {
        return Err("runtime error: invalid memory address or nil pointer dereference".into());
    }
    elements(value).ok_or_else(|| fault(value.kind().as_str()))
}

fn find(what: &'static str) -> impl Fn(&str) -> String {
    move |kind| format!("Cannot find {what} on type {kind}")
}

fn append(call: Arguments<'_>) -> Outcome {
    let mut items = items(call.any(0), |kind| format!("Cannot push on type {kind}"))?;
    items.push(call.any(1).clone());
    list(items)
}

fn prepend(call: Arguments<'_>) -> Outcome {
    let mut items = items(call.any(0), |kind| format!("Cannot prepend on type {kind}"))?;
    items.insert(0, call.any(1).clone());
    list(items)
}

fn chunk(call: Arguments<'_>) -> Outcome {
    let items = items(call.any(1), |kind| format!("Cannot chunk type {kind}"))?;
    if items.is_empty() {
        return list(Vec::new());
    }
    match usize::try_from(call.int(0)?) {
        Ok(size @ 1..) => list(
            items
                .chunks(size)
                .map(|chunk| Value::list(chunk.iter().cloned()))
                .collect(),
        ),
        _ => Err("runtime error: makeslice: len out of range".into()),
    }
}

fn compact(call: Arguments<'_>) -> Outcome {
    let mut items = items(call.any(0), |kind| format!("Cannot compact on type {kind}"))?;
    items.retain(|item| !is_empty(item));
    list(items)
}

fn concat(call: Arguments<'_>) -> Outcome {
    let mut all = Vec::new();
    for argument in call.rest(0) {
        all.extend(items(argument, |kind| {
            format!("Cannot concat type {kind} as list")
        })?);
        check_items(all.len() as u64)?;
    }
    if all.is_empty() {
        return Ok(Value::List(List::with_kind(Vec::new(), NIL_LIST)));
    }
    list(all)
}

fn first(call: Arguments<'_>) -> Outcome {
    Ok(items(call.any(0), find("first"))?
        .into_iter()
        .next()
        .unwrap_or_default())
}

fn last(call: Arguments<'_>) -> Outcome {
    Ok(items(call.any(0), find("last"))?.pop().unwrap_or_default())
}

fn rest(call: Arguments<'_>) -> Outcome {
    let mut items = items(call.any(0), find("rest"))?;
    if items.is_empty() {
        return Ok(Value::List(List::with_kind(items, NIL_LIST)));
    }
    items.remove(0);
    list(items)
}

fn initial(call: Arguments<'_>) -> Outcome {
    let mut items = items(call.any(0), find("initial"))?;
    match items.pop() {
        Some(_) => list(items),
        None => Ok(Value::List(List::with_kind(items, NIL_LIST))),
    }
}

fn reverse(call: Arguments<'_>) -> Outcome {
    let mut items = items(call.any(0), find("reverse"))?;
    items.reverse();
    list(items)
}

fn contains(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| wanted.deep_equal(item))
}

fn uniq(call: Arguments<'_>) -> Outcome {
    let mut unique = Vec::new();
    // Texts are found by their hash, everything else by comparing with each other.
    let mut texts = HashSet::new();
    let mut others = Vec::new();
    for item in items(call.any(0), find("uniq"))? {
        let is_new = match &item {
            Value::String(text) => texts.insert(text.clone()),
            other if contains(&others, other) => false,
            other => {
                others.push(other.clone());
                true
            }
        };
        if others.len() > MAXIMUM_COMPARED {
            return Err(FunctionError::Limit(format!(
                "more than the {MAXIMUM_COMPARED} different elements that are allowed"
            )));
        }
        if is_new {
            unique.push(item);
        }
    }
    list(unique)
}

fn without(call: Arguments<'_>) -> Outcome {
    let mut items = items(call.any(0), find("without"))?;
    items.retain(|item| !contains(call.rest(1), item));
    list(items)
}

fn has(call: Arguments<'_>) -> Outcome {
    if call.any(1).is_nil() {
        return Ok(Value::Bool(false));
    }
    let items = items(call.any(1), find("has"))?;
    Ok(Value::Bool(contains(&items, call.any(0))))
}

fn slice(call: Arguments<'_>) -> Outcome {
    let items = items(call.any(0), |kind| {
        format!("list should be type of slice or array but {kind}")
    })?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let start = call.rest(1).first().map_or(0, to_int64);
    let end = call.rest(2).first().map_or(items.len() as i64, to_int64);
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let Some(part) = range.and_then(|(start, end)| items.get(start..end)) else {
        return Err("reflect.Value.Slice: slice index out of bounds".into());
    };
    let kind = call.any(0).as_list().map_or(ListKind::Any, List::kind);
    Ok(Value::List(List::with_kind(part.to_vec(), kind)))
}
