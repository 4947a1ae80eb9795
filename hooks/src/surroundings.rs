//! What a hook works with: a cluster, or this machine.

use std::path::Path;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use stagelink_delivery::ports::{
    Definitions, LedgerStore, NoDefinitions, Secrets, StoreError, TaskRunner, WorkloadWatcher,
};
use stagelink_http::Resolve;
use stagelink_kubernetes::{
    Cluster, ClusterDefinitions, ClusterEvents, ClusterSecrets, ClusterTasks, ClusterTasksSettings,
    ClusterWorkloads, ConnectError, LedgerConfigMap,
};
use stagelink_local::{LedgerFile, LocalTasks, LocalTasksSettings, SecretFolder, WorkloadFile};
use tokio_util::sync::CancellationToken;

use crate::arguments::{Arguments, HookKind};
use crate::place::LedgerPlace;
use crate::report::Lines;

/// The implementations of the engine's traits.
pub(crate) struct Surroundings {
    pub(crate) store: Box<dyn LedgerStore>,
    pub(crate) tasks: Box<dyn TaskRunner>,
    pub(crate) workloads: Box<dyn WorkloadWatcher>,
    pub(crate) secrets: Arc<dyn Secrets>,
    /// Definitions, metrics and providers that are not in the plan.
    pub(crate) definitions: Arc<dyn Definitions>,
    /// The cluster, if there is one.
    pub(crate) cluster: Option<Cluster>,
    /// Its events, if it knows this hook.
    pub(crate) events: Option<ClusterEvents>,
}

/// Why a hook has nothing to work with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SurroundingsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cluster(#[from] ConnectError),
    #[error("this machine cannot run hooks: {0}")]
    Machine(#[from] std::io::Error),
}

impl Surroundings {
    /// Those of the place where the ledger is. `interrupted` fires when the hook must end.
    pub(crate) async fn of(
        arguments: &Arguments,
        resolve: &Resolve,
        interrupted: &CancellationToken,
    ) -> Result<Self, SurroundingsError> {
        match &arguments.ledger {
            LedgerPlace::File(path) => Self::machine(path, arguments, resolve),
            LedgerPlace::ConfigMap(name) => {
                let cluster = Cluster::connect(arguments.namespace.as_deref()).await?;
                Ok(Self::cluster(
                    &cluster,
                    name,
                    arguments,
                    resolve,
                    interrupted,
                ))
            }
        }
    }

    fn machine(
        ledger: &Path,
        arguments: &Arguments,
        resolve: &Resolve,
    ) -> Result<Self, SurroundingsError> {
        let beside = || ledger.parent().map(Path::to_owned).unwrap_or_default();
        let state = arguments.state_dir.clone().unwrap_or_else(beside);
        let secrets = SecretFolder::new(arguments.secrets.as_deref());
        Ok(Self {
            store: Box::new(LedgerFile::open_or_create(ledger)?),
            tasks: Box::new(LocalTasks::new(LocalTasksSettings {
                runs: state.join("runs"),
                allow_local_commands: arguments.allow_local_commands,
                secrets: secrets.clone(),
                resolve: resolve.clone(),
                supervisor: supervisor()?,
            })),
            workloads: Box::new(WorkloadFile::in_folder(&state)),
            secrets: Arc::new(secrets),
            definitions: Arc::new(NoDefinitions),
            cluster: None,
            events: None,
        })
    }

    fn cluster(
        cluster: &Cluster,
        ledger: &str,
        arguments: &Arguments,
        resolve: &Resolve,
        interrupted: &CancellationToken,
    ) -> Self {
        let defaults = ClusterTasksSettings::default();
        let tasks = ClusterTasks::new(
            cluster,
            ClusterTasksSettings {
                owners: owner(arguments).into_iter().collect(),
                keptn_namespace: arguments.keptn_namespace.clone(),
                deno_image: arguments.deno_image.clone().unwrap_or(defaults.deno_image),
                python_image: arguments
                    .python_image
                    .clone()
                    .unwrap_or(defaults.python_image),
                resolve: resolve.clone(),
                interrupted: interrupted.clone(),
                tell: Arc::new(|task, line| Lines.line(&format!("  {task}: {line}"))),
                ..ClusterTasksSettings::default()
            },
        );
        Self {
            store: Box::new(
                LedgerConfigMap::new(cluster, ledger)
                    .with_tracking_id(arguments.ledger_tracking_id.as_deref())
                    .with_tell(|line| Lines.line(&format!("warning: {line}"))),
            ),
            tasks: Box::new(tasks),
            workloads: Box::new(ClusterWorkloads::new(cluster)),
            secrets: Arc::new(ClusterSecrets::new(cluster)),
            definitions: Arc::new(ClusterDefinitions::new(cluster)),
            cluster: Some(cluster.clone()),
            events: owner(arguments).map(|hook| ClusterEvents::new(cluster, hook)),
        }
    }
}

/// This hook's own Job or pod owns the Jobs of its tasks: they end with it, when Argo CD terminates
/// the sync or when its time is over. An owner that is not there would be the end of them at once.
fn owner(arguments: &Arguments) -> Option<OwnerReference> {
    let (api_version, kind) = match arguments.hook_kind? {
        HookKind::Job => ("batch/v1", "Job"),
        HookKind::Pod => ("v1", "Pod"),
    };
    Some(OwnerReference {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: arguments.operation.clone(),
        uid: arguments.job_uid.clone(),
        ..OwnerReference::default()
    })
}

/// The words that start a supervisor: `stagelink-task` beside this program, or this program itself if
/// it holds all of them.
fn supervisor() -> std::io::Result<Vec<String>> {
    let program = std::env::current_exe()?;
    let beside = program.with_file_name("stagelink-task");
    let name = program
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let words = if name.starts_with("stagelink-") && beside.is_file() {
        vec![
            beside.to_string_lossy().into_owned(),
            "supervise".to_owned(),
        ]
    } else {
        vec![
            program.to_string_lossy().into_owned(),
            "task".to_owned(),
            "supervise".to_owned(),
        ]
    };
    Ok(words)
}
