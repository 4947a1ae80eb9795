//! Which exporters a hook has.

use std::path::Path;

use crate::export::Exporter;
use crate::file::FileExporter;
use crate::otlp::{Environment, OtlpExporter, resource};

/// The exporters that are asked for, and what could not be understood, in words for a person.
#[derive(Default)]
pub struct Exporters {
    /// To be given to [`export_pending`](crate::export_pending).
    pub exporters: Vec<Box<dyn Exporter>>,
    /// Settings that were ignored or make sending impossible.
    pub warnings: Vec<String>,
}

impl Exporters {
    /// `spans_file` is a hook's `--spans-file`; `variable` looks up OpenTelemetry's standard
    /// environment variables (see [`Environment`]). The file is written whatever they say.
    ///
    /// ```
    /// use stagelink_telemetry::Exporters;
    ///
    /// let set_up = Exporters::set_up(None, |name| std::env::var(name).ok());
    /// # let _ = set_up;
    /// ```
    pub fn set_up(spans_file: Option<&Path>, variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut set_up = Self::default();
        if let Some(file) = spans_file {
            let (resource, warning) = resource(&variable);
            set_up.warnings.extend(warning);
            set_up
                .exporters
                .push(Box::new(FileExporter::new(file, resource)));
        }
        let environment = Environment::read(variable);
        set_up.warnings.extend(environment.warnings);
        set_up.warnings.dedup();
        if let Some(settings) = environment.otlp {
            set_up.exporters.push(Box::new(OtlpExporter::new(settings)));
        }
        set_up
    }
}
