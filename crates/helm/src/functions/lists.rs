//! Lists: `list`, `first`, `append`, `uniq`, `slice`, `concat` and the other list functions of sprig.
//!
//! Functions and their `must…` twins differ only in how Go reports the error, so they are the same here.

use std::collections::HashSet;

use stagelink_gotemplate::{FunctionError, FunctionTable, List, ListKind, Rest, Value};

use super::convert::{elements, is_empty, to_int64};
use super::shared::{NIL_LIST, check_items};

/// Most elements other than texts that `uniq` compares with each other.
const MAXIMUM_COMPARED: usize = 10_000;

/// What these functions give.
type Result<T> = std::result::Result<T, FunctionError>;

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable) {
    for name in ["append", "push", "mustAppend", "mustPush"] {
        table.add(name, append);
    }
    for name in ["chunk", "mustChunk"] {
        table.add(name, chunk);
    }
    for name in ["compact", "mustCompact"] {
        table.add(name, compact);
    }
    table.add("concat", concat);
    for name in ["first", "mustFirst"] {
        table.add(name, first);
    }
    for name in ["has", "mustHas"] {
        table.add(name, has);
    }
    for name in ["initial", "mustInitial"] {
        table.add(name, initial);
    }
    for name in ["last", "mustLast"] {
        table.add(name, last);
    }
    for name in ["list", "tuple"] {
        table.add(name, |values: Rest<Value>| List::new(values.0));
    }
    for name in ["prepend", "mustPrepend"] {
        table.add(name, prepend);
    }
    for name in ["rest", "mustRest"] {
        table.add(name, rest);
    }
    for name in ["reverse", "mustReverse"] {
        table.add(name, reverse);
    }
    for name in ["slice", "mustSlice"] {
        table.add(name, slice);
    }
    for name in ["uniq", "mustUniq"] {
        table.add(name, uniq);
    }
    for name in ["without", "mustWithout"] {
        table.add(name, without);
    }
}

/// The elements of an argument, or the error of sprig; nil makes sprig stumble over a nil pointer.
fn items(value: &Value, fault: impl Fn(&str) -> String) -> Result<Vec<Value>> {
    if value.is_nil() {
        return Err("runtime error: invalid memory address or nil pointer dereference".into());
    }
    elements(value).ok_or_else(|| fault(value.kind().as_str()).into())
}

fn find(what: &'static str) -> impl Fn(&str) -> String {
    move |kind| format!("Cannot find {what} on type {kind}")
}

fn append(list: Value, value: Value) -> Result<List> {
    let mut items = items(&list, |kind| format!("Cannot push on type {kind}"))?;
    items.push(value);
    Ok(List::new(items))
}

fn prepend(list: Value, value: Value) -> Result<List> {
    let mut items = items(&list, |kind| format!("Cannot prepend on type {kind}"))?;
    items.insert(0, value);
    Ok(List::new(items))
}

fn chunk(size: i64, list: Value) -> Result<List> {
    let items = items(&list, |kind| format!("Cannot chunk type {kind}"))?;
    if items.is_empty() {
        return Ok(List::new(items));
    }
    match usize::try_from(size) {
        Ok(size @ 1..) => Ok(List::new(
            items
                .chunks(size)
                .map(|chunk| Value::list(chunk.iter().cloned()))
                .collect(),
        )),
        _ => Err("runtime error: makeslice: len out of range".into()),
    }
}

fn compact(list: Value) -> Result<List> {
    let mut items = items(&list, |kind| format!("Cannot compact on type {kind}"))?;
    items.retain(|item| !is_empty(item));
    Ok(List::new(items))
}

fn concat(lists: Rest<Value>) -> Result<List> {
    let mut all = Vec::new();
    for list in &lists.0 {
        all.extend(items(list, |kind| {
            format!("Cannot concat type {kind} as list")
        })?);
        check_items(all.len() as u64)?;
    }
    let kind = if all.is_empty() {
        NIL_LIST
    } else {
        ListKind::Any
    };
    Ok(List::with_kind(all, kind))
}

fn first(list: Value) -> Result<Value> {
    Ok(items(&list, find("first"))?
        .into_iter()
        .next()
        .unwrap_or_default())
}

fn last(list: Value) -> Result<Value> {
    Ok(items(&list, find("last"))?.pop().unwrap_or_default())
}

fn rest(list: Value) -> Result<List> {
    let mut items = items(&list, find("rest"))?;
    if items.is_empty() {
        return Ok(List::with_kind(items, NIL_LIST));
    }
    items.remove(0);
    Ok(List::new(items))
}

fn initial(list: Value) -> Result<List> {
    let mut items = items(&list, find("initial"))?;
    let kind = if items.pop().is_some() {
        ListKind::Any
    } else {
        NIL_LIST
    };
    Ok(List::with_kind(items, kind))
}

fn reverse(list: Value) -> Result<List> {
    let mut items = items(&list, find("reverse"))?;
    items.reverse();
    Ok(List::new(items))
}

fn contains(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| wanted.deep_equal(item))
}

fn uniq(list: Value) -> Result<List> {
    let mut unique = Vec::new();
    // Texts are found by their hash, everything else by comparing with each other.
    let mut texts = HashSet::new();
    let mut others = Vec::new();
    for item in items(&list, find("uniq"))? {
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
    Ok(List::new(unique))
}

fn without(list: Value, unwanted: Rest<Value>) -> Result<List> {
    let mut items = items(&list, find("without"))?;
    items.retain(|item| !contains(&unwanted.0, item));
    Ok(List::new(items))
}

fn has(wanted: Value, list: Value) -> Result<bool> {
    if list.is_nil() {
        return Ok(false);
    }
    Ok(contains(&items(&list, find("has"))?, &wanted))
}

fn slice(list: Value, indices: Rest<Value>) -> Result<Value> {
    let items = items(&list, |kind| {
        format!("list should be type of slice or array but {kind}")
    })?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let start = indices.0.first().map_or(0, to_int64);
    let end = indices.0.get(1).map_or(items.len() as i64, to_int64);
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let Some(part) = range.and_then(|(start, end)| items.get(start..end)) else {
        return Err("reflect.Value.Slice: slice index out of bounds".into());
    };
    let kind = list.as_list().map_or(ListKind::Any, List::kind);
    Ok(Value::List(List::with_kind(part.to_vec(), kind)))
}
