//! What a task runs on this machine: a container's command, or a function with its runtime.

use std::path::{Path, PathBuf};

use stagelink_delivery::Outcome;
use stagelink_delivery::ports::TaskRequest;
use stagelink_keptn::{
    Container, EnvironmentVariable, FunctionSource, Runtime, TaskDefinitionSpec,
};
use stagelink_tasks::{container_variables, function_variables};

use crate::task_runner::{LocalTasks, Refusal};

/// Name and value of each variable of a process.
type Variables = Vec<(String, String)>;

/// A command of this machine that a task stands for.
pub(crate) struct Program {
    pub(crate) command: Vec<String>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) environment: Variables,
    /// Texts that must not be seen in messages.
    pub(crate) secrets: Vec<String>,
    /// A script to be written before the command runs.
    pub(crate) script: Option<(PathBuf, String)>,
}

impl LocalTasks {
    /// Name, value and whether it is secret, of a task's variables.
    pub(crate) fn resolve(
        &self,
        task: &TaskRequest<'_>,
        given: &[EnvironmentVariable],
    ) -> Result<Vec<(String, String, bool)>, Refusal> {
        let mut variables = Vec::new();
        for variable in given {
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

    /// The environment of a process, and what of it is secret.
    fn environment(
        &self,
        task: &TaskRequest<'_>,
        variables: &[EnvironmentVariable],
    ) -> Result<(Variables, Vec<String>), Refusal> {
        let resolved = self.resolve(task, variables)?;
        let secrets = resolved.iter().filter(|(_, _, is_secret)| *is_secret);
        let secrets = secrets.map(|(_, value, _)| value.clone()).collect();
        let environment = resolved.into_iter().map(|(name, value, _)| (name, value));
        Ok((environment.collect(), secrets))
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
        let variables = container_variables(container, task).map_err(invalid)?;
        let (environment, secrets) = self.environment(task, &variables)?;
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
        let variables = function_variables(&function, &path, task).map_err(invalid)?;
        let (environment, secrets) = self.environment(task, &variables)?;
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

fn invalid(error: serde_json::Error) -> Refusal {
    Refusal(Outcome::Error, "InvalidDefinition", error.to_string())
}

fn is_command(executable: &str) -> bool {
    if executable.contains('/') {
        return Path::new(executable).is_file();
    }
    std::env::var_os("PATH").is_some_and(|paths| {
        std::env::split_paths(&paths).any(|folder| folder.join(executable).is_file())
    })
}
