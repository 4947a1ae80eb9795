//! Maps: `dict`, `get`, `set`, `merge`, `dig` and the other dictionary functions of sprig.

use stagelink_gotemplate::{FunctionError, FunctionTable, GoString, List, Map, Rest, Value};

use super::convert::{is_empty, strval};
use super::shared::check_items;

/// How deep maps may be nested to be merged.
const MAXIMUM_DEPTH: usize = 500;

/// What these functions give.
type Result<T> = std::result::Result<T, FunctionError>;

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable) {
    for name in ["deepCopy", "mustDeepCopy"] {
        table.add(name, |value: Value| copy(&value, 0, &mut 0));
    }
    table.add("dict", dict);
    table.add("dig", dig);
    table.add("get", |map: Map, key: GoString| {
        map.get(&key).unwrap_or_else(|| Value::from(""))
    });
    table.add("hasKey", |map: Map, key: GoString| map.contains_key(&key));
    table.add("keys", keys);
    for name in ["merge", "mustMerge"] {
        table.add(name, |target: Map, sources: Rest<Map>| {
            merge_all(target, sources, false)
        });
    }
    for name in ["mergeOverwrite", "mustMergeOverwrite"] {
        table.add(name, |target: Map, sources: Rest<Map>| {
            merge_all(target, sources, true)
        });
    }
    table.add("omit", omit);
    table.add("pick", pick);
    table.add("pluck", |key: GoString, maps: Rest<Map>| {
        List::new(maps.0.iter().filter_map(|map| map.get(&key)).collect())
    });
    table.add("set", |map: Option<Map>, key: GoString, value: Value| {
        let map = map.ok_or("assignment to entry in nil map")?;
        map.insert(key, value);
        Ok::<_, FunctionError>(map)
    });
    table.add("unset", |map: Map, key: GoString| {
        map.remove(&key);
        map
    });
    table.add("values", |map: Map| {
        List::new(map.to_vec().into_iter().map(|(_, value)| value).collect())
    });
}

/// A copy that shares nothing; bounded, for lists that share their elements can be small and copy without end.
fn copy(value: &Value, depth: usize, copied: &mut u64) -> Result<Value> {
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
                .collect::<Result<_>>()?;
            Ok(Value::List(List::with_kind(items, list.kind())))
        }
        Value::Map(map) => {
            let entries = map
                .to_vec()
                .into_iter()
                .map(|(key, value)| Ok((key, copy(&value, depth + 1, copied)?)));
            Ok(Value::Map(Map::with_kind(
                entries.collect::<Result<_>>()?,
                map.kind(),
            )))
        }
        other => Ok(other.clone()),
    }
}

fn dict(values: Rest<Value>) -> Map {
    let pairs = values.0.chunks(2);
    let entries = pairs.map(|pair| {
        (
            strval(&pair[0]),
            pair.get(1).cloned().unwrap_or_else(|| Value::from("")),
        )
    });
    Map::new(entries.collect())
}

/// Keys of all maps; Go's order is random, ours is sorted.
fn keys(maps: Rest<Map>) -> Result<List> {
    let all: Vec<GoString> = maps
        .0
        .iter()
        .flat_map(|map| map.entries().keys().cloned().collect::<Vec<_>>())
        .collect();
    check_items(all.len() as u64)?;
    Ok(List::of_strings(all))
}

fn pick(map: Map, keys: Rest<GoString>) -> Map {
    Map::new(
        keys.0
            .into_iter()
            .filter_map(|key| map.get(&key).map(|value| (key, value)))
            .collect(),
    )
}

fn omit(map: Map, keys: Rest<GoString>) -> Map {
    let mut entries = map.entries().clone();
    for key in &keys.0 {
        entries.remove(key.as_bytes());
    }
    Map::new(entries)
}

fn dig(arguments: Rest<Value>) -> Result<Value> {
    let [path @ .., default, start] = arguments.0.as_slice() else {
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
fn plain_map(value: &Value) -> Result<Map> {
    match value {
        Value::Map(map) if map.kind().type_name() == "map[string]interface {}" => Ok(map.clone()),
        other => {
            let found = shown_type(other);
            Err(format!(
                "interface conversion: interface {{}} is {found}, not map[string]interface {{}}"
            )
            .into())
        }
    }
}

fn shown_type(value: &Value) -> &str {
    if value.is_nil() {
        "nil"
    } else {
        value.type_name()
    }
}

fn merge_all(target: Map, sources: Rest<Map>, overwrite: bool) -> Result<Map> {
    for source in &sources.0 {
        Merge { overwrite, keys: 0 }.run(&target, source, 0)?;
    }
    Ok(target)
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
    fn run(&mut self, target: &Map, source: &Map, depth: usize) -> Result<()> {
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
        let map = Map::new(Default::default());
        map.insert("self", Value::Map(map.clone()));
        let other = Map::new(Default::default());
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
