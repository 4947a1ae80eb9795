//! One stage's delivery on this machine: the plugin renders, the hooks check and promote, and in
//! between processes on loopback stand for the cluster's workloads.

mod cluster;
mod lock;
mod operation;
mod plugin;
mod rendered;
mod seed;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use stagelink_delivery::Outcome;
use stagelink_delivery::ledger::{LEDGER_VERSION, Ledger};

pub(crate) use cluster::Cluster;
pub(crate) use operation::write_atomically;
pub(crate) use plugin::PluginInput;

use crate::exit::{CommandError, OrFault as _};
use crate::programs;
use crate::stop;
use lock::StageLock;
use operation::{Operation, OperationFile};
use rendered::Rendered;
use seed::Seed;

/// A stage to deliver.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// What the plugin is given.
    pub(crate) plugin: PluginInput,
    /// Where ledger, plan and task runs are kept.
    pub(crate) state: PathBuf,
    /// Where a Prometheus with `file_sd_configs` finds the stage's processes.
    pub(crate) targets: PathBuf,
    /// Where spans go, as OTLP JSON lines.
    pub(crate) spans: PathBuf,
    /// Whether commands of this machine may be run as tasks and workloads.
    pub(crate) allow_local_commands: bool,
    /// Deliver again what has already passed.
    pub(crate) again: bool,
    /// Folder with one file per secret key, `<secret>/<key>`.
    pub(crate) secrets: Option<PathBuf>,
    /// More `HOST:PORT:ADDRESS:PORT` entries.
    pub(crate) resolve: Vec<String>,
}

/// How a delivery ended.
#[derive(Debug)]
pub(crate) struct Delivered {
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// In one line, why it is not a pass.
    pub(crate) reason: Option<String>,
    /// The ledger afterwards.
    pub(crate) ledger: Ledger,
    /// Number of the delivery that this was, or of the one that had already passed.
    pub(crate) delivery: u64,
    /// Number of the attempt.
    pub(crate) attempt: u64,
    /// False if this content had already been delivered.
    pub(crate) ran: bool,
}

/// Told what happens.
pub(crate) trait Progress {
    /// A step begins.
    fn step(&mut self, text: &str);
    /// Something about the step under way.
    fn detail(&mut self, text: &str);
}

impl Stage {
    /// Delivers the stage.
    ///
    /// # Errors
    /// When it could not be carried out. A delivery that was carried out and did not pass is no
    /// error.
    pub(crate) fn deliver(
        &self,
        cluster: &mut Cluster,
        progress: &mut dyn Progress,
    ) -> Result<Delivered, CommandError> {
        progress.step("render");
        let mut seed = Seed::of(&self.state)?;
        let mut manifests = self.render(&seed, progress)?;
        let mut rendered = Rendered::parse(&manifests)?;
        // Nothing is written for a chart that cannot be rendered.
        fs::create_dir_all(&self.state)
            .with_context(|| format!("the folder {} cannot be made", self.state.display()))
            .or_environment()?;
        let _lock = StageLock::take(&self.state)?;
        if !seed.keep()? {
            manifests = self.render(&seed, progress)?;
            rendered = Rendered::parse(&manifests)?;
        }
        lock::wait_for_hook(&self.ledger_path(), progress)?;
        let before = self.attempts()?;
        write_atomically(&self.state.join("manifests.yaml"), manifests.as_bytes())?;
        write_atomically(&self.plan(), rendered.plan_json.as_bytes())?;

        let file = OperationFile::in_folder(&self.state);
        let revision = rendered
            .plan
            .revision
            .clone()
            .unwrap_or_else(|| "local".to_owned());
        let subject = format!("{revision} {}", rendered.plan.digest);
        let operation = file.begin(&revision, &subject)?;

        let mut resolve = self.resolve.clone();
        let mut goes_on = true;
        if rendered.has_pre_sync {
            progress.step("PreSync");
            goes_on = self.hook("presync", "PreSync", &operation, &resolve, progress)?;
        }
        if goes_on {
            progress.step("Sync");
            let applied = cluster
                .apply(
                    &rendered.resources,
                    &rendered.plan.namespace,
                    self.allow_local_commands,
                )
                .or_environment()?;
            for notice in &applied.notices {
                progress.detail(notice);
            }
            let status = serde_json::json!({ "workloads": applied.workloads });
            write_atomically(
                &self.state.join("workloads.json"),
                status.to_string().as_bytes(),
            )?;
            let targets = serde_json::to_vec_pretty(&applied.targets).or_environment()?;
            make_parent(&self.targets)?;
            write_atomically(&self.targets, &targets)?;
            goes_on = applied.is_healthy();
            resolve.extend(applied.resolve);
            if goes_on {
                progress.step("PostSync");
                goes_on = self.hook("postsync", "PostSync", &operation, &resolve, progress)?;
            }
        }
        if !goes_on {
            progress.step("SyncFail");
            // The hook closes what is open; that it reports a failure is its purpose.
            self.hook("syncfail", "SyncFail", &operation, &resolve, progress)?;
        }
        file.end()?;
        self.delivered(&rendered, before)
    }

    fn render(&self, seed: &Seed, progress: &mut dyn Progress) -> Result<String, CommandError> {
        let mut plugin = self.plugin.clone();
        plugin.seed = Some(seed.path().to_owned());
        plugin.generate(&mut |line| progress.detail(line))
    }

    /// Reads the ledger; `None` if there is none yet.
    pub(crate) fn ledger(&self) -> Result<Option<Ledger>, CommandError> {
        read_ledger(&self.ledger_path())
    }

    /// The ledger's file.
    pub(crate) fn ledger_path(&self) -> PathBuf {
        self.state.join("ledger.json")
    }

    fn plan(&self) -> PathBuf {
        self.state.join("plan.json")
    }

    fn attempts(&self) -> Result<usize, CommandError> {
        let ledger = self.ledger()?;
        Ok(ledger.map_or(0, |ledger| {
            ledger
                .deliveries
                .iter()
                .map(|delivery| delivery.attempts.len())
                .sum()
        }))
    }

    /// Runs a hook; true if it passed.
    fn hook(
        &self,
        program: &str,
        hook: &str,
        operation: &Operation,
        resolve: &[String],
        progress: &mut dyn Progress,
    ) -> Result<bool, CommandError> {
        let mut command = programs::command(["hook", program])?;
        command
            .arg("--plan")
            .arg(self.plan())
            .arg("--ledger")
            .arg(self.ledger_path())
            .arg("--state-dir")
            .arg(&self.state)
            .arg("--spans-file")
            .arg(&self.spans)
            .args(["--operation", &operation.name])
            .args([
                "--job-uid",
                operation.jobs.get(hook).map_or("", String::as_str),
            ]);
        for entry in resolve {
            command.args(["--resolve", entry]);
        }
        if self.allow_local_commands {
            command.arg("--allow-local-commands");
        }
        if self.again {
            command.arg("--again");
        }
        if let Some(secrets) = &self.secrets {
            command.arg("--secrets").arg(secrets);
        }
        let mut last = String::new();
        stop::check()?;
        let code = programs::run_with_lines(command, |line| {
            progress.detail(line);
            if !line.is_empty() {
                last = line.to_owned();
            }
        })?;
        stop::check()?;
        match code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            None => Err(CommandError::environment(anyhow!(
                "the {hook} hook was killed; the delivery goes on when it is started again"
            ))),
            Some(code) => {
                let last = last.strip_prefix("error: ").unwrap_or(&last).to_owned();
                Err(CommandError::from_exit_code(
                    code,
                    anyhow!("the {hook} hook: {last}"),
                ))
            }
        }
    }

    fn delivered(
        &self,
        rendered: &Rendered,
        attempts_before: usize,
    ) -> Result<Delivered, CommandError> {
        let ledger = self
            .ledger()?
            .ok_or_else(|| {
                anyhow!(
                    "the hooks left no ledger at {}",
                    self.ledger_path().display()
                )
            })
            .or_environment()?;
        let found = ledger
            .deliveries
            .iter()
            .rev()
            .find(|delivery| delivery.digest == rendered.plan.digest)
            .and_then(|delivery| {
                let attempt = delivery.attempts.last()?;
                let outcome = attempt.outcome?;
                Some((
                    delivery.number,
                    attempt.number,
                    outcome,
                    attempt.reason.clone(),
                ))
            });
        let Some((delivery, attempt, outcome, reason)) = found else {
            return Err(CommandError::environment(anyhow!(
                "the ledger {} holds no closed attempt at this delivery",
                self.ledger_path().display()
            )));
        };
        let ran = self.attempts()? > attempts_before;
        Ok(Delivered {
            outcome,
            reason,
            ledger,
            delivery,
            attempt,
            ran,
        })
    }
}

fn make_parent(file: &Path) -> Result<(), CommandError> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    fs::create_dir_all(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))
        .or_environment()
}

/// Reads a ledger's file; `None` if there is none.
pub(crate) fn read_ledger(path: &Path) -> Result<Option<Ledger>, CommandError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error)
                .with_context(|| format!("the ledger {} cannot be read", path.display()))
                .or_environment();
        }
    };
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    let damaged = || {
        format!(
            "the ledger {} is damaged; put an older copy there, or move it away to begin anew",
            path.display()
        )
    };
    let Version { version } = serde_json::from_slice(&bytes)
        .with_context(damaged)
        .or_environment()?;
    if version > LEDGER_VERSION {
        return Err(CommandError::environment(anyhow!(
            "the ledger {} has version {version}, newer than this program reads ({LEDGER_VERSION}); use a newer stagelink",
            path.display()
        )));
    }
    serde_json::from_slice(&bytes)
        .with_context(damaged)
        .or_environment()
        .map(Some)
}
