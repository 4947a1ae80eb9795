//! Charts as they are on disk: parsed once, never changed.

mod archive;
mod directory;
mod error;
mod ignore;
mod load;
mod metadata;

pub use error::{ChartError, ChartErrorKind};
pub use load::LoadOptions;
pub use metadata::{Dependency, Maintainer, Metadata};

use std::path::Path;
use std::sync::Arc;

/// Largest file of a chart, in bytes (5 MiB): Helm's limit up to 4.2, which Argo CD bundles.
pub const MAX_FILE_SIZE: u64 = 5 * 1024 * 1024;

/// Largest chart with all its sub-charts, in bytes (100 MiB), unpacked.
pub const MAX_CHART_SIZE: u64 = 100 * 1024 * 1024;

/// Most files of a chart with all its sub-charts.
pub const MAX_FILES: usize = 20_000;

/// A file of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path within its chart, with `/`.
    pub name: String,
    /// Content, without a byte order mark.
    pub data: Arc<[u8]>,
}

/// A chart with its sub-charts. Cheap to clone: contents are shared. `Send` and `Sync`, so that it can be cached.
///
/// ```
/// let directory = tempfile::tempdir()?;
/// std::fs::write(directory.path().join("Chart.yaml"), "name: demo\nversion: 0.1.0\n")?;
/// std::fs::write(directory.path().join("values.yaml"), "replicas: 2\n")?;
/// let chart = stagelink_helm::Chart::load(directory.path())?;
/// assert_eq!((chart.name(), chart.values()["replicas"].as_u64()), ("demo", Some(2)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chart {
    pub(crate) metadata: Metadata,
    pub(crate) values: Arc<serde_json::Value>,
    pub(crate) dependencies: Vec<Chart>,
    content: Arc<Content>,
}

#[derive(Debug, Default)]
struct Content {
    templates: Vec<File>,
    files: Vec<File>,
    schema: Option<Arc<[u8]>>,
    chart_yaml: Arc<[u8]>,
    values_yaml: Option<Arc<[u8]>>,
}

impl Chart {
    /// Loads a chart from a directory or a `.tgz`. Links may not leave the chart; see [`LoadOptions`] for more.
    ///
    /// # Errors
    /// Not a chart, something in it is not as it has to be, or it is too large.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ChartError> {
        LoadOptions::default().load(path.as_ref())
    }

    /// Loads a chart from files that are in memory, with their paths within the chart.
    ///
    /// # Errors
    /// As [`Chart::load`].
    pub fn from_files(files: Vec<File>) -> Result<Self, ChartError> {
        load::from_files(files, &mut load::Budget::default())
    }

    /// The chart's name; an aliased sub-chart's alias once the dependencies are processed.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// What `Chart.yaml` says.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The files under `templates/`.
    pub fn templates(&self) -> &[File] {
        &self.content.templates
    }

    /// What templates find in `.Files`: all that is neither template, sub-chart, values nor metadata.
    pub fn files(&self) -> &[File] {
        &self.content.files
    }

    /// The default values: all documents of `values.yaml` merged, always a map. Helm makes every number of it a `float64`.
    pub fn values(&self) -> &serde_json::Value {
        &self.values
    }

    /// `values.schema.json`.
    pub fn schema(&self) -> Option<&[u8]> {
        self.content.schema.as_deref()
    }

    /// The sub-charts: as they lie in `charts/`, or after processing only those that are switched on.
    pub fn dependencies(&self) -> &[Chart] {
        &self.dependencies
    }

    /// `Chart.yaml` as it is, for findings with a line.
    pub fn chart_yaml(&self) -> &[u8] {
        &self.content.chart_yaml
    }

    /// `values.yaml` as it is, for findings with a line.
    pub fn values_yaml(&self) -> Option<&[u8]> {
        self.content.values_yaml.as_deref()
    }

    /// The files under `crds/` of this chart alone.
    pub fn crds(&self) -> impl Iterator<Item = &File> {
        let is_manifest = |name: &str| {
            let extension = name
                .rsplit('/')
                .next()
                .and_then(|name| name.rsplit_once('.'));
            extension.is_some_and(|(_, extension)| {
                ["yaml", "yml", "json"]
                    .iter()
                    .any(|known| extension.eq_ignore_ascii_case(known))
            })
        };
        self.files()
            .iter()
            .filter(move |file| file.name.starts_with("crds/") && is_manifest(&file.name))
    }

    /// Checks that every dependency of `Chart.yaml` is in `charts/`. Helm does this before it renders.
    ///
    /// # Errors
    /// The missing ones.
    pub fn check_dependencies(&self) -> Result<(), ChartError> {
        let is_here = |name: &str| self.dependencies.iter().any(|chart| chart.name() == name);
        let dependencies = self
            .metadata
            .dependencies
            .iter()
            .map(|dependency| dependency.name.as_str());
        let missing: Vec<_> = dependencies.filter(|name| !is_here(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!(
            "found in Chart.yaml, but missing in charts/ directory: {}",
            missing.join(", ")
        );
        let advice = "run `helm dependency build` and commit charts/, or remove the dependency";
        Err(ChartError::new(
            ChartErrorKind::Dependency,
            "Chart.yaml",
            message,
            advice,
        ))
    }
}
