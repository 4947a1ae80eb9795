//! Which sub-charts take part, under which names, and what they give to their parents: before values are brought together.

use crate::chart::{Chart, ChartError, ChartErrorKind, Dependency};
use crate::semver::{Constraints, Version};
use crate::values::{self, merge, merge_tables, path_value, table, to_json};
use stagelink_gotemplate::{Map, Value};
use std::collections::BTreeMap;

/// Most sub-charts that may take part: aliases of charts with aliases multiply.
const MAX_CHARTS: usize = 1000;

/// A chart whose sub-charts are chosen, named and switched on.
#[derive(Clone, Debug)]
pub struct ProcessedChart {
    /// The chart: only sub-charts that take part, under their aliases; imported values are among its defaults.
    pub chart: Chart,
    /// What Helm would log: conditions and tags that are no bools, imports that find nothing. No values.
    pub warnings: Vec<String>,
}

/// Chooses the sub-charts by tags and conditions, gives them their aliases, and imports values into their parents.
///
/// ```
/// use stagelink_helm::{Chart, chart::File, dependencies::process_dependencies, values::ValueSources};
/// let file = |name: &str, text: &str| File { name: name.into(), data: text.as_bytes().into() };
/// let chart = Chart::from_files(vec![
///     file("Chart.yaml", "name: app\nversion: 1.0.0\ndependencies:\n- {name: db, version: 1.x, condition: db.enabled}\n"),
///     file("charts/db/Chart.yaml", "name: db\nversion: 1.2.3\n"),
/// ])?;
/// let user = ValueSources { set: vec!["db.enabled=false".into()], ..Default::default() };
/// let user = user.merge(&|path| std::fs::read(path))?;
/// assert!(process_dependencies(&chart, &user)?.chart.dependencies().is_empty());
/// # Ok::<(), stagelink_helm::ChartError>(())
/// ```
///
/// # Errors
/// A value with the name of a sub-chart that is not a map, or more than 1000 sub-charts.
pub fn process_dependencies(chart: &Chart, user: &Map) -> Result<ProcessedChart, ChartError> {
    let mut warnings = Vec::new();
    let mut chart = chart.clone();
    enable(&mut chart, user, "", &mut { MAX_CHARTS }, &mut warnings)?;
    import(&mut chart, &mut warnings)?;
    // The same conflict is met in each round of coalescing.
    let mut seen = std::collections::BTreeSet::new();
    warnings.retain(|warning| seen.insert(warning.clone()));
    Ok(ProcessedChart { chart, warnings })
}

fn is_compatible(range: &str, version: &str) -> bool {
    match (Constraints::parse(range), Version::parse(version)) {
        (Ok(range), Ok(version)) => range.check(&version),
        _ => false,
    }
}

fn fits(chart: &Chart, dependency: &Dependency) -> bool {
    chart.name() == dependency.name && is_compatible(&dependency.version, &chart.metadata.version)
}

fn enable(
    chart: &mut Chart,
    values: &Map,
    path: &str,
    left: &mut usize,
    warnings: &mut Vec<String>,
) -> Result<(), ChartError> {
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let dependencies = &mut chart.metadata.dependencies;
    // Sub-charts that Chart.yaml does not name take part, too.
    let unnamed = chart.dependencies.iter().filter(|child| {
        !dependencies
            .iter()
            .any(|dependency| fits(child, dependency))
    });
    let mut children: Vec<Chart> = unnamed.cloned().collect();
    for dependency in dependencies.iter_mut() {
        if let Some(child) = chart
            .dependencies
            .iter()
            .find(|child| fits(child, dependency))
        {
            let mut child = child.clone();
            if !dependency.alias.is_empty() {
                child.metadata.name.clone_from(&dependency.alias);
            }
            children.push(child);
        }
        if !dependency.alias.is_empty() {
            dependency.name.clone_from(&dependency.alias);
        }
        dependency.enabled = true;
    }
    *left = left.checked_sub(children.len()).ok_or_else(|| {
        let message = format!("more than {MAX_CHARTS} sub-charts with their aliases");
        ChartError::new(
            ChartErrorKind::Limit,
            "Chart.yaml",
            message,
            "use fewer aliases",
        )
    })?;
    chart.dependencies = children;

    let values = values::coalesce(chart, values, warnings)?;
    let dependencies = &mut chart.metadata.dependencies;
    by_tags(dependencies, &values, warnings);
    by_conditions(dependencies, &values, path, warnings);
    let disabled: Vec<String> = dependencies
        .iter()
        .filter(|dependency| !dependency.enabled)
        .map(|dependency| dependency.name.clone())
        .collect();
    dependencies.retain(|dependency| !disabled.contains(&dependency.name));
    chart
        .dependencies
        .retain(|child| !disabled.contains(&child.metadata.name));
    for child in &mut chart.dependencies {
        let path = format!("{path}{}.", child.name());
        enable(child, &values, &path, left, warnings)?;
    }
    Ok(())
}

/// Any tag that is true switches on, else any that is false switches off.
fn by_tags(dependencies: &mut [Dependency], values: &Map, warnings: &mut Vec<String>) {
    let Some(tags) = table(values, "tags") else {
        return;
    };
    for dependency in dependencies {
        let (mut any_true, mut any_false) = (false, false);
        for tag in &dependency.tags {
            match tags.get(tag) {
                Some(Value::Bool(true)) => any_true = true,
                Some(Value::Bool(false)) => any_false = true,
                Some(_) => warnings.push(format!(
                    "warning: tag {tag} of dependency {} is not a bool",
                    dependency.name
                )),
                None => {}
            }
        }
        dependency.enabled = any_true || !any_false;
    }
}

/// The first path that leads to a bool decides.
fn by_conditions(
    dependencies: &mut [Dependency],
    values: &Map,
    path: &str,
    warnings: &mut Vec<String>,
) {
    for dependency in dependencies {
        let conditions = dependency
            .condition
            .trim()
            .split(',')
            .filter(|condition| !condition.is_empty());
        for condition in conditions {
            match path_value(values, &format!("{path}{condition}")) {
                Some(Value::Bool(enabled)) => {
                    dependency.enabled = enabled;
                    break;
                }
                Some(_) => {
                    let name = &dependency.name;
                    warnings.push(format!(
                        "warning: condition {condition} of dependency {name} is not a bool"
                    ));
                }
                None => {}
            }
        }
    }
}

/// From the leaves up: what `import-values` names becomes a default of the parent, below its own.
fn import(chart: &mut Chart, warnings: &mut Vec<String>) -> Result<(), ChartError> {
    for child in &mut chart.dependencies {
        import(child, warnings)?;
    }
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let values = merge(chart, &Map::new(BTreeMap::new()), warnings)?;
    let imported = Map::new(BTreeMap::new());
    for dependency in &mut chart.metadata.dependencies {
        let mut done = Vec::new();
        for wanted in &dependency.import_values {
            let (child, parent) = match wanted {
                serde_json::Value::String(name) => (format!("exports.{name}"), ".".to_owned()),
                serde_json::Value::Object(map) => {
                    let text = |key: &str| match map.get(key) {
                        Some(serde_json::Value::String(text)) => text.clone(),
                        Some(other) => other.to_string(),
                        None => "<nil>".into(),
                    };
                    (text("child"), text("parent"))
                }
                _ => continue,
            };
            done.push(serde_json::json!({"child": child, "parent": parent}));
            match table(&values, &format!("{}.{child}", dependency.name)) {
                Some(found) => merge_tables(&imported, &below(&parent, found), warnings),
                None => {
                    let name = &dependency.name;
                    warnings.push(format!(
                        "warning: import-values: dependency {name} has no table {child}"
                    ));
                }
            }
        }
        dependency.import_values = done;
    }
    let values = values.deep_copy();
    merge_tables(&values, &imported, warnings);
    chart.values = to_json(&Value::Map(values)).into();
    Ok(())
}

/// A map at a path within new maps around it.
fn below(path: &str, map: Map) -> Map {
    if path == "." {
        return map;
    }
    path.rsplit('.').fold(map, |map, step| {
        Map::new(BTreeMap::from([(step.into(), Value::Map(map))]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::File;
    use crate::values::ValueSources;
    use serde_json::json;

    fn file(name: &str, text: &str) -> File {
        File {
            name: name.into(),
            data: text.as_bytes().into(),
        }
    }

    fn chart(dependencies: &str, files: &[(&str, &str)]) -> Chart {
        let metadata =
            format!("name: app\nversion: 1.0.0\napiVersion: v2\ndependencies:\n{dependencies}");
        let mut all = vec![file("Chart.yaml", &metadata)];
        all.extend(files.iter().map(|(name, text)| file(name, text)));
        Chart::from_files(all).expect("chart")
    }

    fn user(set: &str) -> Map {
        let sources = ValueSources {
            set: vec![set.into()],
            ..ValueSources::default()
        };
        sources.merge(&|path| std::fs::read(path)).expect("values")
    }

    fn names(chart: &Chart) -> Vec<&str> {
        chart.dependencies().iter().map(Chart::name).collect()
    }

    const TWO: &[(&str, &str)] = &[
        ("charts/a/Chart.yaml", "name: a\nversion: 1.2.3\n"),
        ("charts/b/Chart.yaml", "name: b\nversion: 2.0.0\n"),
        ("charts/c/Chart.yaml", "name: c\nversion: 2.0.0\n"),
    ];

    #[test]
    fn tags_and_conditions_decide() {
        let dependencies = "- {name: a, version: '1', tags: [x], condition: 'a.on,global.a'}\n- {name: b, version: '*', tags: [x, z]}\n";
        for (set, expected) in [
            ("", vec!["c", "a", "b"]),
            ("tags.x=false", vec!["c"]),
            ("tags.x=false,tags.z=true", vec!["c", "b"]),
            ("tags.x=false,a.on=true", vec!["c", "a"]),
            ("global.a=false", vec!["c", "b"]),
            ("a.on=true,global.a=false", vec!["c", "a", "b"]),
        ] {
            let processed =
                process_dependencies(&chart(dependencies, TWO), &user(set)).expect("processed");
            assert_eq!(names(&processed.chart), expected, "{set}");
        }
        let processed =
            process_dependencies(&chart(dependencies, TWO), &user("a.on=yes")).expect("processed");
        assert_eq!(
            processed.warnings,
            ["warning: condition a.on of dependency a is not a bool"]
        );
    }

    #[test]
    fn one_chart_under_two_names() {
        let dependencies = "- {name: a, version: 1.x, alias: first}\n- {name: a, version: 1.x, alias: second, condition: second.on}\n- {name: b, version: 1.x}\n";
        let processed = process_dependencies(&chart(dependencies, TWO), &user("second.on=false"))
            .expect("processed");
        // b's version does not fit: it stays, as a chart that nobody asked for.
        assert_eq!(names(&processed.chart), ["b", "c", "first"]);
    }

    #[test]
    fn conditions_of_inner_charts_have_their_path_in_front() {
        let files: &[(&str, &str)] = &[
            (
                "charts/a/Chart.yaml",
                "name: a\nversion: 1.0.0\napiVersion: v2\ndependencies: [{name: d, version: '*', condition: d.on}]\n",
            ),
            ("charts/a/charts/d/Chart.yaml", "name: d\nversion: 1.0.0\n"),
        ];
        let chart = chart("- {name: a, version: '*'}\n", files);
        let processed = process_dependencies(&chart, &user("a.d.on=false")).expect("processed");
        assert_eq!(
            names(&processed.chart.dependencies()[0]),
            Vec::<&str>::new()
        );
        let processed = process_dependencies(&chart, &user("d.on=false")).expect("processed");
        assert_eq!(names(&processed.chart.dependencies()[0]), ["d"]);
    }

    #[test]
    fn imported_values_stand_below_the_parents_own() {
        let dependencies = "- name: a\n  version: '*'\n  import-values:\n  - data\n  - child: server\n    parent: web.a\n  - nothing\n";
        let files: &[(&str, &str)] = &[
            ("values.yaml", "port: 1\nweb: {a: {host: own}}\n"),
            ("charts/a/Chart.yaml", "name: a\nversion: 1.0.0\n"),
            (
                "charts/a/values.yaml",
                "exports: {data: {port: 2, name: a}}\nserver: {host: theirs, path: /}\n",
            ),
        ];
        let processed =
            process_dependencies(&chart(dependencies, files), &user("")).expect("processed");
        let values = processed.chart.values();
        assert_eq!(
            (&values["port"], &values["name"]),
            (&json!(1.0), &json!("a"))
        );
        assert_eq!(values["web"], json!({"a": {"host": "own", "path": "/"}}));
        assert_eq!(
            processed.warnings,
            ["warning: import-values: dependency a has no table exports.nothing"]
        );
    }

    #[test]
    fn aliases_that_multiply_are_refused() {
        let dependencies: String = (0..40)
            .map(|index| format!("- {{name: a, version: '*', alias: a{index}}}\n"))
            .collect();
        let inner = format!("name: a\nversion: 1.0.0\ndependencies:\n{dependencies}");
        let files: &[(&str, &str)] = &[
            ("charts/a/Chart.yaml", &inner),
            ("charts/a/charts/a/Chart.yaml", "name: a\nversion: 1.0.0\n"),
        ];
        let error =
            process_dependencies(&chart(&dependencies, files), &user("")).expect_err("bomb");
        assert_eq!(error.kind(), ChartErrorKind::Limit);
    }

    #[test]
    fn a_missing_dependency_is_named() {
        let chart = chart(
            "- {name: a, version: '*'}\n- {name: gone, version: '*'}\n",
            TWO,
        );
        let error = chart.check_dependencies().expect_err("gone");
        assert!(
            error
                .to_string()
                .contains("missing in charts/ directory: gone"),
            "{error}"
        );
    }
}
