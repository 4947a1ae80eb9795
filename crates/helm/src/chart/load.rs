//! From files to a chart.

use super::error::{ChartError, ChartErrorKind};
use super::metadata::Metadata;
use super::{Chart, Content, File, MAX_CHART_SIZE, MAX_FILES, archive, directory};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Deepest nesting of charts in charts.
const MAX_DEPTH: usize = 16;

/// How a chart is loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    boundary: Option<PathBuf>,
}

impl LoadOptions {
    /// Links within the chart may lead anywhere below this directory (say, the repository); by default only within the chart.
    #[must_use]
    pub fn within(mut self, boundary: impl Into<PathBuf>) -> Self {
        self.boundary = Some(boundary.into());
        self
    }

    /// Loads a chart from a directory or a `.tgz`.
    ///
    /// # Errors
    /// As [`Chart::load`].
    pub fn load(&self, path: &Path) -> Result<Chart, ChartError> {
        let shown = path.display().to_string();
        let metadata = std::fs::metadata(path).map_err(|error| ChartError::io(&shown, &error))?;
        let mut budget = Budget::default();
        let files = if metadata.is_dir() {
            directory::read(path, self.boundary.as_deref().unwrap_or(path), &mut budget)?
        } else {
            let file = std::fs::File::open(path).map_err(|error| ChartError::io(&shown, &error))?;
            archive::read(file, &shown, &mut budget)?
        };
        if !files.iter().any(|file| file.name == "Chart.yaml") {
            let advice = "give the directory or .tgz of a Helm chart";
            return Err(ChartError::new(
                ChartErrorKind::NotAChart,
                shown,
                "Chart.yaml file is missing",
                advice,
            ));
        }
        from_files(files, &mut budget)
    }
}

/// How much a chart with all its sub-charts may still hold.
pub(super) struct Budget {
    pub(super) bytes: u64,
    pub(super) files: usize,
    depth: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: MAX_CHART_SIZE,
            files: MAX_FILES,
            depth: MAX_DEPTH,
        }
    }
}

impl Budget {
    pub(super) fn take_file(&mut self, name: &str, size: u64) -> Result<(), ChartError> {
        let limit = |message: String| {
            ChartError::new(
                ChartErrorKind::Limit,
                name,
                message,
                "make the chart smaller, or name files in .helmignore",
            )
        };
        self.bytes = self.bytes.checked_sub(size).ok_or_else(|| {
            limit(format!(
                "decompressed chart is larger than the maximum size {MAX_CHART_SIZE}"
            ))
        })?;
        self.files = self
            .files
            .checked_sub(1)
            .ok_or_else(|| limit(format!("the chart has more than {MAX_FILES} files")))?;
        Ok(())
    }
}

/// Content without a UTF-8 byte order mark.
pub(super) fn without_mark(data: Vec<u8>) -> Arc<[u8]> {
    match data.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => rest.into(),
        None => data.into(),
    }
}

pub(super) fn from_files(files: Vec<File>, budget: &mut Budget) -> Result<Chart, ChartError> {
    budget.depth = budget.depth.checked_sub(1).ok_or_else(|| {
        let message = format!("charts are nested deeper than {MAX_DEPTH}");
        ChartError::new(
            ChartErrorKind::Limit,
            "charts",
            message,
            "nest fewer charts",
        )
    })?;
    let mut metadata: Option<Metadata> = None;
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        let metadata = metadata.get_or_insert_default();
        metadata.read("Chart.yaml", &file.data)?;
        if metadata.api_version.is_empty() {
            metadata.api_version = "v1".into();
        }
    }
    let Some(mut metadata) = metadata else {
        let advice = "add a Chart.yaml with name and version";
        return Err(ChartError::new(
            ChartErrorKind::NotAChart,
            "",
            "Chart.yaml file is missing",
            advice,
        ));
    };
    let mut content = Content::default();
    let mut values = serde_json::Value::Object(serde_json::Map::new());
    let mut subcharts: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files {
        match file.name.as_str() {
            "Chart.yaml" => content.chart_yaml = file.data,
            "Chart.lock" => {
                stagelink_yaml::to_json(&*file.data)
                    .map_err(|error| ChartError::yaml("Chart.lock", &error))?;
            }
            "values.yaml" => {
                values = crate::values::read_json("values.yaml", &file.data)?;
                content.values_yaml = Some(file.data);
            }
            "values.schema.json" => content.schema = Some(file.data),
            name @ ("requirements.yaml" | "requirements.lock") => {
                if name == "requirements.yaml" {
                    metadata.read(name, &file.data)?;
                }
                if metadata.api_version == "v1" {
                    content.files.push(file);
                }
            }
            name if name.starts_with("templates/") => content.templates.push(file),
            name => match name.strip_prefix("charts/") {
                Some(path) if !has_extension(path, "prov") => {
                    let chart = path.split('/').next().unwrap_or(path).to_owned();
                    let file = File {
                        name: path.to_owned(),
                        data: file.data,
                    };
                    subcharts.entry(chart).or_default().push(file);
                }
                _ => content.files.push(file),
            },
        }
    }
    metadata.validate()?;
    let mut dependencies = Vec::new();
    for (name, files) in subcharts {
        dependencies.extend(
            subchart(&name, files, budget)
                .map_err(|error| error.inside(&format!("charts/{name}")))?,
        );
    }
    budget.depth += 1;
    Ok(Chart {
        metadata,
        values: values.into(),
        dependencies,
        content: content.into(),
    })
}

fn subchart(
    name: &str,
    files: Vec<File>,
    budget: &mut Budget,
) -> Result<Option<Chart>, ChartError> {
    if name.starts_with(['_', '.']) {
        return Ok(None);
    }
    if has_extension(name, "tgz") {
        let Some(file) = files.first().filter(|file| file.name == name) else {
            let message = "error unpacking subchart tar: a directory is named like an archive";
            return Err(ChartError::new(
                ChartErrorKind::Content,
                "",
                message,
                "rename the directory",
            ));
        };
        let files = archive::read(&*file.data, "", budget)?;
        return from_files(files, budget).map(Some);
    }
    // What lies in charts/ itself and is no archive belongs to nothing.
    let files: Vec<_> = files
        .into_iter()
        .filter_map(|file| {
            let (_, name) = file.name.split_once('/')?;
            Some(File {
                name: name.to_owned(),
                data: file.data,
            })
        })
        .collect();
    from_files(files, budget).map(Some)
}

fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'))
        .is_some_and(|(_, found)| found == extension)
}
