//! Everything that is wrong with a chart, at once; the plugin itself stops at what it cannot deliver.

use std::path::Path;

use stagelink_keptn::{Finding, Severity, validate};
use stagelink_plan::ContentDigest;

use crate::chart::StageChart;
use crate::generate::{build_plan, with_contexts};
use crate::options::Options;
use crate::{Environment, Parameters, PluginError, seed};

/// Renders the chart as [`generate`](crate::generate) does and checks what came out: Keptn's
/// resources by Keptn's own rules, and whether they make a plan. Lines are those of the rendered
/// template.
///
/// # Errors
/// [`PluginError`] when the chart cannot be rendered at all.
pub fn lint(directory: &Path, environment: &Environment) -> Result<Vec<Finding>, PluginError> {
    let parameters = Parameters::read(environment)?;
    let options = Options::read(&parameters, environment, directory)?;
    let chart = StageChart::load(directory, environment)?;
    let stage = chart.render(&parameters, environment, &options, seed::read(environment)?)?;
    let mut warnings = stage.warnings;
    let inject = options.inject.context;
    let documents = with_contexts(&stage.rendered, &stage.injection, inject, &mut warnings);

    let mut findings: Vec<Finding> = warnings
        .into_iter()
        .map(|warning| Finding::new(Severity::Warning, "the chart", warning))
        .collect();
    for document in &documents {
        findings.extend(validate(document.source, document.text));
    }
    let digest = ContentDigest::of([]);
    let built = build_plan(&documents, &options, &stage.injection, environment, digest);
    // What a document's own check told is not told again without its line.
    for finding in built.findings {
        let is_known = findings.iter().any(|known| {
            known.resource == finding.resource
                && known.field == finding.field
                && !finding.field.is_empty()
        });
        if !is_known {
            findings.push(finding);
        }
    }
    Ok(findings)
}
