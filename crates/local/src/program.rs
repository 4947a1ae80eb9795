//! What a task runs on this machine: a container's command, or a function with its runtime.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stagelink_delivery::Outcome;
use stagelink_delivery::ports::TaskRequest;
use stagelink_keptn::{Container, FunctionSource, Runtime, TaskDefinitionSpec};

use crate::json::go_json;
use crate::task_runner::{LocalTasks, Refusal};

/// A command of this machine that a task stands for.
pub(crate) struct Program {
    pub(crate) command: Vec<String>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) environment: Vec<(String, String)>,
    /// Texts that must not be seen in messages.
    pub(crate) secrets: Vec<String>,
    /// A script to be written before the command runs.
    pub(crate) script: Option<(PathBuf, String)>,
}

impl LocalTasks {
    /// Name, value and whether it is secret, of a container's variables.
    pub(crate) fn container_environment(
        &self,
        task: &TaskRequest<'_>,
        container: &Container,
    ) -> Result<Vec<(String, String, bool)>, Refusal> {
        let mut variables = Vec::new();
        for variable in &container.env {
            let reference = variable
                .value_from
                .as_ref()
                .map(|from| &from["secretKeyRef"]);
            match (&variable.value, reference) {
                (_, Some(reference)) if reference.is_object() => {
                    let text = |key: &str| reference[key].as_str().unwrap_or_default();
                    let is_optional = reference["optional"].as_bool().unwrap_or(false);
                    match self.secret(text("name"), text("key"))? {
                        Some(value) => variables.push((variable.name.clone(), value, true)),
                        None if is_optional => {}
                        None => return Err(missing_secret(text("name"), text("key"))),
                    }
                }
                (_, Some(_)) => {
                    return Err(Refusal(
                        Outcome::Error,
                        "Unsupported",
                        format!(
                            "variable {} of task {} comes from a part of the cluster; on this machine only values and Secrets are known",
                            variable.name, task.definition_name
                        ),
                    ));
                }
                (Some(value), None) => {
                    variables.push((variable.name.clone(), value.clone(), false))
                }
                (None, None) => variables.push((variable.name.clone(), String::new(), false)),
            }
        }
        Ok(variables)
    }

    fn secret(&self, name: &str, key: &str) -> Result<Option<String>, Refusal> {
        match self.settings.secrets.read(name, key) {
            Ok(value) => Ok(value.map(|value| value.expose().to_owned())),
            Err(error) => Err(Refusal(
                Outcome::Error,
                "SecretUnreadable",
                error.to_string(),
            )),
        }
    }

    pub(crate) fn container_program(
        &self,
        task: &TaskRequest<'_>,
        container: &Container,
    ) -> Result<Program, Refusal> {
        let definition = task.definition_name;
        let Some(executable) = container.command.first() else {
            return Err(Refusal(
                Outcome::Error,
                "Unsupported",
                format!(
                    "task {definition} runs the image {}, which needs a cluster; on this machine name a command, or use Stagelink's task image",
                    container.image.as_deref().unwrap_or("of no name")
                ),
            ));
        };
        if !is_command(executable) {
            return Err(Refusal(
                Outcome::Error,
                "CommandNotFound",
                format!("the command {executable} of task {definition} is not on this machine"),
            ));
        }
        self.allowed(task, executable)?;
        let mut environment = Vec::new();
        let mut secrets = Vec::new();
        for (name, value, is_secret) in self.container_environment(task, container)? {
            if is_secret {
                secrets.push(value.clone());
            }
            environment.push((name, value));
        }
        environment.push(("KEPTN_CONTEXT".to_owned(), context(task)?));
        Ok(Program {
            command: container
                .command
                .iter()
                .chain(&container.args)
                .cloned()
                .collect(),
            folder: container.working_dir.as_ref().map(PathBuf::from),
            environment,
            secrets,
            script: None,
        })
    }

    fn allowed(&self, task: &TaskRequest<'_>, executable: &str) -> Result<(), Refusal> {
        if self.settings.allow_local_commands {
            return Ok(());
        }
        Err(Refusal(
            Outcome::Error,
            "NotAllowed",
            format!(
                "task {} wants to run {executable} on this machine; --allow-local-commands allows it",
                task.definition_name
            ),
        ))
    }

    /// A function for Deno or Python, with Keptn's environment in Keptn's order.
    pub(crate) fn function_program(
        &self,
        task: &TaskRequest<'_>,
        definition: &TaskDefinitionSpec,
        run: &Path,
    ) -> Result<Program, Refusal> {
        let name = task.definition_name;
        let found = definition
            .resolve_function(name, |other| task.plan.task_definitions.get(other))
            .map_err(|error| Refusal(Outcome::Error, "InvalidDefinition", error.to_string()))?;
        let Some(function) = found else {
            return Err(Refusal(
                Outcome::Error,
                "InvalidDefinition",
                format!("task definition {name} has neither container nor function"),
            ));
        };
        let FunctionSource::Inline(code) = function.source else {
            return Err(Refusal(
                Outcome::Error,
                "Unsupported",
                format!(
                    "the code of task {name} is in the cluster or on a server; on this machine only inline code runs"
                ),
            ));
        };
        let (program, file) = match function.runtime {
            Runtime::Python => ("python3", "function.py"),
            _ => ("deno", "function.ts"),
        };
        if !is_command(program) {
            return Err(Refusal(
                Outcome::Error,
                "CommandNotFound",
                format!("task {name} needs {program}, which is not on this machine"),
            ));
        }
        self.allowed(task, program)?;
        let script = run.join(file);
        let path = script.to_string_lossy().into_owned();
        let mut environment = Vec::new();
        let mut secrets = Vec::new();
        if !function.parameters.is_empty() {
            environment.push(("DATA".to_owned(), to_json(&function.parameters)?));
        }
        environment.push(("KEPTN_CONTEXT".to_owned(), context(task)?));
        environment.push(("CMD_ARGS".to_owned(), function.cmd_parameters.to_owned()));
        if let Some(secret) = function.secret {
            let value = self
                .secret(secret, "SECURE_DATA")?
                .ok_or_else(|| missing_secret(secret, "SECURE_DATA"))?;
            secrets.push(value.clone());
            environment.push(("SECURE_DATA".to_owned(), value));
        }
        environment.push(("SCRIPT".to_owned(), path.clone()));
        let mut command = vec![program.to_owned()];
        match function.runtime {
            Runtime::Python => {
                command.extend(
                    function
                        .cmd_parameters
                        .split_whitespace()
                        .map(str::to_owned),
                );
            }
            _ => command.extend(
                [
                    "run",
                    "--allow-net",
                    "--allow-write",
                    "--allow-read",
                    "--allow-env=DATA,SECURE_DATA,KEPTN_CONTEXT",
                ]
                .map(str::to_owned),
            ),
        }
        command.push(path);
        Ok(Program {
            command,
            folder: None,
            environment,
            secrets,
            script: Some((script, code.to_owned())),
        })
    }
}

fn missing_secret(name: &str, key: &str) -> Refusal {
    Refusal(
        Outcome::Error,
        "SecretNotFound",
        format!(
            "Secret {name} has no key {key} here; put it into FOLDER/{name}/{key} and name the folder by --secrets"
        ),
    )
}

fn to_json(document: &BTreeMap<String, String>) -> Result<String, Refusal> {
    go_json(document)
        .map_err(|error| Refusal(Outcome::Error, "InvalidDefinition", error.to_string()))
}

fn context(task: &TaskRequest<'_>) -> Result<String, Refusal> {
    go_json(&task.context)
        .map_err(|error| Refusal(Outcome::Error, "InvalidDefinition", error.to_string()))
}

fn is_command(executable: &str) -> bool {
    if executable.contains('/') {
        return Path::new(executable).is_file();
    }
    std::env::var_os("PATH").is_some_and(|paths| {
        std::env::split_paths(&paths).any(|folder| folder.join(executable).is_file())
    })
}
