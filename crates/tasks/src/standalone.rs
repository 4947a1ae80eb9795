//! The program `stagelink-task`.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use serde_json::json;
use stagelink_delivery::ports::ItemEnd;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::report::reason;
use crate::{CommandLine, Environment, Format, builtin};

/// Exit code of a task that did not pass.
const NOT_PASSED: u8 = 1;
/// Exit code for wrong arguments or input.
const USAGE: u8 = 2;
/// Exit code for a machine that cannot run a task.
const BROKEN: u8 = 3;

/// Runs a built-in task with the environment of a pod under Keptn's operator, and tells on standard
/// output what came of it (why it did not pass: on standard error). `arguments` begin with the
/// program's name. SIGTERM and Ctrl-C end the task with what it knows.
///
/// The exit code is 0 if it passed, 1 if not, 2 for wrong arguments or environment variables, 3 if
/// this machine cannot run tasks.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let get = |name: &str| std::env::var(name).ok();
    let told = run(arguments, get);
    // Nobody is left to be told that the terminal is gone.
    let _ = write!(std::io::stdout(), "{}", told.out);
    let _ = write!(std::io::stderr(), "{}", told.error);
    ExitCode::from(told.code)
}

/// What the program tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    code: u8,
    out: String,
    error: String,
}

fn run(
    arguments: impl IntoIterator<Item = OsString>,
    get: impl Fn(&str) -> Option<String>,
) -> Told {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) if error.use_stderr() => {
            return Told {
                code: USAGE,
                error: error.render().to_string(),
                ..Told::default()
            };
        }
        Err(help) => {
            return Told {
                out: help.render().to_string(),
                ..Told::default()
            };
        }
    };
    let environment = match Environment::from_variables(get) {
        Ok(environment) => environment,
        Err(error) => return complain(USAGE, &error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return complain(BROKEN, &error),
    };
    let end = runtime.block_on(async {
        let cancel = CancellationToken::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let on_signal = cancel.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            on_signal.cancel();
        });
        Ok::<_, std::io::Error>(builtin::run(&line, &environment, &cancel).await)
    });
    match end {
        Ok(end) => tell(line.output, &end),
        Err(error) => complain(BROKEN, &error),
    }
}

fn tell(format: Format, end: &ItemEnd) -> Told {
    let report = &end.report;
    let passed = end.outcome.goes_on();
    let mut told = Told {
        code: match passed {
            true => 0,
            false if report.reason == reason::ARGUMENTS => USAGE,
            false => NOT_PASSED,
        },
        ..Told::default()
    };
    match format {
        Format::Json => {
            let object = json!({
                "outcome": end.outcome,
                "reason": report.reason,
                "message": report.message,
                "results": report.results,
                "details": report.details,
            });
            told.out = format!("{object}\n");
        }
        Format::Text if passed => told.out = format!("{}\n", report.message),
        Format::Text => told.error = format!("error: {}\n", report.message),
    }
    told
}

fn complain(code: u8, problem: &dyn std::fmt::Display) -> Told {
    Told {
        code,
        error: format!("error: {problem}\n"),
        ..Told::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(line: &str, variables: &[(&str, &str)]) -> Told {
        let arguments = ["stagelink-task"]
            .into_iter()
            .chain(line.split_whitespace());
        run(arguments.map(OsString::from), |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn exit_codes_tell_wrong_arguments_from_a_task_that_did_not_pass() {
        for (line, variables, code, expected) in [
            ("", &[][..], 2, "Usage: stagelink-task"),
            ("load", &[], 2, "--url <URL>"),
            (
                "load --url ftp://a/",
                &[],
                2,
                "error: --url: `ftp://a/` is no http",
            ),
            ("load --url http://a/ --rate 0/s", &[], 2, "it is zero"),
            (
                "wait-for-target --url http://127.0.0.1:1/ --timeout 0s",
                &[],
                1,
                "gave up after 0s",
            ),
            (
                "load --url http://a/",
                &[("KEPTN_CONTEXT", "s3cret")],
                2,
                "error: KEPTN_CONTEXT is not",
            ),
        ] {
            let told = task(line, variables);
            assert_eq!(told.code, code, "{line}: {told:?}");
            assert!(told.error.contains(expected), "{line}: {told:?}");
            assert!(
                told.out.is_empty() && !told.error.contains("s3cret"),
                "{line}: {told:?}"
            );
        }
        for line in ["--help", "load --help", "--version"] {
            let told = task(line, &[]);
            assert!(
                told.code == 0 && !told.out.is_empty() && told.error.is_empty(),
                "{told:?}"
            );
        }
    }

    #[test]
    fn json_is_all_that_is_told_when_asked_for() {
        let told = task(
            "load --url http://127.0.0.1:1/ --rate 100/s --duration 10ms -o json",
            &[],
        );
        assert_eq!((told.code, told.error.as_str()), (1, ""));
        let object: serde_json::Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!(object["outcome"], "error");
        assert_eq!(object["reason"], "Unreachable");
        assert_eq!(object["results"]["errorRate"], 1.0);
    }
}
