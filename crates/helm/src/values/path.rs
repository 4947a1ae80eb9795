//! Values by their path (`a.b.c`).

use stagelink_gotemplate::{Map, Value};

/// The map at a path.
pub(crate) fn table(values: &Map, path: &str) -> Option<Map> {
    path.split('.')
        .try_fold(values.clone(), |map, step| match map.get(step)? {
            Value::Map(map) => Some(map),
            _ => None,
        })
}

/// The value at a path, if there is one that is not a map.
pub(crate) fn path_value(values: &Map, path: &str) -> Option<Value> {
    let (map, key) = match path.rsplit_once('.') {
        Some((map, key)) => (table(values, map)?, key),
        None => (values.clone(), path),
    };
    map.get(key).filter(|value| value.as_map().is_none())
}
