//! The whole way of one release on this machine: commit, dev, promotion, prod, one linked trace.

mod repository;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use stagelink_delivery::{Outcome, Phase};

use crate::arguments::{DemoArguments, SummaryFormat};
use crate::deliver::{Cluster, Delivered, PluginInput, Stage};
use crate::exit::{CommandError, End, OrFault as _};
use crate::progress::Display;
use crate::summary::{Artefacts, DeliverySummary, Summary};
use crate::{output, programs, trace};
use repository::Repository;

/// The name of the demo's app.
const APP: &str = "simple-go";

/// Plays the demo.
pub(crate) fn run(arguments: &DemoArguments) -> Result<End, CommandError> {
    let begun = Instant::now();
    let folder = folder(arguments)?;
    let mut display = Display::new(arguments.verbose);
    display.begin("repository");
    let repository = Repository::create(&folder)?;
    display.end("✓", &format!("{}", repository.origin.display()));

    let monitoring = match &arguments.prometheus {
        Some(_) => None,
        None => Some(Monitoring::start()?),
    };
    let mut story = Story {
        arguments,
        folder: &folder,
        repository: &repository,
        display: &mut display,
        dev: Cluster::default(),
        prod: Cluster::default(),
        monitoring,
        deliveries: Vec::new(),
    };
    let told = story.tell();
    story.dev.stop();
    story.prod.stop();
    let deliveries = std::mem::take(&mut story.deliveries);
    drop(story);
    let as_told = told?;
    let spans = folder.join("spans.jsonl");
    let page = folder.join("trace.html");
    trace::write_page(&spans, &page)?;
    display.finish();
    let summary = Summary {
        as_told,
        deliveries,
        artefacts: Artefacts {
            trace_html: page,
            spans_jsonl: spans,
            repository: repository.origin.clone(),
            ledgers: ["dev", "prod"].map(|stage| ledger(&folder, stage)).to_vec(),
        },
    };
    match arguments.output {
        SummaryFormat::Json => output::json(&summary)?,
        SummaryFormat::Yaml => output::yaml(&summary)?,
        SummaryFormat::Table => {
            output::text(&format!(
                "\n{}\n\ntrace   {}\nspans   {}\nstatus  stagelink status {}\n\n{} in {:.1} s\n",
                summary.table(),
                summary.artefacts.trace_html.display(),
                summary.artefacts.spans_jsonl.display(),
                folder.display(),
                if as_told {
                    "All went as the story says"
                } else {
                    "Not all went as the story says"
                },
                begun.elapsed().as_secs_f64(),
            ))?;
        }
    }
    Ok(if as_told { End::Passed } else { End::NotPassed })
}

fn folder(arguments: &DemoArguments) -> Result<PathBuf, CommandError> {
    let Some(folder) = &arguments.dir else {
        return tempfile::Builder::new()
            .prefix("stagelink-demo-")
            .tempdir()
            .context("no temporary folder can be made")
            .map(tempfile::TempDir::keep)
            .or_environment();
    };
    fs::create_dir_all(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))
        .or_input()?;
    let mut entries = fs::read_dir(folder)
        .with_context(|| format!("the folder {} cannot be read", folder.display()))
        .or_input()?;
    if entries.next().is_some() {
        return Err(CommandError::input(anyhow!(
            "the folder {} is not empty; name a new one, or remove it first",
            folder.display()
        )));
    }
    fs::canonicalize(folder).or_environment()
}

fn ledger(folder: &Path, stage: &str) -> PathBuf {
    folder.join("state").join(stage).join("ledger.json")
}

struct Story<'a> {
    arguments: &'a DemoArguments,
    folder: &'a Path,
    repository: &'a Repository,
    display: &'a mut Display,
    dev: Cluster,
    prod: Cluster,
    monitoring: Option<Monitoring>,
    deliveries: Vec<DeliverySummary>,
}

impl Story<'_> {
    /// Plays the story; true if all went as it says.
    fn tell(&mut self) -> Result<bool, CommandError> {
        let first = self.repository.head()?;
        let mut as_told = true;
        as_told &= self.deliver("dev", "v1", &first)?.outcome == Outcome::Pass;
        as_told &= self.deliver("prod", "v1", &first)?.outcome == Outcome::Pass;

        let second = self.repository.commit_dev_version("v2")?;
        as_told &= self.deliver("dev", "v2", &second)?.outcome == Outcome::Pass;
        let branches = self.repository.open_branches()?;
        let [promotion] = branches.as_slice() else {
            return Err(CommandError::environment(anyhow!(
                "the promotion of v2 should have left one branch, not {branches:?}"
            )));
        };
        if self.arguments.no_merge {
            self.display.begin("merge");
            self.display
                .end("·", &format!("left to you: branch {promotion}"));
        } else {
            self.display.begin("merge");
            let merged = self.repository.merge(promotion)?;
            self.display
                .end("✓", &format!("branch {promotion} into main"));
            let prod = self.deliver("prod", "v2", &merged)?;
            as_told &= prod.outcome == Outcome::Pass && !links(&prod).is_empty();
        }

        let third = self.repository.commit_dev_version("v3")?;
        let slow = self.deliver("dev", "v3", &third)?;
        as_told &= slow.outcome == Outcome::Fail
            && failed_phase(&slow) == Some(Phase::AppPostDeployEvaluations);
        let left = usize::from(self.arguments.no_merge);
        as_told &= self.repository.open_branches()?.len() == left;
        Ok(as_told)
    }

    fn deliver(
        &mut self,
        stage: &str,
        version: &str,
        commit: &str,
    ) -> Result<Delivered, CommandError> {
        let checkout = self.repository.checkout(commit)?;
        let short: String = commit.chars().take(7).collect();
        self.display.begin(&format!("{stage} {version} ({short})"));
        let delivery = self.stage(stage, &checkout, commit);
        let cluster = if stage == "dev" {
            &mut self.dev
        } else {
            &mut self.prod
        };
        let delivered = delivery.deliver(cluster, self.display)?;
        let mark = if delivered.outcome.goes_on() {
            "✓"
        } else {
            "✗"
        };
        let text = match &delivered.reason {
            Some(reason) => format!("{}, {reason}", delivered.outcome),
            None => delivered.outcome.to_string(),
        };
        self.display.end(mark, &text);
        self.deliveries.extend(DeliverySummary::new(&delivered));
        Ok(delivered)
    }

    fn stage(&self, stage: &str, checkout: &Path, commit: &str) -> Stage {
        let chart = format!("charts/simple-go-{stage}");
        let namespace = if stage == "dev" {
            APP.to_owned()
        } else {
            format!("{APP}-{stage}")
        };
        let mut plugin = PluginInput {
            chart: checkout.join(&chart),
            application: format!("{APP}-{stage}"),
            namespace,
            revision: Some(commit.to_owned()),
            repo_url: format!("file://{}", self.repository.origin.display()),
            path: chart,
            target_revision: "main".to_owned(),
            ..PluginInput::default()
        };
        plugin.set("stage", stage);
        let mut values = Vec::new();
        match &self.arguments.prometheus {
            Some(url) => values.push(("metrics.server".to_owned(), url.clone())),
            None => {
                values.push(("metrics.provider".to_owned(), "stagelink".to_owned()));
                values.push((
                    "metrics.server".to_owned(),
                    self.monitoring
                        .as_ref()
                        .map_or_else(String::new, Monitoring::url),
                ));
            }
        }
        plugin.set_map("helm-parameters", &values);
        Stage {
            plugin,
            state: self.folder.join("state").join(stage),
            targets: self.folder.join("prometheus").join(format!("{stage}.json")),
            spans: self.folder.join("spans.jsonl"),
            allow_local_commands: false,
            again: false,
            secrets: None,
            resolve: Vec::new(),
        }
    }
}

fn links(delivered: &Delivered) -> Vec<String> {
    delivered
        .ledger
        .deliveries
        .iter()
        .filter(|delivery| delivery.number == delivered.delivery)
        .flat_map(|delivery| &delivery.attempts)
        .flat_map(|attempt| &attempt.links)
        .map(|link| link.trace_parent.to_string())
        .collect()
}

fn failed_phase(delivered: &Delivered) -> Option<Phase> {
    let delivery = delivered
        .ledger
        .deliveries
        .iter()
        .find(|delivery| delivery.number == delivered.delivery)?;
    let attempt = delivery.attempts.last()?;
    attempt
        .phases
        .iter()
        .find(|record| record.outcome.is_some_and(|outcome| !outcome.goes_on()))
        .map(|record| record.phase)
}

/// A process that stands for the monitoring which the pre-deployment task waits for.
struct Monitoring {
    child: std::process::Child,
    address: String,
}

impl Monitoring {
    fn start() -> Result<Self, CommandError> {
        use std::io::BufRead as _;
        let mut child = programs::command([
            "demo-service",
            "--version=monitoring",
            "--listen=127.0.0.1:0",
            "--exit-on-stdin-close",
        ])?
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .context("the demo's service cannot be started")
        .or_environment()?;
        let mut address = String::new();
        if let Some(stdout) = child.stdout.take() {
            std::io::BufReader::new(stdout)
                .read_line(&mut address)
                .context("the demo's service told no address")
                .or_environment()?;
        }
        if address.trim().is_empty() {
            return Err(CommandError::environment(anyhow!(
                "the demo's service ended before it listened"
            )));
        }
        Ok(Self {
            child,
            address: address.trim().to_owned(),
        })
    }

    fn url(&self) -> String {
        self.address.clone()
    }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends when its stdin closes; if it does not, there is nothing more to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
