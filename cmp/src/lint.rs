//! Everything that is wrong with a chart, at once; the plugin itself stops at what it cannot deliver.

use std::path::Path;

use stagelink_keptn::{Finding, Severity, validate};
use stagelink_plan::ContentDigest;
use stagelink_yaml::Document;

use crate::chart::StageChart;
use crate::generate::{build_plan, with_contexts};
use crate::options::Options;
use crate::{Environment, Parameters, PluginError, seed};

/// Renders the chart as [`generate`](crate::generate) does and checks what came out: Keptn's
/// resources by Keptn's own rules, whether they make a plan, and keys that stand twice anywhere.
/// Lines are those of the file, or of the rendered document where the source says so.
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
    findings.extend(duplicate_keys("values.yaml", chart.values_yaml()));
    for document in &documents {
        let source = format!("{} (rendered)", document.source);
        if document.is_keptn() {
            findings.extend(validate(&source, document.text));
        } else {
            findings.extend(duplicate_keys(&source, document.text.as_bytes()));
        }
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

/// Keys that stand twice: Helm takes the last one and says nothing.
fn duplicate_keys(source: &str, text: &[u8]) -> Vec<Finding> {
    // What is no YAML has failed before, in the render.
    let documents = Document::parse_all(text).unwrap_or_default();
    documents
        .iter()
        .flat_map(Document::duplicate_keys)
        .map(|twice| {
            let problem = format!(
                "the key is already in line {}, and that one is ignored",
                twice.first.line
            );
            let mut finding = Finding::new(Severity::Warning, source, problem)
                .at(twice.key)
                .advise("remove one of them");
            finding.line = twice.again.line;
            finding
        })
        .collect()
}
