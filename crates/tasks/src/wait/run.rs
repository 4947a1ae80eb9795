//! Waiting.

use std::time::Duration;

use stagelink_delivery::Outcome;
use stagelink_delivery::ports::ItemEnd;
use stagelink_http::Resolve;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::WaitArguments;
use super::check::{Check, Unmet, checks};
use crate::report::{end, reason};

/// The wait after the first try.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Waits until everything that was asked for has been so.
///
/// The outcome is an error if that took too long, because trying again may help, and a failure if
/// it can never be so.
pub async fn run(
    arguments: &WaitArguments,
    resolve: &Resolve,
    cancel: &CancellationToken,
) -> ItemEnd {
    let checks = match checks(arguments, resolve) {
        Ok(checks) => checks,
        Err(error) => return end(Outcome::Fail, reason::ARGUMENTS, error.to_string()),
    };
    let start = Instant::now();
    // A timeout without end is as good as one of a hundred years.
    let deadline = start
        + arguments
            .timeout
            .min(Duration::from_secs(100 * 365 * 86_400));
    let mut found = Vec::new();
    for check in &checks {
        match wait(check, deadline, cancel).await {
            Ok(text) => found.push(text),
            Err(Given::Up(text)) => {
                let waited = humantime::format_duration(arguments.timeout);
                let message = format!("{text}; gave up after {waited}");
                return end(Outcome::Error, reason::DEADLINE, message);
            }
            Err(Given::Never(text)) => return end(Outcome::Fail, reason::QUERY, text),
            Err(Given::Cancelled(text)) => {
                let message = format!("ended while waiting: {text}");
                return end(Outcome::Error, reason::CANCELLED, message);
            }
        }
    }
    let message = format!(
        "{} after {:.1} s",
        found.join(", "),
        start.elapsed().as_secs_f64()
    );
    end(Outcome::Pass, "", message)
}

/// Why the waiting ended; what was found last.
enum Given {
    Up(String),
    Never(String),
    Cancelled(String),
}

async fn wait(
    check: &Check,
    deadline: Instant,
    cancel: &CancellationToken,
) -> Result<String, Given> {
    let mut pause = FIRST_WAIT;
    let mut last = "no answer yet".to_owned();
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Given::Cancelled(last)),
            held = check.holds() => match held {
                Ok(text) => return Ok(text),
                Err(Unmet::Never(text)) => return Err(Given::Never(text)),
                Err(Unmet::NotYet(text)) => last = text,
            },
            () = tokio::time::sleep_until(deadline) => return Err(Given::Up(last)),
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(Given::Cancelled(last)),
            () = tokio::time::sleep_until(deadline) => return Err(Given::Up(last)),
            () = tokio::time::sleep(pause) => pause = (pause * 3 / 2).min(LONGEST_WAIT),
        }
    }
}
