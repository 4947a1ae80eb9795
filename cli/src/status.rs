//! `stagelink status`: which commit is in which stage, and why it is not further.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use comfy_table::{ContentArrangement, Table, presets::UTF8_BORDERS_ONLY};
use stagelink_delivery::status::StageStatus;

use crate::arguments::{StatusArguments, SummaryFormat};
use crate::deliver::read_ledger;
use crate::exit::{CommandError, End, OrFault as _};
use crate::output;

/// How deep below a named folder ledgers are looked for.
const DEPTH: usize = 4;

/// Prints the stages.
pub(crate) fn run(arguments: &StatusArguments) -> Result<End, CommandError> {
    let mut files = Vec::new();
    for path in &arguments.paths {
        find(path, &mut files)?;
    }
    let mut stages = Vec::new();
    for file in &files {
        if let Some(ledger) = read_ledger(file)? {
            stages.push(StageStatus::of(&ledger));
        }
    }
    match arguments.output {
        SummaryFormat::Json => output::json(&stages)?,
        SummaryFormat::Yaml => output::yaml(&stages)?,
        SummaryFormat::Table => output::text(&format!("{}\n", table(&stages)))?,
    }
    let all_passed = stages.iter().all(|stage| stage.why_not_further.is_none());
    Ok(if all_passed {
        End::Passed
    } else {
        End::NotPassed
    })
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), CommandError> {
    let metadata = std::fs::metadata(path)
        .with_context(|| {
            format!(
                "there is no ledger at {}; `stagelink deliver` makes one",
                path.display()
            )
        })
        .or_input()?;
    if metadata.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let before = files.len();
    walk(path, DEPTH, files)?;
    if files.len() == before {
        return Err(CommandError::input(anyhow!(
            "there is no ledger.json in {} or {DEPTH} folders below",
            path.display()
        )));
    }
    Ok(())
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), CommandError> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("the folder {} cannot be read", folder.display()))
        .or_input()?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    for path in paths {
        if path.file_name().is_some_and(|name| name == "ledger.json") {
            files.push(path);
        } else if depth > 0 && path.is_dir() && !path.is_symlink() {
            walk(&path, depth - 1, files)?;
        }
    }
    Ok(())
}

fn table(stages: &[StageStatus]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "app",
        "stage",
        "version",
        "commit",
        "since",
        "last delivery",
        "why not further",
    ]);
    for stage in stages {
        let (version, commit, since) = stage.current.as_ref().map_or_else(
            || ("-".to_owned(), "-".to_owned(), "-".to_owned()),
            |current| {
                (
                    current.version.clone(),
                    current
                        .revision
                        .as_deref()
                        .unwrap_or("-")
                        .chars()
                        .take(7)
                        .collect(),
                    format!("{:.0}", current.since),
                )
            },
        );
        let last = stage.last.as_ref().map_or_else(
            || "-".to_owned(),
            |last| match last.outcome {
                Some(outcome) => format!("{} {outcome}", last.version),
                None => format!("{} under way", last.version),
            },
        );
        table.add_row([
            stage.app.clone(),
            stage.stage.clone(),
            version,
            commit,
            since,
            last,
            stage.why_not_further.clone().unwrap_or_default(),
        ]);
    }
    table
}
