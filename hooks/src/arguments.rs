//! The command line of the hooks.

use std::path::PathBuf;

use clap::Parser;
use stagelink_delivery::engine::Hook;
use stagelink_http::Resolve;

use crate::links::TraceUrl;
use crate::place::LedgerPlace;

/// What a hook is told. Each flag has an environment variable, so that a Job can use either.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// The plan, as the plugin wrote it
    #[arg(long, value_name = "FILE", env = "STAGELINK_PLAN")]
    pub plan: PathBuf,
    /// The ledger, a file or a ConfigMap; made if it is not there. With a ConfigMap, tasks, workloads
    /// and secrets are the cluster's: that of KUBECONFIG, else the one that this runs in
    #[arg(long, value_name = "FILE|configmap:NAME", env = "STAGELINK_LEDGER")]
    pub ledger: LedgerPlace,
    /// How Argo CD notes that the ConfigMap belongs to an Application, and goes with it
    #[arg(long, value_name = "ID", env = "STAGELINK_LEDGER_TRACKING_ID")]
    pub ledger_tracking_id: Option<String>,
    /// Namespace of the ConfigMap and of tasks [default: the service account's]
    #[arg(long, value_name = "NAMESPACE", env = "STAGELINK_NAMESPACE")]
    pub namespace: Option<String>,
    /// Name of this hook's Job, or what is common to the names of the sync operation's Jobs:
    /// REVISION-START
    #[arg(long, value_name = "NAME", env = "STAGELINK_OPERATION")]
    pub operation: String,
    /// UID of this hook's Job; another one under the same operation is an automatic retry
    #[arg(long, value_name = "UID", env = "STAGELINK_JOB_UID")]
    pub job_uid: String,
    /// What this hook is in the cluster; the Jobs of its tasks are then owned by it
    #[arg(long, value_name = "KIND", env = "STAGELINK_HOOK_KIND")]
    pub hook_kind: Option<HookKind>,
    /// Folder for what tasks leave behind, and for workloads.json [default: the ledger's]
    #[arg(long, value_name = "FOLDER", env = "STAGELINK_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Append finished spans to a file, one OTLP-JSON request per line
    #[arg(long, value_name = "FILE", env = "STAGELINK_SPANS_FILE")]
    pub spans_file: Option<PathBuf>,
    /// Folder with secrets: FOLDER/SECRET/KEY
    #[arg(long, value_name = "FOLDER", env = "STAGELINK_SECRETS")]
    pub secrets: Option<PathBuf>,
    /// Namespace in which metrics are looked for after the app's
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "STAGELINK_KEPTN_NAMESPACE",
        default_value = "keptn-system"
    )]
    pub keptn_namespace: String,
    /// Image that runs functions for Deno in a cluster [default: Keptn's]
    #[arg(long, value_name = "IMAGE", env = "FUNCTION_RUNNER_IMAGE")]
    pub deno_image: Option<String>,
    /// Image that runs functions for Python in a cluster [default: Keptn's]
    #[arg(long, value_name = "IMAGE", env = "PYTHON_RUNNER_IMAGE")]
    pub python_image: Option<String>,
    /// Allow tasks to run commands of this machine
    #[arg(long, env = "STAGELINK_ALLOW_LOCAL_COMMANDS")]
    pub allow_local_commands: bool,
    /// Deliver although this content has already passed
    #[arg(long, env = "STAGELINK_AGAIN")]
    pub again: bool,
    /// Let an automatic retry run again what failed, instead of remembering the verdict
    #[arg(long, env = "STAGELINK_RETRY_FAILED")]
    pub retry_failed: bool,
    /// Send requests of built-in tasks and metrics for HOST:PORT to another address
    #[arg(
        long,
        value_name = "HOST:PORT:ADDRESS:PORT",
        env = "STAGELINK_RESOLVE",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub resolve: Vec<Resolve>,
    /// Seconds to wait for a tracing backend, in all
    #[arg(
        long,
        value_name = "SECONDS",
        env = "STAGELINK_EXPORT_TIMEOUT",
        default_value_t = 5
    )]
    pub export_timeout: u64,
    /// Where a trace can be seen; {traceId} stands for its id. Argo CD shows it at the hook's Job
    #[arg(long, value_name = "URL", env = "STAGELINK_TRACE_URL")]
    pub trace_url: Option<TraceUrl>,
    /// Write the last line, why it did not pass, to this file too
    #[arg(long, value_name = "FILE", env = "STAGELINK_TERMINATION_LOG")]
    pub termination_log: Option<PathBuf>,
}

/// What Argo CD makes of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum HookKind {
    /// A Job, with this in its pod.
    Job,
    /// A pod of its own.
    Pod,
}

/// The name of a hook's program.
pub(crate) fn program(hook: Hook) -> &'static str {
    match hook {
        Hook::PreSync => "stagelink-presync",
        Hook::PostSync => "stagelink-postsync",
        Hook::SyncFail => "stagelink-syncfail",
    }
}

/// What a hook does, in a sentence.
pub(crate) fn about(hook: Hook) -> &'static str {
    match hook {
        Hook::PreSync => "Runs a plan's tasks and evaluations before the sync",
        Hook::PostSync => {
            "Waits for the workloads, then runs a plan's tasks, evaluations and promotion"
        }
        Hook::SyncFail => "Closes the delivery of a sync that failed",
    }
}

/// Help by example.
pub(crate) fn examples(hook: Hook) -> String {
    format!(
        "Example:
  {} --plan plan.json --ledger ledger.json --operation 0a1b2c3-1700000000 --job-uid one

Spans go to a tracing backend too if OTEL_EXPORTER_OTLP_ENDPOINT is set; all standard OTEL_* variables
count.

Exit codes: 0 passed, 1 did not pass, 2 usage or input error, 3 broken environment,
143 asked to stop: it goes on when it runs again.",
        program(hook)
    )
}
