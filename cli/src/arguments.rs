//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Carries a release through its stages under Argo CD, and leaves one linked trace from the commit
/// to production.
#[derive(Debug, Parser)]
#[command(
    name = "stagelink",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 passed, 1 did not pass, 2 usage or input error, 3 broken environment."
)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Play the whole way of one release on this machine, offline: dev, promotion, prod
    #[command(after_help = "Examples:
  stagelink demo                                  in a temporary folder that is kept
  stagelink demo --dir /tmp/demo -o json          a summary for programs
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 stagelink demo
                                                  the same spans to a tracing backend too")]
    Demo(DemoArguments),
    /// Render a chart as the plugin does
    #[command(
        override_usage = "stagelink template [OPTIONS] [NAME] [DIR]",
        after_help = "Examples:
  stagelink template charts/simple-go-dev --set serviceVersion=v2
  stagelink template charts/simple-go-dev --chart-only     what `helm template` prints
  stagelink template charts/simple-go-dev -s templates/keptnappcontext.yaml"
    )]
    Template(TemplateArguments),
    /// Deliver one stage on this machine; goes on where a killed delivery stopped
    #[command(after_help = "Examples:
  stagelink deliver charts/simple-go-dev --stage dev --set metrics.provider=stagelink
  stagelink deliver charts/my-app --stage dev --revision $(git rev-parse HEAD) --allow-local-commands
  stagelink deliver charts/my-app --stage dev --again      although this content has passed")]
    Deliver(DeliverArguments),
    /// Check a chart and its Keptn resources; tells everything that it finds
    #[command(after_help = "Examples:
  stagelink lint charts/simple-go-dev
  stagelink lint charts/simple-go-dev --set targetResponseTime='=5' -o json")]
    Lint(LintArguments),
    /// Which commit is in which stage, and why it is not further
    #[command(after_help = "Examples:
  stagelink status                       the ledgers below .stagelink
  stagelink status /tmp/demo -o json")]
    Status(StatusArguments),
    /// Show traces: a tree in the terminal, or a page to open in a browser
    #[command(after_help = "Examples:
  stagelink trace /tmp/demo/spans.jsonl
  stagelink trace .stagelink/dev/ledger.json --html trace.html")]
    Trace(TraceArguments),
    /// Print the completion script of a shell
    #[command(after_help = "Example:
  stagelink completions bash > /etc/bash_completion.d/stagelink")]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// The config-management plugin (`stagelink-cmp`)
    #[command(hide = true, disable_help_flag = true)]
    Cmp(Words),
    /// A hook: presync, postsync or syncfail (`stagelink-presync`, …)
    #[command(hide = true, disable_help_flag = true)]
    Hook(Words),
    /// A built-in task (`stagelink-task`)
    #[command(hide = true, disable_help_flag = true)]
    Task(Words),
    /// What git asks for user name and password (`stagelink-askpass`)
    #[command(hide = true, disable_help_flag = true)]
    Askpass(Words),
    /// The demo's HTTP service
    #[command(hide = true, disable_help_flag = true, name = "demo-service")]
    DemoService(Words),
}

/// The command line of another program.
#[derive(Debug, Args)]
pub(crate) struct Words {
    /// Its words.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<std::ffi::OsString>,
}

/// How a summary is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SummaryFormat {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For programs and people.
    Yaml,
}

/// `stagelink demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Folder for everything that the demo makes; must be new or empty [default: a temporary one]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    /// Leave the promotion's branch unmerged; prod then stays on v1
    #[arg(long)]
    pub(crate) no_merge: bool,
    /// Evaluate with a real Prometheus; it finds its targets by file_sd_configs in
    /// FOLDER/prometheus/*.json
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus: Option<String>,
    /// Print every line of the plugin and the hooks
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// How to print the summary
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: SummaryFormat,
}

/// What `helm template` takes, under Helm's names.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Values and chart")]
pub(crate) struct ChartArguments {
    /// The chart's folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) chart: PathBuf,
    /// Values file; may be given several times, later ones win
    #[arg(
        long = "values",
        short = 'f',
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub(crate) value_files: Vec<String>,
    /// Set a value: a.b=c; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Set a value that stays a text
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set_string: Vec<String>,
    /// Set a value to the content of a file
    #[arg(long, value_name = "KEY=FILE")]
    pub(crate) set_file: Vec<String>,
    /// Set values as JSON: KEY=JSON, or a JSON object
    #[arg(long, value_name = "JSON")]
    pub(crate) set_json: Vec<String>,
    /// Set a value to a text in which nothing has a meaning
    #[arg(long, value_name = "KEY=TEXT")]
    pub(crate) set_literal: Vec<String>,
    /// Release name [default: the Application's]
    #[arg(long, value_name = "NAME")]
    pub(crate) release_name: Option<String>,
    /// Namespace that is deployed to
    #[arg(long, short, value_name = "NAMESPACE", default_value = "default")]
    pub(crate) namespace: String,
    /// Kubernetes version that the chart sees
    #[arg(long, value_name = "VERSION", default_value = "")]
    pub(crate) kube_version: String,
    /// API version that the chart sees; may be given several times
    #[arg(long, short, value_name = "VERSION", value_delimiter = ',')]
    pub(crate) api_versions: Vec<String>,
    /// Leave out the CRDs of the chart's crds folder
    #[arg(long)]
    pub(crate) skip_crds: bool,
    /// Print the CRDs of the chart's crds folder, which is the default; undoes --skip-crds
    #[arg(long, overrides_with = "skip_crds")]
    pub(crate) include_crds: bool,
    /// Leave out test hooks
    #[arg(long)]
    pub(crate) skip_tests: bool,
    /// Do not check values against values.schema.json
    #[arg(long)]
    pub(crate) skip_schema_validation: bool,
}

/// What Argo CD would know of the stage.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Stage")]
pub(crate) struct StageArguments {
    /// Name of the stage [default: the chart folder's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) stage: Option<String>,
    /// Name of the Argo CD Application [default: the chart folder's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) application: Option<String>,
    /// The revision that is delivered [default: HEAD of the chart's git repository, if it is in one]
    #[arg(long, value_name = "COMMIT")]
    pub(crate) revision: Option<String>,
    /// The previous stage's traceparent, over the chart's value
    #[arg(long, value_name = "TRACEPARENT")]
    pub(crate) trace_parent: Option<String>,
    /// A parameter of the plugin, as in the Application; may be given several times
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<String>,
}

/// `stagelink template`
#[derive(Debug, Args)]
pub(crate) struct TemplateArguments {
    /// Values and chart.
    #[command(flatten)]
    pub(crate) chart: ChartArguments,
    /// The stage.
    #[command(flatten)]
    pub(crate) stage: StageArguments,
    /// With two words the first is the release name, as with `helm template NAME DIR`
    #[arg(value_name = "DIR", hide = true)]
    pub(crate) second: Option<PathBuf>,
    /// Print what the chart alone gives: no plan, no hooks, nothing injected
    #[arg(long)]
    pub(crate) chart_only: bool,
    /// Leave out what Helm runs as hooks
    #[arg(long, requires = "chart_only")]
    pub(crate) no_hooks: bool,
    /// Set .Release.IsUpgrade instead of .Release.IsInstall
    #[arg(long, requires = "chart_only")]
    pub(crate) is_upgrade: bool,
    /// Write each template's manifests to a file below this folder instead of printing them
    #[arg(long, value_name = "FOLDER")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Print only manifests of these templates
    #[arg(long, short, value_name = "TEMPLATE")]
    pub(crate) show_only: Vec<String>,
}

/// `stagelink deliver`
#[derive(Debug, Args)]
pub(crate) struct DeliverArguments {
    /// Values and chart.
    #[command(flatten)]
    pub(crate) chart: ChartArguments,
    /// The stage.
    #[command(flatten)]
    pub(crate) stage: StageArguments,
    /// Folder for ledgers, plans and spans; each stage has one of its own in it
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = ".stagelink",
        env = "STAGELINK_STATE_DIR"
    )]
    pub(crate) state_dir: PathBuf,
    /// Allow tasks and Deployments to run commands of this machine
    #[arg(long)]
    pub(crate) allow_local_commands: bool,
    /// Deliver although this content has already passed
    #[arg(long)]
    pub(crate) again: bool,
    /// Folder with secrets for tasks and metrics: FOLDER/SECRET/KEY
    #[arg(long, value_name = "FOLDER")]
    pub(crate) secrets: Option<PathBuf>,
    /// Send requests of built-in tasks for HOST:PORT to an address, like curl's --connect-to
    #[arg(long, value_name = "HOST:PORT:ADDRESS:PORT")]
    pub(crate) resolve: Vec<String>,
    /// Print every line of the plugin and the hooks
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// How to print the summary
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: SummaryFormat,
}

/// `stagelink lint`
#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    /// Values and chart.
    #[command(flatten)]
    pub(crate) chart: ChartArguments,
    /// The stage.
    #[command(flatten)]
    pub(crate) stage: StageArguments,
    /// How to print the findings
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: SummaryFormat,
}

/// `stagelink status`
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Ledgers, or folders to look for ledgers in
    #[arg(value_name = "PATH", default_value = ".stagelink")]
    pub(crate) paths: Vec<PathBuf>,
    /// How to print the stages
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: SummaryFormat,
}

/// `stagelink trace`
#[derive(Debug, Args)]
pub(crate) struct TraceArguments {
    /// `spans.jsonl`, a ledger, or a folder to look for them in
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Write a self-contained page instead
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// How to print the traces; `table` is the tree
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: SummaryFormat,
}
