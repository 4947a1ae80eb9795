//! Which attempt a hook works on. See `docs/explanation/words.md` for the rules.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use stagelink_plan::Plan;

use super::{Hook, HookIdentity, Options};
use crate::identity::SpanPath;
use crate::ledger::{Attempt, Delivery, Ledger, Link, Operation, Relation};
use crate::{Outcome, State};

/// An operation that seems to have started longer ago than this was not: clocks differ.
const LONGEST_SYNC: SignedDuration = SignedDuration::from_hours(24);

/// What a hook has to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decision {
    /// Work on this attempt, which is open.
    Work { delivery: u64, attempt: u64 },
    /// Nothing: this is already known.
    Known {
        delivery: u64,
        attempt: u64,
        outcome: Outcome,
        reason: Option<String>,
    },
}

/// Finds or opens the attempt that a hook works on.
pub(super) fn decide(
    ledger: &mut Ledger,
    plan: &Plan,
    hook: Hook,
    identity: &HookIdentity,
    options: &Options,
    now: Timestamp,
) -> Decision {
    let found = of_operation(ledger, &identity.operation)
        .filter(|found| !identity.recurs || has_begun(ledger, *found, plan, hook, identity));
    if let Some((delivery, number)) = found {
        // A retry may render anew, and another sync may have come in between.
        let is_same_content = ledger
            .deliveries
            .iter()
            .any(|known| known.number == delivery && known.digest == plan.digest);
        let is_newest = ledger
            .deliveries
            .last()
            .is_some_and(|newest| newest.number == delivery);
        let Some(attempt) = ledger.attempt_mut(delivery, number) else {
            return open(ledger, plan, hook, identity, options, now);
        };
        let known = attempt.operation.jobs.get(hook.as_str());
        let is_mine = known.is_none_or(|uid| *uid == identity.job_uid);
        match attempt.outcome {
            None if is_mine => {
                let uid = identity.job_uid.clone();
                attempt.operation.jobs.insert(hook.as_str().to_owned(), uid);
                return Decision::Work {
                    delivery,
                    attempt: number,
                };
            }
            Some(outcome)
                if hook == Hook::SyncFail
                    || known == Some(&identity.job_uid)
                    || (is_same_content && is_mine)
                    || (is_same_content && is_newest && remembered(outcome, options)) =>
            {
                let reason = attempt.reason.clone();
                return Decision::Known {
                    delivery,
                    attempt: number,
                    outcome,
                    reason,
                };
            }
            // The same operation under another Job: an automatic retry.
            _ => {}
        }
        if !is_same_content || !is_newest {
            return open(ledger, plan, hook, identity, options, now);
        }
        close_open(ledger, now, "a later try of the same sync");
        return push_attempt(ledger, plan, hook, identity, now);
    }
    open(ledger, plan, hook, identity, options, now)
}

/// A verdict that an automatic retry will not change.
fn remembered(outcome: Outcome, options: &Options) -> bool {
    outcome.goes_on() || (outcome == Outcome::Fail && !options.retry_failed)
}

/// The newest attempt of a sync operation.
fn of_operation(ledger: &Ledger, operation: &str) -> Option<(u64, u64)> {
    ledger.deliveries.iter().rev().find_map(|delivery| {
        let attempt = delivery
            .attempts
            .iter()
            .rev()
            .find(|attempt| attempt.operation.name == operation)?;
        Some((delivery.number, attempt.number))
    })
}

/// Whether the newest attempt with the name of an operation is of this operation, when others may have
/// the name, too: each hook runs once in an operation, PreSync before the others.
fn has_begun(
    ledger: &Ledger,
    (delivery, number): (u64, u64),
    plan: &Plan,
    hook: Hook,
    identity: &HookIdentity,
) -> bool {
    let Some(attempt) = ledger.attempt(delivery, number) else {
        return false;
    };
    let is_same_content = ledger
        .deliveries
        .iter()
        .any(|known| known.number == delivery && known.digest == plan.digest);
    match attempt.operation.jobs.get(hook.as_str()) {
        Some(uid) => *uid == identity.job_uid,
        None => hook != Hook::PreSync && (attempt.outcome.is_none() || is_same_content),
    }
}

/// A sync operation that the ledger does not know yet.
fn open(
    ledger: &mut Ledger,
    plan: &Plan,
    hook: Hook,
    identity: &HookIdentity,
    options: &Options,
    now: Timestamp,
) -> Decision {
    let same = ledger
        .deliveries
        .last()
        .filter(|delivery| delivery.digest == plan.digest);
    let last = same.and_then(|delivery| Some((delivery.number, delivery.attempts.last()?)));
    let passed = match last {
        Some((delivery, attempt)) => match attempt.outcome {
            Some(outcome) if outcome.goes_on() => {
                if !options.again {
                    return Decision::Known {
                        delivery,
                        attempt: attempt.number,
                        outcome,
                        reason: attempt.reason.clone(),
                    };
                }
                true
            }
            _ => false,
        },
        None => false,
    };
    let is_new_delivery = last.is_none() || passed;
    close_open(ledger, now, "a later sync");
    if is_new_delivery {
        let number = ledger
            .deliveries
            .last()
            .map_or(1, |delivery| delivery.number + 1);
        ledger.deliveries.push(Delivery {
            number,
            digest: plan.digest.clone(),
            app_version: plan.app_version.clone(),
            attempts: Vec::new(),
        });
    }
    push_attempt(ledger, plan, hook, identity, now)
}

fn push_attempt(
    ledger: &mut Ledger,
    plan: &Plan,
    hook: Hook,
    identity: &HookIdentity,
    now: Timestamp,
) -> Decision {
    let mut links: Vec<Link> = plan
        .links
        .iter()
        .map(|link| Link {
            trace_parent: *link,
            relation: Relation::PreviousStage,
        })
        .collect();
    let (delivery, previous) = match ledger.deliveries.last() {
        Some(delivery) => (
            delivery.number,
            delivery.attempts.last().map_or(0, |attempt| attempt.number),
        ),
        None => (0, 0),
    };
    if previous > 0 {
        let root = ledger
            .attempt_id(delivery, previous)
            .trace_parent(&SpanPath::root());
        links.push(Link {
            trace_parent: root,
            relation: Relation::PreviousAttempt,
        });
    }
    let number = previous + 1;
    let started_at = start(ledger, identity, now);
    let jobs = BTreeMap::from([(hook.as_str().to_owned(), identity.job_uid.clone())]);
    if let Some(delivery) = ledger.deliveries.last_mut() {
        delivery.attempts.push(Attempt {
            number,
            operation: Operation {
                name: identity.operation.clone(),
                jobs,
            },
            revision: plan.revision.clone(),
            source: plan.source.clone(),
            application: plan.application.clone(),
            metadata: plan.metadata.clone(),
            links,
            started_at,
            ended_at: None,
            outcome: None,
            reason: None,
            noticed: Vec::new(),
            phases: Vec::new(),
            workloads: Vec::new(),
            spooled: false,
            api_calls: BTreeMap::new(),
            exported: BTreeMap::new(),
        });
    }
    Decision::Work {
        delivery,
        attempt: number,
    }
}

/// When an attempt that a hook opens began. The first one of an operation began with it: what is
/// deployed may be so before any hook runs. Another clock says when that was, so that it counts only
/// if this one agrees.
fn start(ledger: &Ledger, identity: &HookIdentity, now: Timestamp) -> Timestamp {
    let is_first = of_operation(ledger, &identity.operation).is_none();
    let plausible = |at: &Timestamp| *at <= now && now.duration_since(*at) < LONGEST_SYNC;
    identity
        .started_at
        .filter(|at| is_first && plausible(at))
        .unwrap_or(now)
}

/// Closes attempts that nobody closed: a terminated sync, a killed hook.
fn close_open(ledger: &mut Ledger, now: Timestamp, by: &str) {
    for delivery in &mut ledger.deliveries {
        for attempt in delivery
            .attempts
            .iter_mut()
            .filter(|attempt| attempt.ended_at.is_none())
        {
            let failed = attempt
                .failed_phase()
                .map(|record| (record.outcome, record.reason.clone()));
            let (outcome, reason) = match failed {
                Some((Some(outcome), reason)) => (outcome, reason),
                _ => (
                    Outcome::Error,
                    Some(format!(
                        "the sync {} ended without closing the delivery; {by} did",
                        attempt.operation.name
                    )),
                ),
            };
            // By this machine's clock what is in it may lie ahead.
            close(attempt, now.max(attempt.latest()), outcome, reason);
        }
    }
}

/// Closes an attempt: what is open in it ends now.
pub(super) fn close(
    attempt: &mut Attempt,
    now: Timestamp,
    outcome: Outcome,
    reason: Option<String>,
) {
    let mut phases: Vec<_> = attempt.phases.iter_mut().collect();
    phases.extend(
        attempt
            .workloads
            .iter_mut()
            .flat_map(|workload| &mut workload.phases),
    );
    for record in phases {
        if record.started_at.is_none() || record.ended_at.is_some() {
            continue;
        }
        record.ended_at = Some(now);
        record.outcome = Some(outcome);
        record.state = if outcome.goes_on() {
            State::Succeeded
        } else {
            State::Failed
        };
        if record.reason.is_none() {
            record.reason.clone_from(&reason);
        }
        for item in record
            .items
            .iter_mut()
            .filter(|item| item.ended_at.is_none())
        {
            item.ended_at = Some(now);
            item.outcome = Some(Outcome::Error);
            if item.report.message.is_empty() {
                item.report.message = "its end was not seen".to_owned();
            }
        }
    }
    attempt.ended_at = Some(now);
    attempt.outcome = Some(outcome);
    attempt.reason = if outcome == Outcome::Pass {
        None
    } else {
        reason
    };
}
