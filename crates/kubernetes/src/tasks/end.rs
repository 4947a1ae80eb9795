//! How a task's end is told.

use stagelink_delivery::Outcome;
use stagelink_delivery::ledger::ItemReport;
use stagelink_delivery::ports::{DefinitionError, ItemEnd};
use stagelink_tasks::{LOG_DETAIL, LogEnd, masked};

use super::sight::{Failure, Hindrance};
use crate::definitions::TaskDefinitionError;

/// Key of the report's details with the Job's name.
const JOB_DETAIL: &str = "job";

/// A task that could not be run: an outcome, a short cause, and what to do.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) Outcome, pub(super) String, pub(super) String);

impl Refusal {
    pub(super) fn error(reason: &str, message: impl Into<String>) -> Self {
        Self(Outcome::Error, reason.to_owned(), message.into())
    }

    pub(super) fn into_end(self) -> ItemEnd {
        let Self(outcome, reason, message) = self;
        ItemEnd {
            outcome,
            report: ItemReport {
                reason,
                message,
                ..ItemReport::default()
            },
        }
    }
}

impl From<DefinitionError> for Refusal {
    fn from(error: DefinitionError) -> Self {
        let reason = match &error {
            DefinitionError::NotFound { .. } => "DefinitionNotFound",
            DefinitionError::Invalid { .. } => "InvalidDefinition",
            _ => "DefinitionUnreadable",
        };
        Self::error(reason, error.to_string())
    }
}

impl From<TaskDefinitionError> for Refusal {
    fn from(error: TaskDefinitionError) -> Self {
        match error {
            TaskDefinitionError::Definition(error) => error.into(),
            TaskDefinitionError::Function(error) => {
                Self::error("InvalidDefinition", error.to_string())
            }
        }
    }
}

/// How a Job's task ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum End {
    Passed,
    /// Its container failed, for good.
    Failed {
        failure: Option<ToldFailure>,
        reason: String,
        message: String,
    },
    /// Its time was up while it ran.
    TimedOut {
        timeout: String,
        failure: Option<ToldFailure>,
        log: Told,
    },
    /// It never began to run.
    NotStarted {
        hindrance: Hindrance,
        timeout: Option<String>,
    },
    /// It was taken away by the cluster.
    Disrupted(String),
    /// Nobody will ever know.
    Error {
        reason: &'static str,
        message: String,
    },
}

/// A failed run with what may be told of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ToldFailure {
    pub(super) failure: Failure,
    /// Runs that failed, in all.
    pub(super) tries: u32,
    pub(super) told: Told,
}

/// A task's own words.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Told {
    pub(super) log: LogEnd,
    /// Its termination message, masked.
    pub(super) message: String,
    /// Why they are withheld, if they are.
    pub(super) withheld: Option<String>,
}

impl Told {
    /// A log and a termination message without secrets.
    pub(super) fn new(log: String, message: &str, secrets: &[String]) -> Self {
        let message = masked(message.to_owned(), secrets);
        Self {
            log: LogEnd::new(log, secrets),
            message: one_line(&message),
            withheld: None,
        }
    }

    /// What follows a colon in a message; empty if nothing is known.
    fn words(&self) -> &str {
        match &self.withheld {
            Some(why) => why,
            None if !self.message.is_empty() => &self.message,
            None => &self.log.last_line,
        }
    }
}

impl ToldFailure {
    /// In one line, how the container ended.
    pub(super) fn sentence(&self) -> String {
        let failure = &self.failure;
        let tries = match self.tries {
            0 | 1 => String::new(),
            tries => format!(" after {tries} tries"),
        };
        let how = if failure.reason == "OOMKilled" {
            format!("the container was killed for using more memory than its limit{tries}")
        } else {
            format!(
                "the container ended with exit code {}{tries}",
                failure.exit_code
            )
        };
        with_words(how, self.told.words())
    }
}

impl End {
    /// What the engine is told.
    pub(super) fn item_end(self, job: &str) -> ItemEnd {
        let mut report = ItemReport::default();
        report.details.insert(JOB_DETAIL.to_owned(), job.to_owned());
        let mut lines = String::new();
        let outcome = match self {
            Self::Passed => Outcome::Pass,
            Self::Failed {
                failure,
                reason,
                message,
            } => {
                report.reason = reason;
                report.message = match failure {
                    Some(failure) => {
                        lines.clone_from(&failure.told.log.lines);
                        failure.sentence()
                    }
                    None => one_line(&message),
                };
                Outcome::Fail
            }
            Self::TimedOut {
                timeout,
                failure,
                log,
            } => {
                "DeadlineExceeded".clone_into(&mut report.reason);
                let how = format!("it took longer than its timeout of {timeout}");
                report.message = match failure {
                    Some(failure) => {
                        lines.clone_from(&failure.told.log.lines);
                        with_words(how, &failure.sentence())
                    }
                    None => {
                        lines.clone_from(&log.log.lines);
                        with_words(how, log.words())
                    }
                };
                Outcome::Fail
            }
            Self::NotStarted { hindrance, timeout } => {
                report.reason = hindrance.reason;
                let within = timeout.map_or_else(String::new, |timeout| {
                    format!(" within its timeout of {timeout}")
                });
                let how = format!("its pod did not start{within}");
                report.message = with_words(how, &one_line(&hindrance.message));
                Outcome::Error
            }
            Self::Disrupted(why) => {
                "PodDisrupted".clone_into(&mut report.reason);
                report.message = with_words(
                    "its pod was taken away before it had ended".to_owned(),
                    &one_line(&why),
                );
                Outcome::Error
            }
            Self::Error { reason, message } => {
                reason.clone_into(&mut report.reason);
                report.message = message;
                Outcome::Error
            }
        };
        if !lines.is_empty() {
            report.details.insert(LOG_DETAIL.to_owned(), lines);
        }
        ItemEnd { outcome, report }
    }
}

fn with_words(how: String, words: &str) -> String {
    if words.is_empty() {
        how
    } else {
        format!("{how}: {words}")
    }
}

/// A text on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
