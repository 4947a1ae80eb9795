//! Sending what the ledger holds to whoever wants spans. It never decides a delivery.

use std::time::Duration;

use stagelink_delivery::ledger::Ledger;
use stagelink_delivery::ports::{LedgerStore, StoreError};
use stagelink_plan::Plan;
use stagelink_telemetry::{Exporters, export_pending};

use crate::arguments::Arguments;
use crate::report::Lines;

/// How often the notes of what was sent are written again when somebody else wrote in between.
const TRIES: usize = 5;

/// Sends all finished spans that were not sent yet, and notes which were.
pub(crate) async fn export(store: &dyn LedgerStore, plan: &Plan, arguments: &Arguments) {
    let set_up = Exporters::set_up(arguments.spans_file.as_deref(), |name| {
        std::env::var(name).ok()
    });
    for warning in &set_up.warnings {
        Lines.line(&format!("warning: {warning}"));
    }
    if set_up.exporters.is_empty() {
        return;
    }
    let wait = Duration::from_secs(arguments.export_timeout);
    let Ok((mut ledger, mut version)) = store.load(plan).await else {
        return;
    };
    let report = export_pending(&mut ledger, &set_up.exporters, wait).await;
    for warning in report.warnings() {
        Lines.line(&format!("warning: {warning}"));
    }
    if !report.changed() {
        return;
    }
    let sent = ledger;
    let mut next = sent.clone();
    for _ in 0..TRIES {
        match store.save(&next, &version).await {
            Ok(_) => return,
            Err(StoreError::Conflict) => {
                let Ok((theirs, newer)) = store.load(plan).await else {
                    return;
                };
                next = theirs;
                version = newer;
                note(&mut next, &sent);
            }
            // Not noted is only sent again, and that is harmless.
            Err(error) => {
                Lines.line(&format!("warning: {error}"));
                return;
            }
        }
    }
}

/// Takes over what one copy of a ledger notes as sent.
fn note(ledger: &mut Ledger, sent: &Ledger) {
    for delivery in &mut ledger.deliveries {
        for attempt in &mut delivery.attempts {
            let Some(other) = sent.attempt(delivery.number, attempt.number) else {
                continue;
            };
            for (exporter, paths) in &other.exported {
                attempt
                    .exported
                    .entry(exporter.clone())
                    .or_default()
                    .extend(paths.iter().cloned());
            }
        }
    }
}
