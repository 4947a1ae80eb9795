//! Maps: `dict`, `get`, `set`, `merge`, `dig` and the other dictionary functions of sprig.

use std::collections::BTreeMap;

use stagelink_gotemplate::{FunctionError, GoString, List, Map, Value};

use super::convert::{is_empty, strval};
use super::entry::Type::{Any, Map as Dict, Text};
use super::entry::{Arguments, Entry, Outcome, check_items, list, pure, variadic};

/// How deep maps may be nested to be merged.
const MAXIMUM_DEPTH: usize = 500;

pub(super) const FUNCTIONS: &[Entry] = &[
    pure("deepCopy", &[Any], |call| copy(call.any(0), 0, &mut 0)),
    variadic("dict", &[], Any, dict),
    variadic("dig", &[], Any, dig),
    pure("get", &[Dict, Text], |call| {
        Ok(call
            .map(0)?
            .get(call.text(1)?)
            .unwrap_or_else(|| Value::from("")))
    }),
    pure("hasKey", &[Dict, Text], |call| {
        Ok(Value::Bool(call.map(0)?.contains_key(call.text(1)?)))
    }),
    variadic("keys", &[], Dict, keys),
    variadic("merge", &[Dict], Dict, |call| merge_all(call, false)),
    variadic("mergeOverwrite", &[Dict], Dict, |call| {
        merge_all(call, true)
    }),
    pure("mustDeepCopy", &[Any], |call| copy(call.any(0), 0, &mut 0)),
    variadic("mustMerge", &[Dict], Dict, |call| merge_all(call, false)),
    variadic("mustMergeOverwrite", &[Dict], Dict, |call| {
        merge_all(call, true)
    }),
    variadic("omit", &[Dict], Text, omit),
    variadic("pick", &[Dict], Text, pick),
    variadic("pluck", &[Text], Dict, pluck),
    pure("set", &[Dict, Text, Any], |call| {
        if call.any(0).is_nil() {
            return Err("assignment to entry in nil map".into());
        }
        call.map(0)?
            .insert(call.text(1)?.clone(), call.any(2).clone());
        Ok(call.any(0).clone())
    }),
    pure("unset", &[Dict, Text], |call| {
        call.map(0)?.remove(call.text(1)?);
        Ok(call.any(0).clone())
    }),
    pure("values", &[Dict], |call| {
        list(
            call.map(0)?
                .to_vec()
                .into_iter()
                .map(|(_, value)| value)
                .collect(),
        )
    }),
];

/// A copy that shares nothing; bounded, for lists that share their elements can be small and copy without end.
fn copy(value: &Value, depth: usize, copied: &mut u64) -> Outcome {
    *copied += 1;
    check_items(*copied)?;
    if depth > MAXIMUM_DEPTH {
        return Err(FunctionError::Limit(format!(
            "values are nested deeper than {MAXIMUM_DEPTH}"
        )));
    }
    match value {
        Value::List(list) => {
            let items = list.to_vec();
            let items = items
                .iter()
                .map(|item| copy(item, depth + 1, copied))
                .collect::<Result<_, _>>()?;
            Ok(Value::List(List::with_kind(items, list.kind())))
        }
        Value::Map(map) => {
            let entries = map
                .to_vec()
                .into_iter()
                .map(|(key, value)| Ok((key, copy(&value, depth + 1, copied)?)));
            Ok(Value::Map(Map::with_kind(
                entries.collect::<Result<_, FunctionError>>()?,
                map.kind(),
            )))
        }
        other => Ok(other.clone()),
    }
}

fn new_map(entries: BTreeMap<GoString, Value>) -> Outcome {
    Ok(Value::Map(Map::new(entries)))
}

fn dict(call: Arguments<'_>) -> Outcome {
    let pairs = call.rest(0).chunks(2);
    new_map(
        pairs
            .map(|pair| {
                (
                    strval(&pair[0]),
                    pair.get(1).cloned().unwrap_or_else(|| Value::from("")),
                )
            })
            .collect(),
    )
}

/// Keys of all maps; Go's order is random, ours is sorted.
fn keys(call: Arguments<'_>) -> Outcome {
    let mut all = Vec::new();
    for index in 0..call.len() {
        all.extend(call.map(index)?.entries().keys().cloned());
    }
    check_items(all.len() as u64)?;
    Ok(Value::List(List::of_strings(all)))
}

fn pick(call: Arguments<'_>) -> Outcome {
    let source = call.map(0)?;
    let wanted = call.rest(1).iter().filter_map(Value::as_string);
    new_map(
        wanted
            .filter_map(|key| Some((key.clone(), source.get(key)?)))
            .collect(),
    )
}

fn omit(call: Arguments<'_>) -> Outcome {
    let source = call.map(0)?;
    let mut entries = source.entries().clone();
    for key in call.rest(1).iter().filter_map(Value::as_string) {
        entries.remove(key.as_bytes());
    }
    new_map(entries)
}

fn pluck(call: Arguments<'_>) -> Outcome {
    let key = call.text(0)?;
    list(
        call.rest(1)
            .iter()
            .filter_map(|map| map.as_map()?.get(key))
            .collect(),
    )
}

fn dig(call: Arguments<'_>) -> Outcome {
    let [path @ .., default, start] = call.0 else {
        return Err("dig needs at least three arguments".into());
    };
    if path.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let mut current = plain_map(start)?;
    for (index, key) in path.iter().enumerate() {
        let Value::String(key) = key else {
            let found = shown_type(key);
            return Err(
                format!("interface conversion: interface {{}} is {found}, not string").into(),
            );
        };
        let Some(next) = current.get(key) else {
            return Ok(default.clone());
        };
        if index + 1 == path.len() {
            return Ok(next);
        }
        current = plain_map(&next)?;
    }
    Ok(default.clone())
}

/// The map of a value whose type is exactly `map[string]interface {}`, as a Go type assertion wants it.
fn plain_map(value: &Value) -> Result<Map, String> {
    match value {
        Value::Map(map) if map.kind().type_name() == "map[string]interface {}" => Ok(map.clone()),
        other => Err(format!(
            "interface conversion: interface {{}} is {}, not map[string]interface {{}}",
            shown_type(other)
        )),
    }
}

fn shown_type(value: &Value) -> &str {
    if value.is_nil() {
        "nil"
    } else {
        value.type_name()
    }
}

fn merge_all(call: Arguments<'_>, overwrite: bool) -> Outcome {
    let target = call.map(0)?;
    for index in 1..call.len() {
        Merge { overwrite, keys: 0 }.run(&target, &call.map(index)?, 0)?;
    }
    Ok(Value::Map(target))
}

/// `mergo.Merge`, with `WithOverride` when `overwrite`.
struct Merge {
    overwrite: bool,
    /// Keys seen so far; maps that share their values can be small and merge without end.
    keys: u64,
}

impl Merge {
    /// What is missing or empty in `target` comes from `source`; maps are merged in place; nested maps that are taken over are
    /// shared afterwards, as in Go. A nil in `source` counts only when overwriting, an empty list then counts as well.
    fn run(&mut self, target: &Map, source: &Map, depth: usize) -> Result<(), FunctionError> {
        if depth > MAXIMUM_DEPTH {
            return Err(FunctionError::Limit(format!(
                "maps are nested deeper than {MAXIMUM_DEPTH}"
            )));
        }
        if target.is_same(source) {
            return Ok(());
        }
        for (key, new) in source.to_vec() {
            self.keys += 1;
            check_items(self.keys)?;
            if new.is_nil() {
                if self.overwrite {
                    target.insert(key, new);
                }
                continue;
            }
            let old = target.get(&key);
            if let (Value::Map(new), Some(Value::Map(old))) = (&new, &old) {
                self.run(old, new, depth + 1)?;
                if !old.is_empty() {
                    continue;
                }
            }
            if self.overwrite || old.as_ref().is_none_or(is_empty) {
                target.insert(key, new);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_within_itself_ends() {
        let map = Map::new(BTreeMap::new());
        map.insert("self", Value::Map(map.clone()));
        let other = Map::new(BTreeMap::new());
        other.insert("self", Value::Map(other.clone()));
        let fault = Merge {
            overwrite: true,
            keys: 0,
        }
        .run(&map, &other, 0)
        .unwrap_err();
        assert!(fault.to_string().contains("nested deeper"), "{fault}");
    }
}
