//! From a definition to its Job: found, made, or refused.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::{Api, ResourceExt as _};
use serde_json::Value;
use stagelink_delivery::Outcome;
use stagelink_delivery::ports::{ItemEnd, SecretKey, Secrets as _, TaskRequest};
use stagelink_keptn::{Container, Runtime, TaskDefinitionSpec};
use stagelink_plan::{DefinitionMetadata, TraceParent};
use stagelink_promotion::Secret as SecretText;
use stagelink_tasks::{CommandLine, Environment, builtin};
use tokio_util::sync::CancellationToken;

use super::ClusterTasks;
use super::end::Refusal;
use super::job::{JobParts, Program, TASK_NAME, TRACE_PARENT, code_config_map, job, job_name};
use super::sight::job_end;
use crate::{ApiError, ClusterSecrets};

/// How often a Job is made again that is being deleted.
const TRIES: usize = 3;

/// A Job in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobId {
    pub(super) name: String,
    pub(super) uid: String,
}

impl ClusterTasks {
    pub(super) async fn run_definition(
        &self,
        task: &TaskRequest<'_>,
        cancel: &CancellationToken,
    ) -> Result<ItemEnd, Refusal> {
        let name = task.definition_name;
        let found = match task.definition {
            Some(_) => None,
            None => Some(self.definitions.task(name).await?),
        };
        let none = DefinitionMetadata::default();
        let (definition, metadata) = match (&found, task.definition) {
            (Some((spec, metadata)), _) => (spec, metadata),
            (None, Some(spec)) => (spec, task.plan.task_metadata.get(name).unwrap_or(&none)),
            // One of both is there.
            (None, None) => return Err(Refusal::error("DefinitionNotFound", name)),
        };
        let mut known = task.plan.task_definitions.clone();
        let function;
        let program = match &definition.container {
            Some(container) => match builtin::parse(container) {
                Ok(Some(line)) => {
                    return self
                        .run_builtin(task, definition, container, &line, cancel)
                        .await;
                }
                Ok(None) => Program::Container(container),
                Err(error) => {
                    let reason = "InvalidArguments".to_owned();
                    return Err(Refusal(Outcome::Fail, reason, error.to_string()));
                }
            },
            None => {
                function = self
                    .definitions
                    .function(name, definition, &mut known)
                    .await?;
                let Some(function) = &function else {
                    return Err(Refusal::error(
                        "InvalidDefinition",
                        format!("task definition {name} has neither container nor function"),
                    ));
                };
                let image = match function.runtime {
                    Runtime::Python => &self.settings.python_image,
                    _ => &self.settings.deno_image,
                };
                Program::Function { function, image }
            }
        };
        let parts = JobParts {
            task,
            definition,
            metadata,
            program,
            namespace: self.cluster.namespace(),
            owners: &self.settings.owners,
        };
        let id = tokio::select! {
            biased;
            () = cancel.cancelled() => {
                return Ok(self.stop_unknown(task).await);
            }
            id = self.start(&parts) => id?,
        };
        self.watch(&parts, &id, cancel).await
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
        environment.secure_data = self.secure_data(container).await?;
        Ok(builtin::run_within(definition.timeout(), line, &environment, cancel).await)
    }

    /// `SECURE_DATA` of a container that runs within the hook.
    async fn secure_data(&self, container: &Container) -> Result<Option<SecretText>, Refusal> {
        let mut variables = container.env.iter().rev();
        let Some(variable) = variables.find(|variable| variable.name == "SECURE_DATA") else {
            return Ok(None);
        };
        let Some(from) = &variable.value_from else {
            return Ok(variable.value.clone().map(SecretText::new));
        };
        let reference = &from["secretKeyRef"];
        let (Some(name), Some(key)) = (reference["name"].as_str(), reference["key"].as_str())
        else {
            return Err(Refusal::error(
                "Unsupported",
                "SECURE_DATA of a task within the hook comes from a Secret or is a value; give it secretKeyRef with name and key",
            ));
        };
        let namespace = self.cluster.namespace();
        let secrets = ClusterSecrets::new(&self.cluster);
        let value = secrets
            .get(&SecretKey {
                namespace,
                name,
                key,
            })
            .await;
        match value {
            Ok(Some(value)) => Ok(Some(SecretText::new(value.expose()))),
            Ok(None) if reference["optional"].as_bool() == Some(true) => Ok(None),
            Ok(None) => Err(Refusal::error(
                "SecretNotFound",
                format!("there is no key {key} in a Secret {namespace}/{name}; create it"),
            )),
            Err(error) => Err(Refusal::error("SecretUnreadable", error.to_string())),
        }
    }

    pub(super) fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.cluster.client(), self.cluster.namespace())
    }

    /// The task's Job: the one that is there, or a new one, with the code that it runs.
    async fn start(&self, parts: &JobParts<'_>) -> Result<JobId, Refusal> {
        let task = parts.task;
        let invalid =
            |error: serde_json::Error| Refusal::error("InvalidDefinition", error.to_string());
        let object = job(parts).map_err(invalid)?;
        let object: DynamicObject = serde_json::from_value(object).map_err(invalid)?;
        let resource = ApiResource::erase::<Job>(&());
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.cluster.client(), self.cluster.namespace(), &resource);
        let mut must_look = task.begun_before.is_some();
        for _ in 0..TRIES {
            if must_look {
                if let Some((id, is_ending)) = self.find(task).await? {
                    if !is_ending {
                        (self.settings.tell)(task.name, &format!("goes on as Job {}", id.name));
                        self.add_code(parts, &id).await?;
                        return Ok(id);
                    }
                    self.wait_until_gone(&id).await?;
                }
                self.check_never_ended(task, parts.definition)?;
            }
            match api
                .create(&Default::default(), &object)
                .await
                .map_err(ApiError::from)
            {
                Ok(created) => {
                    let id = JobId {
                        name: created.name_any(),
                        uid: created.uid().unwrap_or_default(),
                    };
                    (self.settings.tell)(task.name, &format!("runs as Job {}", id.name));
                    self.add_code(parts, &id).await?;
                    return Ok(id);
                }
                Err(error) if error.is_already_exists() => must_look = true,
                Err(error) => {
                    return Err(Refusal::error(
                        "JobRefused",
                        format!("its Job {} cannot be made: {error}", job_name(task)),
                    ));
                }
            }
        }
        Err(Refusal::error(
            "JobRefused",
            format!(
                "its Job {} is deleted as often as it is made",
                job_name(task)
            ),
        ))
    }

    /// The task's Job, and whether it is being deleted before it has ended.
    pub(super) async fn find(
        &self,
        task: &TaskRequest<'_>,
    ) -> Result<Option<(JobId, bool)>, Refusal> {
        let name = job_name(task);
        let found = self.jobs().get_opt(&name).await.map_err(|error| {
            let error = ApiError::from(error);
            Refusal::error(
                "JobUnreadable",
                format!("its Job {name} cannot be read: {error}"),
            )
        })?;
        let Some(found) = found else {
            return Ok(None);
        };
        let annotation = |key: &str| found.annotations().get(key).map(String::as_str);
        let trace_parent =
            annotation(TRACE_PARENT).and_then(|text| text.parse::<TraceParent>().ok());
        let is_ours = annotation(TASK_NAME) == Some(task.name)
            && trace_parent.is_some_and(|its| its.trace_id() == task.trace_parent.trace_id());
        if !is_ours {
            return Err(Refusal::error(
                "NameTaken",
                format!(
                    "Job {}/{name} is there and is not of this attempt; delete it, and sync again",
                    self.cluster.namespace()
                ),
            ));
        }
        let id = JobId {
            uid: found.uid().unwrap_or_default(),
            name,
        };
        let is_ending = found.metadata.deletion_timestamp.is_some() && job_end(&found).is_none();
        Ok(Some((id, is_ending)))
    }

    /// A task that was begun may have ended, and its Job be gone since, once its `ttl` is over. Before
    /// that a Job that is not there was never made, or somebody deleted it and wants it made again.
    fn check_never_ended(
        &self,
        task: &TaskRequest<'_>,
        definition: &TaskDefinitionSpec,
    ) -> Result<(), Refusal> {
        let Some(begun) = task.begun_before else {
            return Ok(());
        };
        let ago = Timestamp::now().duration_since(begun).as_secs();
        if ago < i64::from(definition.ttl_seconds()) {
            return Ok(());
        }
        Err(Refusal::error(
            "ResultLost",
            format!(
                "it was begun {ago} s ago, and its Job {} is not there any more: whether it has run is not known; sync again to run it again",
                job_name(task)
            ),
        ))
    }

    async fn add_code(&self, parts: &JobParts<'_>, id: &JobId) -> Result<(), Refusal> {
        let Some(code) = parts.program.code() else {
            return Ok(());
        };
        let namespace = self.cluster.namespace();
        let refused = |error: &dyn std::fmt::Display| {
            Refusal::error(
                "CodeRefused",
                format!(
                    "the ConfigMap {} with its code cannot be made: {error}",
                    id.name
                ),
            )
        };
        let map: Value = code_config_map(&id.name, namespace, &id.uid, code);
        let map: ConfigMap = serde_json::from_value(map).map_err(|error| refused(&error))?;
        let api: Api<ConfigMap> = Api::namespaced(self.cluster.client(), namespace);
        match api
            .create(&Default::default(), &map)
            .await
            .map_err(ApiError::from)
        {
            Ok(_) => Ok(()),
            Err(error) if error.is_already_exists() => Ok(()),
            Err(error) => {
                let refusal = refused(&error);
                // It would wait for its code for ever.
                let _ = self.delete(id).await;
                Err(refusal)
            }
        }
    }
}
