//! One look at a stage: which commit is in it, and why not a newer one.

use jiff::Timestamp;
use serde::Serialize;
use stagelink_plan::TraceId;

use crate::Outcome;
use crate::ledger::{Attempt, Delivery, Ledger};

/// A stage at one look.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageStatus {
    /// Name of the app.
    pub app: String,
    /// Name of the stage.
    pub stage: String,
    /// Namespace of the stage.
    pub namespace: String,
    /// The newest delivery that passed; absent if none did.
    pub current: Option<Delivered>,
    /// The newest delivery; absent if there is none.
    pub last: Option<Delivered>,
    /// In one line, why the newest delivery is not the current one.
    pub why_not_further: Option<String>,
}

/// A delivery at one look.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    /// Number of the delivery.
    pub delivery: u64,
    /// Number of its newest attempt.
    pub attempt: u64,
    /// Version of the app.
    pub version: String,
    /// The revision of that attempt.
    pub revision: Option<String>,
    /// What came of it; absent while it is under way.
    pub outcome: Option<Outcome>,
    /// When it ended, or began if it is under way.
    pub since: Timestamp,
    /// Its trace.
    pub trace_id: TraceId,
}

impl StageStatus {
    /// The stage that a ledger tells of.
    pub fn of(ledger: &Ledger) -> Self {
        let newest = |delivery: &Delivery| {
            delivery
                .attempts
                .last()
                .map(|attempt| delivered(ledger, delivery, attempt))
        };
        let passed = |delivery: &Delivery| {
            let attempt = delivery
                .attempts
                .iter()
                .rev()
                .find(|attempt| attempt.outcome.is_some_and(Outcome::goes_on))?;
            Some(delivered(ledger, delivery, attempt))
        };
        let last_delivery = ledger.deliveries.last();
        let why_not_further = last_delivery
            .and_then(|delivery| delivery.attempts.last())
            .and_then(why);
        Self {
            app: ledger.app.clone(),
            stage: ledger.stage.clone(),
            namespace: ledger.namespace.clone(),
            current: ledger.deliveries.iter().rev().find_map(passed),
            last: last_delivery.and_then(newest),
            why_not_further,
        }
    }
}

fn delivered(ledger: &Ledger, delivery: &Delivery, attempt: &Attempt) -> Delivered {
    Delivered {
        delivery: delivery.number,
        attempt: attempt.number,
        version: delivery.app_version.clone(),
        revision: attempt.revision.clone(),
        outcome: attempt.outcome,
        since: attempt.ended_at.unwrap_or(attempt.started_at),
        trace_id: ledger
            .attempt_id(delivery.number, attempt.number)
            .trace_id(),
    }
}

fn why(attempt: &Attempt) -> Option<String> {
    let Some(outcome) = attempt.outcome else {
        let phase = attempt
            .phases
            .iter()
            .rev()
            .find(|record| record.started_at.is_some());
        return Some(match phase {
            Some(record) => format!("under way: {}", record.phase.long_name()),
            None => "under way".to_owned(),
        });
    };
    if outcome.goes_on() {
        return None;
    }
    let phase = attempt
        .failed_phase()
        .map(|record| record.phase.long_name());
    let reason = attempt.reason.as_deref().unwrap_or("no reason is known");
    Some(match phase {
        Some(phase) => format!("{outcome} in {phase}: {reason}"),
        None => format!("{outcome}: {reason}"),
    })
}
