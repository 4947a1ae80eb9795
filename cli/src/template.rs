//! `stagelink template`: a chart as the plugin renders it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, anyhow};
use stagelink_helm::values::ValueSources;
use stagelink_helm::{Capabilities, Chart, ParsedChart, Release, RenderInput};

use crate::arguments::{ChartArguments, TemplateArguments};
use crate::chart::plugin_input;
use crate::exit::{CommandError, End, OrFault as _};
use crate::output;

/// Prints the manifests, or writes them to files.
pub(crate) fn run(arguments: &TemplateArguments) -> Result<End, CommandError> {
    let chart = chart_arguments(arguments)?;
    let text = if arguments.chart_only {
        chart_only(arguments, &chart)?
    } else {
        plugin_input(&chart, &arguments.stage)?.generate(&mut output::plain_line)?
    };
    let text = if arguments.show_only.is_empty() {
        text
    } else {
        select(&text, &arguments.show_only)?
    };
    match &arguments.output_dir {
        Some(folder) => {
            for file in write(&text, folder)? {
                output::text(&format!("wrote {}\n", file.display()))?;
            }
        }
        None => output::text(&text)?,
    }
    Ok(End::Passed)
}

/// `NAME DIR` as Helm has it, or just `DIR`.
fn chart_arguments(arguments: &TemplateArguments) -> Result<ChartArguments, CommandError> {
    let mut chart = arguments.chart.clone();
    if let Some(folder) = &arguments.second {
        if chart.release_name.is_some() {
            return Err(CommandError::input(anyhow!(
                "the release is named twice, by a word before the chart's folder and by --release-name"
            )));
        }
        chart.release_name = Some(chart.chart.to_string_lossy().into_owned());
        chart.chart.clone_from(folder);
    }
    Ok(chart)
}

/// What `helm template` prints.
fn chart_only(
    template: &TemplateArguments,
    arguments: &ChartArguments,
) -> Result<String, CommandError> {
    let chart = Chart::load(&arguments.chart).or_input()?;
    let sources = ValueSources {
        files: arguments.value_files.clone(),
        set_json: arguments.set_json.clone(),
        set: arguments.set.clone(),
        set_string: arguments.set_string.clone(),
        set_file: arguments.set_file.clone(),
        set_literal: arguments.set_literal.clone(),
    };
    let values = sources.merge(&|path| std::fs::read(path)).or_input()?;
    let kube_version =
        (!arguments.kube_version.is_empty()).then_some(arguments.kube_version.as_str());
    let name = arguments
        .release_name
        .as_deref()
        .or(template.stage.application.as_deref())
        .unwrap_or("release-name");
    let rendered = ParsedChart::new(chart)
        .render(&RenderInput {
            values: Some(values),
            release: Release {
                name: name.to_owned(),
                namespace: arguments.namespace.clone(),
                is_upgrade: template.is_upgrade,
                ..Release::default()
            },
            capabilities: Capabilities::new(
                kube_version,
                arguments.api_versions.iter().map(String::as_str),
            )
            .or_input()?,
            include_crds: !arguments.skip_crds,
            skip_hooks: template.no_hooks,
            skip_tests: arguments.skip_tests,
            skip_schema_validation: arguments.skip_schema_validation,
            ..RenderInput::default()
        })
        .or_input()?;
    for warning in &rendered.warnings {
        output::warning(warning);
    }
    Ok(rendered.to_yaml())
}

/// The documents of a stream, each without its `---` line, and the template that it comes from.
fn documents(manifests: &str) -> Vec<(&str, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut offset) = (0, 0);
    for line in manifests.split_inclusive('\n') {
        // An indented line of dashes belongs to a text.
        if line.trim_end() == "---" {
            documents.push(&manifests[start..offset]);
            start = offset + line.len();
        }
        offset += line.len();
    }
    documents.push(&manifests[start..]);
    documents
        .into_iter()
        .filter(|document| !document.trim().is_empty())
        .map(|document| {
            let source = document
                .lines()
                .find_map(|line| line.strip_prefix("# Source: "));
            (source.unwrap_or_default(), document)
        })
        .collect()
}

/// Writes each document to the file below `folder` that is named after its template, as
/// `helm template --output-dir` does; gives the files.
fn write(manifests: &str, folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (source, document) in documents(manifests) {
        let is_below = Path::new(source)
            .components()
            .all(|component| matches!(component, Component::Normal(_)));
        if source.is_empty() || !is_below {
            return Err(CommandError::input(anyhow!(
                "the template {source:?} cannot name a file below {}",
                folder.display()
            )));
        }
        let text = files.entry(folder.join(source)).or_default();
        text.push_str("---\n");
        text.push_str(document);
    }
    for (file, text) in &files {
        let made = file.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(file, text))
            .with_context(|| format!("{} cannot be written", file.display()))
            .or_environment()?;
    }
    Ok(files.into_keys().collect())
}

/// The documents whose `# Source:` comment ends with one of the templates, in the order in which the
/// templates are asked for, as Helm has it.
fn select(manifests: &str, templates: &[String]) -> Result<String, CommandError> {
    let documents = documents(manifests);
    let mut selected = String::new();
    for template in templates {
        let end = format!("/{}", template.trim_start_matches('/'));
        let before = selected.len();
        for (source, document) in &documents {
            if source == template || source.ends_with(&end) {
                selected.push_str("---\n");
                selected.push_str(document);
            }
        }
        if selected.len() == before {
            return Err(CommandError::input(anyhow!(
                "no manifest comes from the template {template}"
            )));
        }
    }
    Ok(selected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_is_shown() {
        let all = "---\n# Source: shop/templates/a.yaml\na: 1\n---\n# Source: shop/templates/b.yaml\nb: 1\n";
        let one = select(all, &["templates/b.yaml".to_owned()]).unwrap();
        assert_eq!(one, "---\n# Source: shop/templates/b.yaml\nb: 1\n");
        assert!(select(all, &["templates/c.yaml".to_owned()]).is_err());
        assert!(select(all, &["emplates/b.yaml".to_owned()]).is_err());
    }
    #[test]
    fn dashes_within_a_text_end_no_document() {
        let text = "---\n# Source: shop/templates/a.yaml\ntext: |\n  ---\n  b: 1\n";
        assert_eq!(select(text, &["a.yaml".to_owned()]).unwrap(), text);
    }

    #[test]
    fn each_template_has_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let all = "---\n# Source: shop/templates/a.yaml\na: 1\n---\n# Source: shop/crds/b.yaml\nb: 1\n---\n# Source: shop/templates/a.yaml\na: 2\n";
        let files = write(all, folder.path()).unwrap();
        assert_eq!(
            files,
            ["shop/crds/b.yaml", "shop/templates/a.yaml"].map(|file| folder.path().join(file))
        );
        assert_eq!(
            fs::read_to_string(&files[1]).unwrap(),
            "---\n# Source: shop/templates/a.yaml\na: 1\n---\n# Source: shop/templates/a.yaml\na: 2\n"
        );
        for source in ["../a.yaml", "/a.yaml", "shop/../../a.yaml", ""] {
            let document = format!("---\n# Source: {source}\na: 1\n");
            write(&document, folder.path()).unwrap_err();
        }
    }
}
