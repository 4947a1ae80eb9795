//! A ledger for people who look at its ConfigMap: a line for each delivery, the newest first.

use std::fmt::Write as _;

use jiff::SpanRound;
use jiff::Unit;
use stagelink_delivery::ledger::{Attempt, Delivery, Ledger};

/// Lines at most; the ledger itself has the rest.
const LINES: usize = 20;

/// Longest reason, in characters.
const REASON: usize = 200;

/// For example
/// `2.1 pass v2 0a1b2c3 2026-01-01T00:00:00Z 43s 4bf92f3577b34da6a3ce929d0e0e4736`: number of delivery
/// and attempt, outcome, version, revision, start, duration, trace, and why it is not a pass.
pub(crate) fn summary(ledger: &Ledger) -> String {
    let mut text = String::new();
    for delivery in ledger.deliveries.iter().rev().take(LINES) {
        if let Some(attempt) = delivery.attempts.last() {
            line(&mut text, ledger, delivery, attempt);
        }
    }
    text
}

fn line(text: &mut String, ledger: &Ledger, delivery: &Delivery, attempt: &Attempt) {
    let outcome = match attempt.outcome {
        Some(outcome) => outcome.to_string(),
        None => "open".to_owned(),
    };
    let trace = ledger
        .attempt_id(delivery.number, attempt.number)
        .trace_id();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{}.{} {outcome} {} {} {:.0} {} {trace}",
        delivery.number,
        attempt.number,
        plain(&delivery.app_version),
        revision(attempt.revision.as_deref()),
        attempt.started_at,
        took(attempt).unwrap_or_else(|| "-".to_owned()),
    );
    if let Some(reason) = &attempt.reason {
        let short: String = plain(reason).chars().take(REASON).collect();
        let _ = write!(text, " {}", short.trim_end());
    }
    text.push('\n');
}

/// The first seven characters of a commit, as git shows it; other revisions as they are.
fn revision(revision: Option<&str>) -> String {
    match revision {
        None | Some("") => "-".to_owned(),
        Some(commit)
            if commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            commit.chars().take(7).collect()
        }
        Some(other) => plain(other),
    }
}

fn took(attempt: &Attempt) -> Option<String> {
    let seconds = SpanRound::new().smallest(Unit::Second).largest(Unit::Hour);
    let span = attempt.started_at.until(attempt.ended_at?).ok()?;
    Some(format!("{:#}", span.round(seconds).ok()?))
}

/// Without line feeds and the like, and not empty: kubectl then shows the text as lines.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return "-".to_owned();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ledger() -> Ledger {
        let attempt = |number: u64| {
            json!({
                "number": number, "operation": {"name": "0a1b2c3-1"}, "application": "shop",
                "startedAt": "2026-01-01T00:00:00.123Z",
            })
        };
        let mut failed = attempt(2);
        failed["revision"] = json!("0a1b2c3d4e5f60718293a4b5c6d7e8f901234567");
        failed["endedAt"] = json!("2026-01-01T00:01:03Z");
        failed["outcome"] = json!("fail");
        failed["reason"] = json!("check failed:\n  exit code 1\t");
        let mut open = attempt(1);
        open["revision"] = json!("1.2.3");
        let digest = format!("sha256:{}", "0".repeat(64));
        serde_json::from_value(json!({
            "version": 1, "id": "one", "app": "shop", "stage": "dev", "namespace": "shop-dev",
            "deliveries": [
                {"number": 1, "digest": digest, "appVersion": "v1", "attempts": [attempt(1), failed]},
                {"number": 2, "digest": digest, "appVersion": "", "attempts": [open]},
            ],
        }))
        .unwrap()
    }

    #[test]
    fn each_delivery_has_a_line_and_the_newest_is_first() {
        let ledger = ledger();
        let trace = |delivery, attempt| ledger.attempt_id(delivery, attempt).trace_id();
        let expected = format!(
            "2.1 open - 1.2.3 2026-01-01T00:00:00Z - {}\n\
             1.2 fail v1 0a1b2c3 2026-01-01T00:00:00Z 1m 3s {} check failed: exit code 1\n",
            trace(2, 1),
            trace(1, 2)
        );
        assert_eq!(summary(&ledger), expected);
    }

    #[test]
    fn a_summary_stays_short() {
        let mut ledger = ledger();
        let delivery = ledger.deliveries[0].clone();
        ledger.deliveries = vec![delivery; 100];
        for delivery in &mut ledger.deliveries {
            delivery.attempts[1].reason = Some("é ".repeat(10_000));
        }
        let text = summary(&ledger);
        assert_eq!(text.lines().count(), LINES);
        assert!(text.len() < 12_000);
        assert!(text.lines().all(|line| line == line.trim_end()));
    }
}
