//! The command line of `stagelink-task`.

use clap::{Parser, Subcommand, ValueEnum};
use stagelink_http::Resolve;
use stagelink_promotion::PromoteArguments;

use crate::load::LoadArguments;
use crate::wait::WaitArguments;

/// The built-in tasks of Stagelink.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "stagelink-task",
    version,
    after_help = "Exit code: 0 passed, 1 did not pass, 2 wrong arguments or input, 3 the environment is broken.

Examples:
  stagelink-task wait-for-target --prometheus http://prometheus:9090 --job shop --timeout 90s
  stagelink-task load --url http://shop.dev:8080/ --rate 50/s --duration 10s --max-error-rate 1%
  stagelink-task promote --to-stage prod --from-file charts/dev/values.yaml \\
    --to-file charts/prod/values.yaml --key serviceVersion"
)]
pub struct CommandLine {
    /// The task.
    #[command(subcommand)]
    pub command: Command,

    /// Send requests for a server to another address, like curl's --connect-to. Repeatable, or
    /// separated by commas.
    #[arg(
        long,
        global = true,
        value_name = "HOST:PORT:ADDRESS:PORT",
        env = "STAGELINK_RESOLVE",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub resolve: Vec<Resolve>,

    /// How the task tells what came of it.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

/// A built-in task with its arguments.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Send requests at a fixed rate and measure latencies and errors.
    Load(Box<LoadArguments>),
    /// Wait until Prometheus and its target are up, or until an HTTP server answers.
    WaitForTarget(Box<WaitArguments>),
    /// Carry the versions that passed this stage to the next stage's values.
    Promote(Box<PromoteArguments>),
}

/// How the standalone program tells what came of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line.
    Text,
    /// One JSON object: outcome, reason, message, results, details.
    Json,
}

impl CommandLine {
    /// All `--resolve` as one.
    pub fn resolve(&self) -> Resolve {
        let mut all = Resolve::default();
        for entry in &self.resolve {
            all.extend(entry.clone());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn resolve_may_be_repeated_or_separated_by_commas() {
        let line = CommandLine::try_parse_from([
            "stagelink-task",
            "load",
            "--url=http://a.dev/",
            "--resolve=a.dev:80:127.0.0.1:1,b.dev:80:127.0.0.1:2",
            "--resolve",
            "c.dev:80:127.0.0.1:3",
        ])
        .unwrap();
        assert_eq!(
            line.resolve().to_string(),
            "a.dev:80:127.0.0.1:1,b.dev:80:127.0.0.1:2,c.dev:80:127.0.0.1:3"
        );
    }
}
