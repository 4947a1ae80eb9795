//! The command line.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::announcement::{HELM_PARAMETERS, announcements};
use crate::chart::StageChart;
use crate::{Environment, PluginError, discover, generate};

/// Renders a stage's chart for Argo CD, with commit, traceparent, plan and hooks.
///
/// Runs in the chart's folder. Everything else comes from the environment, as Argo CD sets it.
#[derive(Debug, Parser)]
#[command(
    name = "stagelink-cmp",
    version,
    after_help = "Exit codes: 0 done, 2 wrong input, 3 broken environment.\n\n\
                  Example:\n  ARGOCD_APP_NAME=shop-dev ARGOCD_APP_REVISION=$(git rev-parse HEAD) stagelink-cmp generate"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the manifests
    Generate,
    /// Print Chart.yaml if this folder has a chart with Keptn resources, else nothing
    Discover,
    /// Print the parameters and the chart's values as JSON, for Argo CD's user interface
    Parameters {
        /// Print only those that differ from chart to chart: the chart's values
        #[arg(long)]
        chart_only: bool,
    },
}

/// Runs the plugin with a command line, whose first word is the program's name, in the environment
/// and working directory of this process.
///
/// The exit code is 0 when it is done, 2 for wrong input and 3 for a broken environment.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; clap knows where they go.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let result = std::env::current_dir()
        .map_err(|error| {
            PluginError::Environment(format!("the working directory is not readable: {error}"))
        })
        .and_then(|directory| execute(&arguments.command, &directory, &Environment::of_process()))
        .and_then(|output| {
            print_warnings(&output.warnings);
            let mut stdout = std::io::stdout().lock();
            stdout
                .write_all(output.text.as_bytes())
                .and_then(|()| stdout.flush())
                .map_err(|error| {
                    PluginError::Environment(format!("stdout cannot be written: {error}"))
                })
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut stderr = std::io::stderr().lock();
            for line in error.to_string().lines() {
                // There is nowhere else to say it.
                let _ = writeln!(stderr, "error: {line}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// What goes to stdout and to stderr.
struct CommandOutput {
    text: String,
    warnings: Vec<String>,
}

fn execute(
    command: &Command,
    directory: &Path,
    environment: &Environment,
) -> Result<CommandOutput, PluginError> {
    let (text, warnings) = match command {
        Command::Generate => {
            let generated = generate(directory, environment)?;
            (generated.manifests, generated.warnings)
        }
        Command::Discover => {
            let text = discover(directory).map_or_else(String::new, |file| format!("{file}\n"));
            (text, Vec::new())
        }
        Command::Parameters { chart_only } => {
            let chart = StageChart::load(directory, environment)?;
            let mut announced = announcements(chart.values());
            if *chart_only {
                announced.retain(|announcement| announcement.name == HELM_PARAMETERS);
            }
            let mut json = serde_json::to_string(&announced)
                .map_err(|error| PluginError::Environment(error.to_string()))?;
            json.push('\n');
            (json, Vec::new())
        }
    };
    Ok(CommandOutput { text, warnings })
}

/// More warnings than these do not help anybody.
const MOST_WARNINGS: usize = 20;

fn print_warnings(warnings: &[String]) {
    let mut stderr = std::io::stderr().lock();
    for warning in warnings.iter().take(MOST_WARNINGS) {
        // A warning that cannot be printed must not fail the render.
        let _ = writeln!(stderr, "warning: {}", warning.replace('\n', " "));
    }
    if warnings.len() > MOST_WARNINGS {
        let _ = writeln!(
            stderr,
            "warning: and {} more",
            warnings.len() - MOST_WARNINGS
        );
    }
}
