//! Forgetting what is too old to matter, so that a ledger stays small enough for a ConfigMap.

use std::collections::BTreeSet;

use crate::Outcome;
use crate::identity::SpanPath;
use crate::ledger::{Attempt, Ledger};

/// Deliveries that a ledger keeps.
const KEPT_DELIVERIES: usize = 30;

/// Attempts that a delivery keeps.
const KEPT_ATTEMPTS: usize = 10;

/// Bytes that a ledger has when a hook begins: a ConfigMap holds 1 MiB, and the newest attempt still
/// grows.
const ROOM: usize = 500_000;

/// Characters that are left of the reason of an old attempt.
const REASON: usize = 300;

/// Spaces before each line of an attempt in a ledger that is laid out for people.
const INDENT: usize = 10;

/// What an attempt may lose, the least important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It has ended, and all of its spans were sent.
    Sent,
    /// It has ended; somebody still has to take spans of it.
    Unsent,
    /// It tells what is in the stage.
    Current,
    /// It is open, or the newest.
    Needed,
}

impl Ledger {
    /// As [`Ledger::compact_to`], as small as a ledger should be when a hook begins.
    pub fn compact(&mut self) {
        self.compact_to(ROOM);
    }

    /// Forgets what is too old, and then, until the ledger takes no more than `room` bytes of JSON as
    /// it is laid out for people, first what happened within old attempts, then old attempts
    /// altogether. What has spans to be sent goes last. The newest attempt stays as it is, and so do
    /// open ones; of the newest that passed, which tells what is in the stage, at least its verdict
    /// stays. Numbers are never used again.
    pub fn compact_to(&mut self, room: usize) {
        self.forget_old();
        let worths = self.worths();
        let mut attempts: Vec<(&mut Attempt, Worth)> = self
            .deliveries
            .iter_mut()
            .flat_map(|delivery| &mut delivery.attempts)
            .zip(worths)
            .collect();
        let mut sizes: Vec<usize> = attempts.iter().map(|(one, _)| size(one)).collect();
        let mut total: usize = sizes.iter().sum();
        let mut dropped = BTreeSet::new();
        for (worth, drop) in [
            (Worth::Sent, false),
            (Worth::Sent, true),
            (Worth::Unsent, false),
            (Worth::Unsent, true),
            (Worth::Current, false),
        ] {
            // Oldest first, as they are in the ledger.
            for (index, (attempt, _)) in attempts
                .iter_mut()
                .enumerate()
                .filter(|(_, (_, own))| *own == worth)
            {
                if total <= room {
                    break;
                }
                total -= sizes[index];
                sizes[index] = 0;
                if drop {
                    dropped.insert(index);
                } else {
                    outline(attempt);
                    sizes[index] = size(attempt);
                    total += sizes[index];
                }
            }
        }
        let mut index = 0;
        for delivery in &mut self.deliveries {
            delivery.attempts.retain(|_| {
                index += 1;
                !dropped.contains(&(index - 1))
            });
        }
        self.deliveries
            .retain(|delivery| !delivery.attempts.is_empty());
    }

    /// Forgets all but a number of deliveries and attempts.
    fn forget_old(&mut self) {
        let mut worths = self.worths().into_iter();
        let excess = self.deliveries.len().saturating_sub(KEPT_DELIVERIES);
        for (index, delivery) in self.deliveries.iter_mut().enumerate() {
            let mut left = delivery.attempts.len();
            delivery.attempts.retain(|_| {
                let is_recent = index >= excess && left <= KEPT_ATTEMPTS;
                left -= 1;
                let worth = worths.next();
                is_recent || worth.is_some_and(|worth| worth >= Worth::Current)
            });
        }
        self.deliveries
            .retain(|delivery| !delivery.attempts.is_empty());
    }

    /// What each attempt is worth, in the ledger's order.
    fn worths(&self) -> Vec<Worth> {
        let attempts = || {
            self.deliveries
                .iter()
                .flat_map(|delivery| &delivery.attempts)
        };
        let count = attempts().count();
        let passed = |attempt: &Attempt| attempt.outcome.is_some_and(Outcome::goes_on);
        let current = attempts().collect::<Vec<_>>().into_iter().rposition(passed);
        let exporters: BTreeSet<&String> = attempts()
            .flat_map(|attempt| attempt.exported.keys())
            .collect();
        // The root goes last, and stands for all.
        let root = SpanPath::root();
        let is_sent = |attempt: &Attempt| {
            exporters.iter().all(|exporter| {
                let taken = attempt.exported.get(*exporter);
                taken.is_some_and(|paths| paths.contains(&root))
            })
        };
        attempts()
            .enumerate()
            .map(|(index, attempt)| {
                if attempt.ended_at.is_none() || index + 1 == count {
                    Worth::Needed
                } else if Some(index) == current {
                    Worth::Current
                } else if is_sent(attempt) {
                    Worth::Sent
                } else {
                    Worth::Unsent
                }
            })
            .collect()
    }
}

/// Leaves of an attempt what it was about, and what came of it.
fn outline(attempt: &mut Attempt) {
    attempt.phases.clear();
    attempt.workloads.clear();
    attempt.metadata.clear();
    let root = SpanPath::root();
    for paths in attempt.exported.values_mut() {
        paths.retain(|path| *path == root);
    }
    if let Some(reason) = &mut attempt.reason {
        *reason = reason.chars().take(REASON).collect();
    }
}

/// Bytes that an attempt takes in a ledger that is laid out for people.
fn size(attempt: &Attempt) -> usize {
    let json = serde_json::to_vec_pretty(attempt).unwrap_or_default();
    let lines = json.iter().filter(|byte| **byte == b'\n').count() + 1;
    json.len() + lines * (INDENT + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// An attempt of some 10 kB.
    fn attempt(number: u64, outcome: &str, exported: Value) -> Value {
        let items: Vec<Value> = (0..10)
            .map(|item| {
                json!({"definition": "check", "name": format!("check-{item}"), "outcome": outcome,
                       "startedAt": "2026-01-01T00:00:00Z", "message": "x".repeat(900)})
            })
            .collect();
        let mut attempt = json!({
            "number": number, "operation": {"name": "op"}, "application": "shop",
            "startedAt": "2026-01-01T00:00:00Z", "exported": exported,
            "phases": [{"phase": "AppPreDeployTasks", "outcome": outcome, "items": items}],
        });
        if outcome != "open" {
            attempt["outcome"] = json!(outcome);
            attempt["endedAt"] = json!("2026-01-01T00:00:01Z");
            attempt["reason"] = json!("y".repeat(2000));
        } else {
            attempt["phases"][0]
                .as_object_mut()
                .unwrap()
                .remove("outcome");
            attempt["phases"][0]["items"] = json!([]);
        }
        attempt
    }

    fn ledger(deliveries: &[(&str, Value)]) -> Ledger {
        let deliveries: Vec<Value> = deliveries
            .iter()
            .zip(1_u64..)
            .map(|((outcome, exported), number)| {
                json!({"number": number, "digest": format!("sha256:{number}"), "appVersion": "v",
                       "attempts": [attempt(1, outcome, exported.clone())]})
            })
            .collect();
        serde_json::from_value(json!({
            "version": 1, "id": "one", "app": "shop", "stage": "dev", "namespace": "shop",
            "deliveries": deliveries,
        }))
        .unwrap()
    }

    fn sent() -> Value {
        json!({"otlp": [SpanPath::root(), "phase"]})
    }

    /// Bytes of the largest attempt, and of the largest outline.
    fn sizes(ledger: &Ledger) -> (usize, usize) {
        let attempts = || {
            ledger
                .deliveries
                .iter()
                .map(|delivery| &delivery.attempts[0])
        };
        let outlined = attempts().map(|attempt| {
            let mut attempt = attempt.clone();
            outline(&mut attempt);
            size(&attempt)
        });
        (attempts().map(size).max().unwrap(), outlined.max().unwrap())
    }

    /// `<number>` of a whole attempt, `(<number>)` of an outline.
    fn shown(ledger: &Ledger) -> String {
        let shown =
            ledger
                .deliveries
                .iter()
                .map(|delivery| match delivery.attempts[0].phases.is_empty() {
                    true => format!("({})", delivery.number),
                    false => delivery.number.to_string(),
                });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_needed_longest_goes_last() {
        let all = [
            ("fail", sent()),
            ("pass", json!({"otlp": ["phase"]})),
            ("fail", sent()),
            ("pass", sent()),
            ("fail", json!({})),
            ("fail", sent()),
        ];
        let whole = ledger(&all);
        let (full, short) = sizes(&whole);
        for (fulls, shorts, expected) in [
            (6, 0, "1 2 3 4 5 6"),
            (5, 1, "(1) 2 3 4 5 6"),
            (4, 2, "(1) 2 (3) 4 5 6"),
            (4, 1, "2 (3) 4 5 6"),
            (4, 0, "2 4 5 6"),
            (3, 1, "(2) 4 5 6"),
            (2, 2, "(2) 4 (5) 6"),
            (2, 1, "4 (5) 6"),
            (2, 0, "4 6"),
            (1, 1, "(4) 6"),
            (0, 0, "(4) 6"),
        ] {
            let room = fulls * full + shorts * short;
            let mut ledger = whole.clone();
            ledger.compact_to(room);
            assert_eq!(shown(&ledger), expected, "{fulls} and {shorts}");
            let json = serde_json::to_vec_pretty(&ledger).unwrap();
            assert!(
                json.len() <= room + 2000 || fulls == 0,
                "{room}, has {}",
                json.len()
            );
            let again = ledger.clone();
            ledger.compact_to(room);
            assert_eq!(ledger, again, "what is compact stays as it is");
        }
    }

    #[test]
    fn an_outline_still_tells_what_came_of_it() {
        let mut ledger = ledger(&[("fail", sent()), ("pass", sent()), ("fail", sent())]);
        let before = ledger.deliveries[0].attempts[0].clone();
        let (full, short) = sizes(&ledger);
        ledger.compact_to(2 * full + short);
        let attempt = &ledger.deliveries[0].attempts[0];
        assert_eq!(
            (attempt.outcome, attempt.started_at, attempt.ended_at),
            (before.outcome, before.started_at, before.ended_at)
        );
        assert_eq!(attempt.reason.as_ref().unwrap().len(), REASON);
        // It is not sent again.
        assert!(attempt.exported["otlp"].contains(&SpanPath::root()));
    }

    #[test]
    fn an_open_attempt_stays_whole_however_old_it_is() {
        let mut all = vec![("open", json!({}))];
        all.extend(vec![("fail", sent()); 60]);
        let mut ledger = ledger(&all);
        let open = ledger.deliveries[0].clone();
        ledger.compact_to(0);
        assert_eq!(ledger.deliveries[0], open);
        assert_eq!(ledger.deliveries.len(), 2);
        assert_eq!(ledger.deliveries[1].number, 61);
    }

    #[test]
    fn nothing_is_lost_where_there_is_room() {
        let mut ledger = ledger(&vec![("fail", json!({})); KEPT_DELIVERIES]);
        let before = ledger.clone();
        ledger.compact();
        assert_eq!(ledger, before);
        ledger.compact_to(200_000);
        assert_eq!(ledger.deliveries.len(), KEPT_DELIVERIES);
        assert!(serde_json::to_vec_pretty(&ledger).unwrap().len() <= 201_000);
    }
}
