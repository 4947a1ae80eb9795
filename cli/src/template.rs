//! `stagelink template`: a chart as the plugin renders it.

use anyhow::anyhow;
use stagelink_helm::values::ValueSources;
use stagelink_helm::{Capabilities, Chart, ParsedChart, Release, RenderInput};

use crate::arguments::{ChartArguments, TemplateArguments};
use crate::chart::plugin_input;
use crate::exit::{CommandError, End, OrFault as _};
use crate::output;

/// Prints the manifests.
pub(crate) fn run(arguments: &TemplateArguments) -> Result<End, CommandError> {
    let text = if arguments.chart_only {
        chart_only(&arguments.chart, arguments.stage.application.as_deref())?
    } else {
        plugin_input(&arguments.chart, &arguments.stage)?.generate(&mut output::plain_line)?
    };
    let text = if arguments.show_only.is_empty() {
        text
    } else {
        select(&text, &arguments.show_only)?
    };
    output::text(&text)?;
    Ok(End::Passed)
}

/// What `helm template` prints.
fn chart_only(
    arguments: &ChartArguments,
    application: Option<&str>,
) -> Result<String, CommandError> {
    let chart = Chart::load(&arguments.chart).or_input()?;
    let sources = ValueSources {
        files: arguments.value_files.clone(),
        set: arguments.set.clone(),
        set_string: arguments.set_string.clone(),
        set_file: arguments.set_file.clone(),
        ..ValueSources::default()
    };
    let values = sources.merge(&|path| std::fs::read(path)).or_input()?;
    let kube_version =
        (!arguments.kube_version.is_empty()).then_some(arguments.kube_version.as_str());
    let name = arguments
        .release_name
        .as_deref()
        .or(application)
        .unwrap_or("release-name");
    let rendered = ParsedChart::new(chart)
        .render(&RenderInput {
            values: Some(values),
            release: Release {
                name: name.to_owned(),
                namespace: arguments.namespace.clone(),
                ..Release::default()
            },
            capabilities: Capabilities::new(
                kube_version,
                arguments.api_versions.iter().map(String::as_str),
            )
            .or_input()?,
            include_crds: !arguments.skip_crds,
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

/// The documents whose `# Source:` comment ends with one of the templates.
fn select(manifests: &str, templates: &[String]) -> Result<String, CommandError> {
    let mut found = vec![false; templates.len()];
    let mut selected = String::new();
    for document in manifests
        .split("---\n")
        .filter(|document| !document.trim().is_empty())
    {
        let source = document
            .lines()
            .find_map(|line| line.strip_prefix("# Source: "))
            .unwrap_or_default();
        let matching = templates.iter().position(|template| {
            source == template
                || source.ends_with(&format!("/{}", template.trim_start_matches('/')))
        });
        if let Some(index) = matching {
            found[index] = true;
            selected.push_str("---\n");
            selected.push_str(document);
        }
    }
    match templates.iter().zip(&found).find(|(_, found)| !**found) {
        Some((template, _)) => Err(CommandError::input(anyhow!(
            "no manifest comes from the template {template}"
        ))),
        None => Ok(selected),
    }
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
}
