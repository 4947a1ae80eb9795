//! What happened to the workloads since the attempt before, without a delivery.
//!
//! Argo CD runs no hooks for a part of an Application, with the strategy `apply`, or when it heals; nor
//! does `kubectl`. The next delivery finds the workloads otherwise than the one before it left them.

use futures::future::join_all;
use stagelink_plan::{Plan, Workload};

use super::phase::is_before_deployment;
use crate::ledger::{Attempt, Ledger, WorkloadRevision};
use crate::ports::{Found, WorkloadWatcher};

/// A line for each workload of the plan that is not as the newest attempt left it; `except` is the attempt
/// that looks.
pub(super) async fn changed(
    ledger: &Ledger,
    plan: &Plan,
    except: Option<(u64, u64)>,
    workloads: &dyn WorkloadWatcher,
) -> Vec<String> {
    let left = plan.workloads.iter().filter_map(|workload| {
        let left = left(ledger, workload, except)?;
        Some(async move { change(workload, &left, workloads.find(workload).await) })
    });
    join_all(left).await.into_iter().flatten().collect()
}

/// How a workload was left, and by which delivery and attempt.
struct Left<'a> {
    revision: &'a WorkloadRevision,
    delivery: u64,
    attempt: u64,
}

/// How the newest attempt that may have changed a workload left it; nothing if it does not say so.
fn left<'a>(
    ledger: &'a Ledger,
    workload: &Workload,
    except: Option<(u64, u64)>,
) -> Option<Left<'a>> {
    let attempts = ledger.deliveries.iter().rev().flat_map(|delivery| {
        let attempts = delivery.attempts.iter().rev();
        attempts.map(|attempt| (delivery.number, attempt))
    });
    let (delivery, attempt) = attempts
        .filter(|(delivery, attempt)| Some((*delivery, attempt.number)) != except)
        .find(|(_, attempt)| !is_stopped_before_deployment(attempt))?;
    let named = attempt
        .workloads
        .iter()
        .find(|record| record.name == workload.name)?;
    Some(Left {
        revision: named.revision.as_ref()?,
        delivery,
        attempt: attempt.number,
    })
}

fn is_stopped_before_deployment(attempt: &Attempt) -> bool {
    let failed = attempt.failed_phase();
    failed.is_some_and(|record| is_before_deployment(record.phase))
}

/// What happened to a workload, if anything did.
fn change(workload: &Workload, left: &Left<'_>, found: Found) -> Option<String> {
    let what = match found {
        Found::Unknown => return None,
        Found::Nothing => "was deleted".to_owned(),
        Found::Revision(now) if now.uid != left.revision.uid => {
            format!("was deleted and made again{}", version(&now, left))
        }
        Found::Revision(now) if now.rollout != left.revision.rollout => {
            let numbers = (
                left.revision.rollout.parse::<u64>(),
                now.rollout.parse::<u64>(),
            );
            let often = match numbers {
                (Ok(then), Ok(now)) if now == then + 1 => " once".to_owned(),
                (Ok(then), Ok(now)) if now > then => format!(" {} times", now - then),
                _ => String::new(),
            };
            format!("was changed{often}{}", version(&now, left))
        }
        Found::Revision(_) => return None,
    };
    Some(format!(
        "{} {} {what} after delivery {} attempt {}, by something that ran no hooks",
        workload.kind, workload.resource, left.delivery, left.attempt
    ))
}

/// What runs now, if it is another version.
fn version(now: &WorkloadRevision, left: &Left<'_>) -> String {
    if now.version == left.revision.version || now.version.is_empty() {
        return String::new();
    }
    format!(" (now {}, was {})", now.version, left.revision.version)
}
