//! Sending what the ledger holds to whoever wants spans. It never decides a delivery.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use stagelink_delivery::identity::SpanPath;
use stagelink_delivery::ledger::{Attempt, Delivery, Ledger};
use stagelink_delivery::ports::{LedgerStore, StoreError};
use stagelink_plan::Plan;
use stagelink_telemetry::{Exporter, Exporters, export_pending};

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
    let begun = Instant::now();
    let report = export_pending(&mut ledger, &set_up.exporters, wait).await;
    for warning in report.warnings() {
        Lines.line(&format!("warning: {warning}"));
    }
    let mut changed = report.changed();
    let left = wait.saturating_sub(begun.elapsed());
    if ledger.spooled && report.is_complete() && !left.is_zero() {
        changed |= send_spooled(store, &mut ledger, &set_up.exporters, left).await;
    }
    if !changed {
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

/// Sends what the ledger had no room for; true if the ledger has changed.
///
/// What was sent is taken out before the ledger says so: a hook that dies in between leaves attempts that
/// the ledger takes for put away and that are nowhere, which the next one finds out here.
async fn send_spooled(
    store: &dyn LedgerStore,
    ledger: &mut Ledger,
    exporters: &[Box<dyn Exporter>],
    wait: Duration,
) -> bool {
    let mut spooled = match store.spooled(ledger).await {
        Ok(spooled) => spooled,
        Err(error) => {
            Lines.line(&format!("warning: {error}"));
            return false;
        }
    };
    forget_sent(&mut spooled, ledger, exporters);
    let report = export_pending(&mut spooled, exporters, wait).await;
    for warning in report.warnings() {
        Lines.line(&format!("warning: {warning}"));
    }
    let mut left = spooled.clone();
    let is_left = |attempt: &Attempt| !is_sent(attempt, exporters);
    for delivery in &mut left.deliveries {
        delivery.attempts.retain(is_left);
    }
    let kept: BTreeSet<(u64, u64)> = left.numbers().collect();
    let sent: Vec<(u64, u64)> = spooled
        .numbers()
        .filter(|number| !kept.contains(number))
        .collect();
    if !sent.is_empty()
        && let Err(error) = store.unspool(&sent).await
    {
        // They are only sent again, and that is harmless.
        Lines.line(&format!("warning: {error}"));
        return false;
    }
    for (delivery, attempt) in sent {
        let taken = spooled.attempt(delivery, attempt);
        let taken = taken.map(|attempt| attempt.exported.clone());
        if let Some(attempt) = ledger.attempt_mut(delivery, attempt) {
            attempt.exported.extend(taken.unwrap_or_default());
        }
    }
    ledger.spooled = !kept.is_empty();
    let attempts = |delivery: &mut Delivery| {
        for attempt in &mut delivery.attempts {
            attempt.spooled &= kept.contains(&(delivery.number, attempt.number));
        }
    };
    ledger.deliveries.iter_mut().for_each(attempts);
    true
}

/// True if all exporters have taken all of an attempt's spans.
fn is_sent(attempt: &Attempt, exporters: &[Box<dyn Exporter>]) -> bool {
    exporters.iter().all(|exporter| {
        let taken = attempt.exported.get(exporter.name());
        taken.is_some_and(|paths| paths.contains(&SpanPath::root()))
    })
}

/// A hook may have died after it had put an attempt away and before the ledger said so; then the spans
/// were sent from the ledger.
fn forget_sent(spooled: &mut Ledger, ledger: &Ledger, exporters: &[Box<dyn Exporter>]) {
    for delivery in &mut spooled.deliveries {
        for attempt in &mut delivery.attempts {
            let known = ledger.attempt(delivery.number, attempt.number);
            if let Some(known) = known.filter(|known| is_sent(known, exporters)) {
                attempt.exported.clone_from(&known.exported);
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
