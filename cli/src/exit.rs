//! How a command ends: exit codes that mean something, and one line of what went wrong.

use std::fmt;
use std::process::ExitCode;

use stagelink_delivery::Outcome;

/// How a command ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Exit code 0.
    Passed,
    /// Exit code 1: what was asked for was done, and the answer is no.
    NotPassed,
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        if outcome.goes_on() {
            Self::Passed
        } else {
            Self::NotPassed
        }
    }
}

/// Whose fault it is that a command could not be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Exit code 2: the command line or a file that it names.
    Input,
    /// Exit code 3: the machine: a program that is missing, a full disk, a damaged ledger.
    Environment,
}

/// Why a command could not be carried out.
#[derive(Debug)]
pub(crate) struct CommandError {
    fault: Fault,
    error: anyhow::Error,
}

impl CommandError {
    /// The user's input is at fault.
    pub(crate) fn input(error: impl Into<anyhow::Error>) -> Self {
        Self {
            fault: Fault::Input,
            error: error.into(),
        }
    }

    /// The machine is at fault.
    pub(crate) fn environment(error: impl Into<anyhow::Error>) -> Self {
        Self {
            fault: Fault::Environment,
            error: error.into(),
        }
    }

    /// The error of a program of ours that ended with this exit code.
    pub(crate) fn from_exit_code(code: i32, error: impl Into<anyhow::Error>) -> Self {
        if code == 2 {
            Self::input(error)
        } else {
            Self::environment(error)
        }
    }
}

impl fmt::Display for CommandError {
    /// One line of what went wrong, with its causes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.error.to_string();
        for cause in self.error.chain().skip(1).map(ToString::to_string) {
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        write!(f, "error: {text}")
    }
}

/// Marks the errors of a result as the user's or the machine's.
pub(crate) trait OrFault<T> {
    /// The user's input is at fault.
    fn or_input(self) -> Result<T, CommandError>;
    /// The machine is at fault.
    fn or_environment(self) -> Result<T, CommandError>;
}

impl<T, E: Into<anyhow::Error>> OrFault<T> for Result<T, E> {
    fn or_input(self) -> Result<T, CommandError> {
        self.map_err(CommandError::input)
    }

    fn or_environment(self) -> Result<T, CommandError> {
        self.map_err(CommandError::environment)
    }
}

/// The exit code of a command, after its error was printed.
#[allow(
    clippy::print_stderr,
    reason = "the last word of a command-line program"
)]
pub(crate) fn exit_code(result: Result<End, CommandError>) -> ExitCode {
    match result {
        Ok(End::Passed) => ExitCode::SUCCESS,
        Ok(End::NotPassed) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(match error.fault {
                Fault::Input => 2,
                Fault::Environment => 3,
            })
        }
    }
}
