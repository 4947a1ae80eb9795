//! Tasks on one machine: the built-in ones within the hook, all others as processes, if the user
//! allowed it.

use std::path::PathBuf;

use async_trait::async_trait;
use stagelink_delivery::Outcome;
use stagelink_delivery::ledger::ItemReport;
use stagelink_delivery::ports::{ItemEnd, TaskRequest, TaskRunner};
use stagelink_http::Resolve;
use stagelink_keptn::{Container, TaskDefinitionSpec};
use stagelink_promotion::Secret;
use stagelink_tasks::{CommandLine, Environment, builtin};
use tokio_util::sync::CancellationToken;

use crate::SecretFolder;

/// How tasks are run.
#[derive(Debug, Clone)]
pub struct LocalTasksSettings {
    /// Folder for what tasks leave behind, one folder for each.
    pub runs: PathBuf,
    /// Whether commands of this machine may be run.
    pub allow_local_commands: bool,
    /// Where secrets are.
    pub secrets: SecretFolder,
    /// Servers whose requests go to another address.
    pub resolve: Resolve,
    /// Words that start [`supervise`](crate::supervise) when a folder follows them.
    pub supervisor: Vec<String>,
}

/// Runs tasks on this machine.
#[derive(Debug)]
pub struct LocalTasks {
    pub(crate) settings: LocalTasksSettings,
}

/// A task that cannot be run: an outcome, a short cause, and what to do.
pub(crate) struct Refusal(
    pub(crate) Outcome,
    pub(crate) &'static str,
    pub(crate) String,
);

impl LocalTasks {
    /// A runner with these settings.
    pub fn new(settings: LocalTasksSettings) -> Self {
        Self { settings }
    }

    async fn run_builtin(
        &self,
        task: &TaskRequest<'_>,
        definition: &TaskDefinitionSpec,
        container: &Container,
        line: &CommandLine,
        cancel: &CancellationToken,
    ) -> Result<ItemEnd, Refusal> {
        let mut environment = Environment::for_task(task);
        environment.resolve = self.settings.resolve.clone();
        environment.secure_data = self
            .resolve(task, &container.env)?
            .into_iter()
            .find(|(name, _, _)| name == "SECURE_DATA")
            .map(|(_, value, _)| Secret::new(value));
        Ok(builtin::run_within(definition.timeout(), line, &environment, cancel).await)
    }
}

fn refused(Refusal(outcome, reason, message): Refusal) -> ItemEnd {
    ItemEnd {
        outcome,
        report: ItemReport {
            reason: reason.to_owned(),
            message,
            ..ItemReport::default()
        },
    }
}

#[async_trait]
impl TaskRunner for LocalTasks {
    async fn run(&self, task: &TaskRequest<'_>, cancel: &CancellationToken) -> ItemEnd {
        let Some(definition) = task.definition else {
            return refused(Refusal(
                Outcome::Error,
                "DefinitionNotFound",
                format!(
                    "there is no KeptnTaskDefinition {} in the chart; add it (definitions of a cluster are not known on this machine)",
                    task.definition_name
                ),
            ));
        };
        let program = match &definition.container {
            Some(container) => match builtin::parse(container) {
                Ok(Some(line)) => {
                    let run = self.run_builtin(task, definition, container, &line, cancel);
                    return run.await.unwrap_or_else(refused);
                }
                Ok(None) => self.container_program(task, container),
                Err(error) => Err(Refusal(
                    Outcome::Fail,
                    "InvalidArguments",
                    error.to_string(),
                )),
            },
            None => self.function_program(task, definition, &self.folder(task)),
        };
        match program {
            Ok(program) => match self.run_program(task, definition, &program, cancel).await {
                Ok(end) => end,
                Err(error) => refused(Refusal(
                    Outcome::Error,
                    "NotStarted",
                    format!("task {} cannot be run here: {error}", task.definition_name),
                )),
            },
            Err(refusal) => refused(refusal),
        }
    }
}
