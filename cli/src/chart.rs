//! From the command line to what the plugin is given.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow};

use crate::arguments::{ChartArguments, StageArguments};
use crate::deliver::PluginInput;
use crate::exit::{CommandError, OrFault as _};

/// Finds the chart and says for the plugin what Argo CD would say.
pub(crate) fn plugin_input(
    chart: &ChartArguments,
    stage: &StageArguments,
) -> Result<PluginInput, CommandError> {
    let folder = std::fs::canonicalize(&chart.chart)
        .with_context(|| format!("there is no chart at {}", chart.chart.display()))
        .or_input()?;
    if !folder.is_dir() {
        return Err(CommandError::input(anyhow!(
            "{} is not a folder; name the folder with Chart.yaml",
            chart.chart.display()
        )));
    }
    let name = folder.file_name().map_or_else(
        || "app".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    let repository = GitRepository::of(&folder);
    let mut input = PluginInput {
        application: stage.application.clone().unwrap_or_else(|| name.clone()),
        namespace: chart.namespace.clone(),
        revision: stage
            .revision
            .clone()
            .or_else(|| repository.as_ref()?.head.clone()),
        repo_url: repository
            .as_ref()
            .map(|found| found.url.clone())
            .unwrap_or_default(),
        path: repository
            .as_ref()
            .and_then(|found| folder.strip_prefix(&found.root).ok())
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default(),
        target_revision: repository.map(|found| found.branch).unwrap_or_default(),
        kube_version: chart.kube_version.clone(),
        api_versions: chart.api_versions.join(","),
        chart: folder,
        parameters: Vec::new(),
        seed: None,
    };
    input.set("stage", stage.stage.as_deref().unwrap_or(&name));
    if let Some(release_name) = &chart.release_name {
        input.set("release-name", release_name);
    }
    if let Some(trace_parent) = &stage.trace_parent {
        input.set("trace-parent", trace_parent);
    }
    input.set_list("value-files", &absolute(&chart.value_files)?);
    input.set_map("helm-parameters", &pairs("--set", &parts(&chart.set))?);
    input.set_map(
        "helm-string-parameters",
        &pairs("--set-string", &parts(&chart.set_string))?,
    );
    let files: Vec<(String, String)> = pairs("--set-file", &parts(&chart.set_file))?
        .into_iter()
        .map(|(key, file)| Ok((key, absolute(&[file])?.concat())))
        .collect::<Result<_, CommandError>>()?;
    input.set_map("helm-file-parameters", &files);
    input.set_list("helm-json-parameters", &chart.set_json);
    input.set_list("helm-literal-parameters", &chart.set_literal);
    for (parameter, flag) in [
        ("skip-crds", chart.skip_crds),
        ("skip-tests", chart.skip_tests),
        ("skip-schema-validation", chart.skip_schema_validation),
    ] {
        if flag {
            input.set(parameter, "true");
        }
    }
    for (name, value) in pairs("--parameter", &stage.parameters)? {
        input.set(&name, &value);
    }
    Ok(input)
}

/// A user's paths are relative to where the user is, not to the chart.
fn absolute(files: &[String]) -> Result<Vec<String>, CommandError> {
    files
        .iter()
        .map(|file| {
            std::path::absolute(file)
                .map(|path| path.to_string_lossy().into_owned())
                .with_context(|| format!("the path {file} cannot be used"))
                .or_input()
        })
        .collect()
}

/// The parts of a `--set`: commas separate several as in Helm, unless they are within braces or
/// escaped.
fn parts(entries: &[String]) -> Vec<String> {
    let mut parts = Vec::new();
    for entry in entries {
        let mut part = String::new();
        let (mut is_escaped, mut depth) = (false, 0_usize);
        for character in entry.chars() {
            match character {
                ',' if !is_escaped && depth == 0 => {
                    parts.push(std::mem::take(&mut part));
                    continue;
                }
                '{' if !is_escaped => depth += 1,
                '}' if !is_escaped => depth = depth.saturating_sub(1),
                _ => {}
            }
            is_escaped = character == '\\' && !is_escaped;
            part.push(character);
        }
        parts.push(part);
    }
    parts
}

/// `KEY=VALUE` pairs.
fn pairs(flag: &str, entries: &[String]) -> Result<Vec<(String, String)>, CommandError> {
    entries
        .iter()
        .map(|entry| {
            entry
                .split_once('=')
                .filter(|(key, _)| !key.is_empty())
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .ok_or_else(|| anyhow!("{flag} takes KEY=VALUE, not {entry:?}"))
                .or_input()
        })
        .collect()
}

/// The git repository that a chart lies in.
struct GitRepository {
    root: PathBuf,
    url: String,
    branch: String,
    head: Option<String>,
}

impl GitRepository {
    /// `None` if the folder is in no repository, or git is not there.
    fn of(folder: &Path) -> Option<Self> {
        let root = PathBuf::from(git(folder, &["rev-parse", "--show-toplevel"])?);
        let url = git(folder, &["remote", "get-url", "origin"])
            .unwrap_or_else(|| format!("file://{}", root.display()));
        Some(Self {
            url: without_credentials(&url),
            branch: git(folder, &["branch", "--show-current"]).unwrap_or_default(),
            head: git(folder, &["rev-parse", "HEAD"]),
            root,
        })
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// A remote's URL may hold a token; plans must not.
fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..end].rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{}", &rest[end..])
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_remote_stays_there() {
        for (url, clean) in [
            (
                "https://user:token@example.com/a.git",
                "https://example.com/a.git",
            ),
            ("https://example.com/a@b.git", "https://example.com/a@b.git"),
            ("git@example.com:a.git", "git@example.com:a.git"),
            ("file:///a/b", "file:///a/b"),
        ] {
            assert_eq!(without_credentials(url), clean);
        }
    }

    #[test]
    fn commas_separate_as_in_helm() {
        for (entry, expected) in [
            ("a=1,b=2", vec!["a=1", "b=2"]),
            ("a={1,2},b=2", vec!["a={1,2}", "b=2"]),
            (r"a=1\,2,b=2", vec![r"a=1\,2", "b=2"]),
            ("a=}1,b=2", vec!["a=}1", "b=2"]),
        ] {
            assert_eq!(parts(&[entry.to_owned()]), expected);
        }
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        assert!(pairs("--set", &["a".to_owned()]).is_err());
        assert!(pairs("--set", &["=a".to_owned()]).is_err());
        assert_eq!(
            pairs("--set", &["a=b=c".to_owned()]).unwrap(),
            [("a".to_owned(), "b=c".to_owned())]
        );
    }
}
