//! Copies that share nothing with what they were made from.

use super::{List, Map, Value};

/// How deep values are copied. Values can contain themselves, and those have no end.
const DEPTH: usize = 1_000;

/// How many elements are copied: lists that share their elements can be small and have copies without
/// end.
const ELEMENTS: usize = 10_000_000;

impl Value {
    /// A copy that shares no map and no list with this value, down to 1,000 levels and up to ten million
    /// elements.
    #[must_use]
    pub fn deep_copy(&self) -> Self {
        copy(self, DEPTH, &mut 0)
    }
}

impl List {
    /// A slice that shares nothing with this one, within the bounds of [`Value::deep_copy`].
    #[must_use]
    pub fn deep_copy(&self) -> Self {
        copy_list(self, DEPTH, &mut 0)
    }
}

impl Map {
    /// A map that shares nothing with this one, within the bounds of [`Value::deep_copy`].
    #[must_use]
    pub fn deep_copy(&self) -> Self {
        copy_map(self, DEPTH, &mut 0)
    }
}

fn copy(value: &Value, depth: usize, copied: &mut usize) -> Value {
    *copied += 1;
    let Some(depth) = depth.checked_sub(1).filter(|_| *copied <= ELEMENTS) else {
        return value.clone();
    };
    match value {
        Value::List(list) => Value::List(copy_list(list, depth, copied)),
        Value::Map(map) => Value::Map(copy_map(map, depth, copied)),
        other => other.clone(),
    }
}

fn copy_list(list: &List, depth: usize, copied: &mut usize) -> List {
    let items = list.items();
    let items = items.iter().map(|item| copy(item, depth, copied));
    List::with_kind(items.collect(), list.kind())
}

fn copy_map(map: &Map, depth: usize, copied: &mut usize) -> Map {
    let entries = map.entries();
    let entries = entries
        .iter()
        .map(|(key, value)| (key.clone(), copy(value, depth, copied)));
    Map::with_kind(entries.collect(), map.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_nothing() {
        let inner = Map::new(Default::default());
        let value = Value::map([("list", Value::list([inner.clone().into()]))]);
        let copy = value.deep_copy();
        inner.insert("late", Value::Int(1));
        assert!(!copy.deep_equal(&value));
        let empty = Value::map::<&str>([]);
        assert!(copy.deep_equal(&Value::map([("list", Value::list([empty]))])));
    }

    #[test]
    fn what_contains_itself_has_an_end() {
        let map = Map::new(Default::default());
        map.insert("self", map.clone().into());
        assert_eq!(map.deep_copy().len(), 1);
        // Leaves nothing behind.
        map.remove("self");
    }
}
