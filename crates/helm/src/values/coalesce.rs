//! Bringing a user's values and the defaults of a chart and its sub-charts together.
//!
//! Two ways: *coalescing* for rendering, where null removes a key, and *merging* for imports, where it stays. Maps are shared
//! between charts where Helm shares them, because templates can see that when they `set` something.

use super::convert::from_json;
use crate::chart::{Chart, ChartError, ChartErrorKind};
use stagelink_gotemplate::{Map, Value};
use std::collections::BTreeMap;

const GLOBAL: &str = "global";

/// The values that a chart is rendered with: the user's, completed by the defaults of the chart and its sub-charts.
///
/// Sub-charts find theirs below their name, with the parent's `global` in it. Warnings name keys, never values.
///
/// ```
/// use stagelink_helm::{Chart, chart::File, values};
/// let file = |name: &str, text: &str| File { name: name.into(), data: text.as_bytes().into() };
/// let chart = Chart::from_files(vec![
///     file("Chart.yaml", "name: app\nversion: 1.0.0\n"),
///     file("values.yaml", "image: {name: app, tag: latest}\nport: 80\n"),
/// ])?;
/// let user = values::ValueSources { set: vec!["image.tag=v2,port=null".into()], ..Default::default() };
/// let user = user.merge(&|path| std::fs::read(path))?;
/// let mut warnings = Vec::new();
/// let values = values::coalesce(&chart, &user, &mut warnings)?;
/// assert_eq!(values::to_json(&values.into()), serde_json::json!({"image": {"name": "app", "tag": "v2"}}));
/// # Ok::<(), stagelink_helm::ChartError>(())
/// ```
///
/// # Errors
/// A value with the name of a sub-chart that is not a map.
pub fn coalesce(chart: &Chart, user: &Map, warnings: &mut Vec<String>) -> Result<Map, ChartError> {
    Coalescing {
        merge: false,
        warnings,
    }
    .run(chart, user)
}

/// As [`coalesce`], but nulls stay where they are.
///
/// # Errors
/// As [`coalesce`].
pub fn merge(chart: &Chart, user: &Map, warnings: &mut Vec<String>) -> Result<Map, ChartError> {
    Coalescing {
        merge: true,
        warnings,
    }
    .run(chart, user)
}

/// Completes `into` by what it does not have; nulls stay.
pub(crate) fn merge_tables(into: &Map, from: &Map, warnings: &mut Vec<String>) {
    Coalescing {
        merge: true,
        warnings,
    }
    .tables(into, from, "");
}

/// A new map with both; `over` wins, maps are merged.
pub(super) fn merge_maps(base: &Map, over: &Map) -> Map {
    let merged = Map::new(base.entries().clone());
    for (key, value) in over.to_vec() {
        let value = match (merged.get(&key), value) {
            (Some(Value::Map(base)), Value::Map(over)) => Value::Map(merge_maps(&base, &over)),
            (_, value) => value,
        };
        merged.insert(key, value);
    }
    merged
}

/// Removes the nulls of a map and the maps in it (not in lists).
fn clean_nils(map: &Map) {
    for (key, value) in map.to_vec() {
        match value {
            Value::Nil => _ = map.remove(&key),
            Value::Map(map) => clean_nils(&map),
            _ => {}
        }
    }
}

struct Coalescing<'warnings> {
    merge: bool,
    warnings: &'warnings mut Vec<String>,
}

impl Coalescing<'_> {
    fn run(mut self, chart: &Chart, user: &Map) -> Result<Map, ChartError> {
        let values = user.deep_copy();
        self.chart(chart, &values, "")?;
        Ok(values)
    }

    fn warn(&mut self, warning: String) {
        self.warnings.push(format!("warning: {warning}"));
    }

    fn chart(&mut self, chart: &Chart, values: &Map, prefix: &str) -> Result<(), ChartError> {
        let path = join(prefix, chart.name());
        self.defaults(chart, values, &path);
        for child in chart.dependencies() {
            let name = child.name();
            let inner = match values.get(name) {
                None => {
                    let inner = Map::new(BTreeMap::new());
                    values.insert(name, Value::Map(inner.clone()));
                    inner
                }
                Some(Value::Map(inner)) => inner,
                Some(other) => {
                    let message = format!(
                        "type mismatch on {name}: {} where the sub-chart's values belong",
                        other.type_name()
                    );
                    let advice = "make the value a map";
                    return Err(ChartError::new(
                        ChartErrorKind::Values,
                        join(prefix, name),
                        message,
                        advice,
                    ));
                }
            };
            self.globals(&inner, values, &path);
            self.chart(child, &inner, &path)?;
        }
        Ok(())
    }

    /// Completes values by a chart's defaults.
    fn defaults(&mut self, chart: &Chart, values: &Map, path: &str) {
        let Value::Map(defaults) = from_json(chart.values()) else {
            return;
        };
        for (key, default) in defaults.to_vec() {
            match (values.get(&key), default) {
                (Some(Value::Nil), _) if !self.merge => _ = values.remove(&key),
                (Some(Value::Map(into)), Value::Map(from)) => {
                    let is_child = chart
                        .dependencies()
                        .iter()
                        .any(|child| key == *child.name());
                    let merge = self.merge || is_child;
                    if !merge {
                        clean_nils(&from);
                    }
                    let mut inner = Coalescing {
                        merge,
                        warnings: &mut *self.warnings,
                    };
                    inner.tables(&into, &from, &join(path, &key.to_str_lossy()));
                }
                (Some(Value::Map(_)), default) if !default.is_nil() => {
                    self.warn(format!(
                        "skipped value for {}: Not a table.",
                        join(path, &key.to_str_lossy())
                    ));
                }
                (Some(_), _) => {}
                (None, Value::Nil) if !self.merge => {}
                (None, default) => {
                    if let (false, Value::Map(map)) = (self.merge, &default) {
                        clean_nils(map);
                    }
                    values.insert(key, default);
                }
            }
        }
    }

    /// Gives a parent's globals to a sub-chart.
    fn globals(&mut self, child: &Map, parent: &Map, prefix: &str) {
        let globals_of = |values: &Map| match values.get(GLOBAL) {
            None => Some(Map::new(BTreeMap::new())),
            Some(Value::Map(map)) => Some(map),
            Some(_) => None,
        };
        let Some(into) = globals_of(child) else {
            return self.warn(format!(
                "skipping globals because destination {GLOBAL} is not a table."
            ));
        };
        let Some(from) = globals_of(parent) else {
            return self.warn(format!(
                "skipping globals because source {GLOBAL} is not a table."
            ));
        };
        for (key, value) in from.to_vec() {
            match (value, into.get(&key)) {
                (Value::Map(map), existing) => {
                    // A copy of the outer map only: deeper ones stay shared.
                    let copy = Map::new(map.entries().clone());
                    match existing {
                        None => _ = into.insert(key, Value::Map(copy)),
                        Some(Value::Map(existing)) => {
                            let mut inner = Coalescing {
                                merge: true,
                                warnings: &mut *self.warnings,
                            };
                            inner.tables(&copy, &existing, &join(prefix, &key.to_str_lossy()));
                            into.insert(key, Value::Map(copy));
                        }
                        Some(_) => self.warn(format!(
                            "cannot merge map onto non-map for global value {:?}. Skipping.",
                            key.to_str_lossy()
                        )),
                    }
                }
                (_, Some(Value::Map(_))) => {
                    self.warn(format!(
                        "global value {:?} is a table. Skipping",
                        key.to_str_lossy()
                    ));
                }
                (value, _) => _ = into.insert(key, value),
            }
        }
        child.insert(GLOBAL, Value::Map(into));
    }

    fn tables(&mut self, into: &Map, from: &Map, prefix: &str) {
        if into.is_same(from) {
            return;
        }
        let given: Vec<_> = from
            .entries()
            .iter()
            .filter(|(_, value)| !value.is_nil())
            .map(|(key, _)| key.clone())
            .collect();
        for (key, value) in into.to_vec() {
            if value.is_nil() {
                from.insert(key, Value::Nil);
            }
        }
        for (key, value) in from.to_vec() {
            match (into.get(&key), value) {
                // The user takes a default away. A null that no default stands against stays.
                (Some(Value::Nil), _) if !self.merge && given.contains(&key) => {
                    _ = into.remove(&key)
                }
                (None, value) => _ = into.insert(key, value),
                (Some(Value::Map(into)), Value::Map(from)) => {
                    self.tables(&into, &from, &join(prefix, &key.to_str_lossy()));
                }
                (Some(_), Value::Map(_)) => {
                    self.warn(format!(
                        "cannot overwrite table with non table for {}",
                        join(prefix, &key.to_str_lossy())
                    ));
                }
                (Some(Value::Map(_)), value) if !value.is_nil() => {
                    let key = join(prefix, &key.to_str_lossy());
                    self.warn(format!(
                        "destination for {key} is a table. Ignoring non-table value"
                    ));
                }
                (Some(_), _) => {}
            }
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() {
        key.to_owned()
    } else {
        format!("{prefix}.{key}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::to_json;
    use super::*;
    use crate::chart::File;
    use serde_json::{Value as Json, json};

    fn file(name: &str, text: &str) -> File {
        File {
            name: name.into(),
            data: text.as_bytes().into(),
        }
    }

    fn run(defaults: &str, child_defaults: &str, user: Json, merging: bool) -> (Json, Vec<String>) {
        let chart = Chart::from_files(vec![
            file("Chart.yaml", "name: app\nversion: 1.0.0\n"),
            file("values.yaml", defaults),
            file("charts/sub/Chart.yaml", "name: sub\nversion: 1.0.0\n"),
            file("charts/sub/values.yaml", child_defaults),
        ]);
        let chart = chart.expect("chart");
        let Value::Map(user) = from_json(&user) else {
            panic!("user values are a map")
        };
        let mut warnings = Vec::new();
        let done = if merging {
            merge(&chart, &user, &mut warnings)
        } else {
            coalesce(&chart, &user, &mut warnings)
        };
        (to_json(&done.expect("values").into()), warnings)
    }

    #[test]
    fn the_user_wins_and_null_removes() {
        let (values, warnings) = run(
            "a: 1\nb: {c: 2, d: {e: 3}}\nnothing: ~\nm: {x: ~, z: 1}\n",
            "",
            json!({"a": null, "b": {"d": {"e": null}, "f": 4}}),
            false,
        );
        assert_eq!(
            values,
            json!({"b": {"c": 2.0, "d": {}, "f": 4.0}, "m": {"z": 1.0}, "sub": {"global": {}}})
        );
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn merging_keeps_nulls() {
        let (values, _) = run("a: 1\nnothing: ~\n", "", json!({"a": null}), true);
        assert_eq!(
            values,
            json!({"a": null, "nothing": null, "sub": {"global": {}}})
        );
    }

    #[test]
    fn sub_charts_get_their_part_and_the_globals() {
        let defaults = "global: {image: {tag: v1}, zone: a}\nsub: {port: 81}\n";
        let child = "port: 80\nname: sub\nglobal: {zone: b, image: {tag: v0, pull: always}}\n";
        let (values, _) = run(
            defaults,
            child,
            json!({"global": {"image": {"tag": "v2"}}}),
            false,
        );
        assert_eq!(
            values["sub"],
            json!({
                "port": 81.0, "name": "sub",
                "global": {"zone": "a", "image": {"tag": "v2", "pull": "always"}},
            })
        );
        assert_eq!(
            values["global"],
            json!({"zone": "a", "image": {"tag": "v2"}})
        );
    }

    #[test]
    fn only_the_user_can_take_a_sub_charts_default_away() {
        let (values, _) = run("sub: {port: ~}\n", "port: 80\n", json!({}), false);
        assert_eq!(values["sub"], json!({"port": 80.0, "global": {}}));
        let (values, _) = run("", "port: 80\n", json!({"sub": {"port": null}}), false);
        assert_eq!(values["sub"], json!({"global": {}}));
    }

    #[test]
    fn conflicts_are_warned_of_without_values() {
        let (values, warnings) = run(
            "a: {b: 1}\nc: 2\nd: {e: {f: 1}, g: secret}\n",
            "",
            json!({"a": 1, "c": {"x": 1}, "d": {"e": "secret", "g": {}}}),
            false,
        );
        assert_eq!(values["a"], json!(1.0));
        assert_eq!(
            warnings,
            [
                "warning: skipped value for app.c: Not a table.",
                "warning: cannot overwrite table with non table for app.d.e",
                "warning: destination for app.d.g is a table. Ignoring non-table value",
            ]
        );
    }
}
