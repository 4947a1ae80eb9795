//! The objects of each chart: its own values, files and metadata, and what all charts share.

use std::collections::BTreeMap;
use std::sync::Arc;

use stagelink_gotemplate::{GoString, Map, Value};

use super::VALUES;
use super::files::Files;
use crate::chart::{Chart, Metadata};
use crate::engine::TemplateFile;
use crate::functions::NIL_STRING_MAP;
use crate::values::{from_json, table};

/// The charts of a release, flattened: templates with the objects that each sees.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    /// Objects, one map per chart.
    pub(crate) objects: Vec<Map>,
    /// All Go templates.
    pub(crate) templates: Vec<TemplateFile>,
    /// All Handlebars templates: index of the objects, path below `templates/`, name, text.
    pub(crate) handlebars: Vec<(usize, String, String, Arc<[u8]>)>,
}

impl Scopes {
    /// Flattens a chart with coalesced values. `shared` are `Release` and `Capabilities`.
    pub(crate) fn new(chart: &Chart, values: Map, shared: &[(&str, Value)]) -> Self {
        let mut scopes = Self::default();
        let top = Map::new(BTreeMap::from([(
            GoString::from("Values"),
            Value::Map(values),
        )]));
        scopes.add(chart, None, &top, shared);
        scopes
    }

    fn add(
        &mut self,
        chart: &Chart,
        parent: Option<&str>,
        above: &Map,
        shared: &[(&str, Value)],
    ) -> Map {
        let path = match parent {
            None => chart.name().to_owned(),
            Some(parent) => format!("{parent}/charts/{}", chart.name()),
        };
        let values = match parent {
            None => above
                .get("Values")
                .and_then(|values| values.as_map().cloned()),
            Some(_) => table(above, &format!("Values.{}", chart.name())),
        };
        let values = values
            .unwrap_or_else(|| Map::new(BTreeMap::new()))
            .as_kind(VALUES);
        let subcharts = Map::new(BTreeMap::new());
        let files = chart
            .files()
            .iter()
            .map(|file| (file.name.as_str(), Arc::clone(&file.data)));
        let objects = Map::new(BTreeMap::new());
        for (name, value) in shared {
            objects.insert(*name, value.clone());
        }
        objects.insert("Chart", metadata(chart.metadata(), parent.is_none()));
        objects.insert("Files", Value::object(Files::new(files)));
        objects.insert("Values", Value::Map(values));
        objects.insert("Subcharts", Value::Map(subcharts.clone()));
        for child in chart.dependencies() {
            let child_objects = self.add(child, Some(&path), &objects, shared);
            subcharts.insert(child.name(), Value::Map(child_objects));
        }
        let scope = self.objects.len();
        self.objects.push(objects.clone());
        let is_library = chart.metadata().is_library();
        for file in chart.templates() {
            let is_partial = file
                .name
                .rsplit('/')
                .next()
                .is_some_and(|base| base.starts_with('_'));
            if is_library && !is_partial {
                continue;
            }
            let name = format!("{path}/{}", file.name);
            if file.name.ends_with(crate::handlebars::EXTENSION) {
                let below = file.name.strip_prefix("templates/").unwrap_or(&file.name);
                self.handlebars
                    .push((scope, below.to_owned(), name, Arc::clone(&file.data)));
            } else {
                let base_path = format!("{path}/templates");
                self.templates.push(TemplateFile {
                    name,
                    base_path,
                    scope,
                    text: Arc::clone(&file.data),
                });
            }
        }
        objects
    }
}

/// `.Chart`: in Helm 4 a map with Go's names of the fields.
fn metadata(metadata: &Metadata, is_root: bool) -> Value {
    let text = |text: &str| Value::from(text);
    let texts = |texts: &[String]| Value::list(texts.iter().map(|text| Value::from(text.as_str())));
    let annotations = metadata
        .annotations
        .iter()
        .map(|(key, value)| (GoString::from(key.as_str()), text(value)))
        .collect();
    let maintainers = metadata.maintainers.iter().map(|maintainer| {
        Value::map([
            ("Name", text(&maintainer.name)),
            ("Email", text(&maintainer.email)),
            ("URL", text(&maintainer.url)),
        ])
    });
    let dependencies = metadata.dependencies.iter().map(|dependency| {
        Value::map([
            ("Name", text(&dependency.name)),
            ("Version", text(&dependency.version)),
            ("Repository", text(&dependency.repository)),
            ("Condition", text(&dependency.condition)),
            ("Tags", texts(&dependency.tags)),
            ("Enabled", Value::Bool(dependency.enabled)),
            (
                "ImportValues",
                Value::list(dependency.import_values.iter().map(from_json)),
            ),
            ("Alias", text(&dependency.alias)),
        ])
    });
    let kind = if metadata.annotations.is_empty() {
        NIL_STRING_MAP
    } else {
        stagelink_gotemplate::MapKind::String
    };
    Value::map([
        ("APIVersion", text(&metadata.api_version)),
        ("Annotations", Value::Map(Map::with_kind(annotations, kind))),
        ("AppVersion", text(&metadata.app_version)),
        ("Condition", text(&metadata.condition)),
        ("Dependencies", Value::list(dependencies)),
        ("Deprecated", Value::Bool(metadata.deprecated)),
        ("Description", text(&metadata.description)),
        ("Home", text(&metadata.home)),
        ("Icon", text(&metadata.icon)),
        ("IsRoot", Value::Bool(is_root)),
        ("Keywords", texts(&metadata.keywords)),
        ("KubeVersion", text(&metadata.kube_version)),
        ("Maintainers", Value::list(maintainers)),
        ("Name", text(&metadata.name)),
        ("Sources", texts(&metadata.sources)),
        ("Tags", text(&metadata.tags)),
        ("Type", text(&metadata.chart_type)),
        ("Version", text(&metadata.version)),
    ])
}
