//! Forgetting what is too old to matter, so that a ledger stays small enough for a ConfigMap.

use std::collections::BTreeSet;

use crate::Outcome;
use crate::identity::SpanPath;
use crate::ledger::{Attempt, Delivery, Ledger};

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
    pub fn compact(&mut self) -> Self {
        self.compact_to(ROOM)
    }

    /// Forgets what is too old, and then, until the ledger takes no more than `room` bytes of JSON as
    /// it is laid out for people, first what happened within old attempts, then old attempts
    /// altogether. What has spans to be sent goes last. The newest attempt stays as it is, and so do
    /// open ones; of the newest that passed, which tells what is in the stage, at least its verdict
    /// stays. Numbers are never used again.
    ///
    /// Gives what was forgotten of attempts that have spans to be sent, for somebody to put it away.
    #[must_use = "spans are lost with it"]
    pub fn compact_to(&mut self, room: usize) -> Self {
        let mut unsent = self.emptied();
        self.forget_old(&mut unsent);
        let mut attempts: Vec<Kept> = self.worths();
        let mut total: usize = attempts.iter().map(|kept| kept.size).sum();
        for (worth, drop) in [
            (Worth::Sent, false),
            (Worth::Sent, true),
            (Worth::Unsent, false),
            (Worth::Unsent, true),
            (Worth::Current, false),
        ] {
            // Oldest first, as they are in the ledger.
            for kept in attempts.iter_mut().filter(|kept| kept.worth == worth) {
                if total <= room {
                    break;
                }
                let Some((delivery, attempt)) = self.at(kept.place) else {
                    continue;
                };
                total -= kept.size;
                kept.size = 0;
                let has_content = !attempt.phases.is_empty() || !attempt.workloads.is_empty();
                if kept.is_unsent && (drop || has_content) {
                    put(&mut unsent, delivery, attempt);
                    kept.is_unsent = false;
                }
                kept.is_dropped = drop;
                if !drop && let Some(attempt) = self.at_mut(kept.place) {
                    outline(attempt);
                    kept.size = size(attempt);
                    total += kept.size;
                }
            }
        }
        let mut attempts = attempts.into_iter();
        for delivery in &mut self.deliveries {
            delivery
                .attempts
                .retain(|_| attempts.next().is_none_or(|kept| !kept.is_dropped));
        }
        self.deliveries
            .retain(|delivery| !delivery.attempts.is_empty());
        unsent
    }

    fn at(&self, (delivery, attempt): (usize, usize)) -> Option<(&Delivery, &Attempt)> {
        let delivery = self.deliveries.get(delivery)?;
        Some((delivery, delivery.attempts.get(attempt)?))
    }

    fn at_mut(&mut self, (delivery, attempt): (usize, usize)) -> Option<&mut Attempt> {
        self.deliveries.get_mut(delivery)?.attempts.get_mut(attempt)
    }

    /// Forgets all but a number of deliveries and attempts.
    fn forget_old(&mut self, unsent: &mut Self) {
        let excess = self.deliveries.len().saturating_sub(KEPT_DELIVERIES);
        let is_old = |this: &Self, (index, attempt): (usize, usize)| {
            let left = this.deliveries[index].attempts.len() - attempt;
            index < excess || left > KEPT_ATTEMPTS
        };
        let mut dropped = Vec::new();
        for kept in self.worths() {
            let is_dropped = is_old(self, kept.place) && kept.worth < Worth::Current;
            if is_dropped
                && kept.is_unsent
                && let Some((delivery, attempt)) = self.at(kept.place)
            {
                put(unsent, delivery, attempt);
            }
            dropped.push(is_dropped);
        }
        let mut dropped = dropped.into_iter();
        for delivery in &mut self.deliveries {
            delivery
                .attempts
                .retain(|_| !dropped.next().unwrap_or_default());
        }
        self.deliveries
            .retain(|delivery| !delivery.attempts.is_empty());
    }

    /// What each attempt is worth, in the ledger's order.
    fn worths(&self) -> Vec<Kept> {
        let places = self.deliveries.iter().enumerate();
        let places: Vec<(usize, usize)> = places
            .flat_map(|(index, delivery)| {
                (0..delivery.attempts.len()).map(move |attempt| (index, attempt))
            })
            .collect();
        let attempts = || {
            self.deliveries
                .iter()
                .flat_map(|delivery| &delivery.attempts)
        };
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
        let last = places.len().saturating_sub(1);
        attempts()
            .zip(places)
            .enumerate()
            .map(|(index, (attempt, place))| {
                // What was put away has nothing to be sent here.
                let is_unsent = !attempt.spooled && !is_sent(attempt);
                let worth = if attempt.ended_at.is_none() || index == last {
                    Worth::Needed
                } else if Some(index) == current {
                    Worth::Current
                } else if is_unsent {
                    Worth::Unsent
                } else {
                    Worth::Sent
                };
                Kept {
                    place,
                    worth,
                    is_unsent,
                    size: size(attempt),
                    is_dropped: false,
                }
            })
            .collect()
    }
}

/// An attempt while a ledger is compacted.
struct Kept {
    /// Where it is: index of its delivery, and its own in that.
    place: (usize, usize),
    worth: Worth,
    /// Somebody still has to take spans of it, and it was not put away.
    is_unsent: bool,
    /// Bytes that it takes.
    size: usize,
    is_dropped: bool,
}

/// Adds an attempt as it is, after all that are there.
fn put(unsent: &mut Ledger, delivery: &Delivery, attempt: &Attempt) {
    let known = unsent
        .deliveries
        .iter_mut()
        .find(|known| known.number == delivery.number);
    match known {
        Some(known) => known.attempts.push(attempt.clone()),
        None => unsent.deliveries.push(Delivery {
            number: delivery.number,
            digest: delivery.digest.clone(),
            app_version: delivery.app_version.clone(),
            attempts: vec![attempt.clone()],
        }),
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
        for (fulls, shorts, expected, put_away) in [
            (6, 0, "1 2 3 4 5 6", vec![]),
            (5, 1, "(1) 2 3 4 5 6", vec![]),
            (4, 2, "(1) 2 (3) 4 5 6", vec![]),
            (4, 1, "2 (3) 4 5 6", vec![]),
            (4, 0, "2 4 5 6", vec![]),
            (3, 1, "(2) 4 5 6", vec![2]),
            (2, 2, "(2) 4 (5) 6", vec![2, 5]),
            (2, 1, "4 (5) 6", vec![2, 5]),
            (2, 0, "4 6", vec![2, 5]),
            (1, 1, "(4) 6", vec![2, 5]),
            (0, 0, "(4) 6", vec![2, 5]),
        ] {
            let room = fulls * full + shorts * short;
            let mut ledger = whole.clone();
            let unsent = ledger.compact_to(room);
            assert_eq!(numbers(&unsent), put_away, "{fulls} and {shorts}");
            assert_eq!(shown(&ledger), expected, "{fulls} and {shorts}");
            let json = serde_json::to_vec_pretty(&ledger).unwrap();
            assert!(
                json.len() <= room + 2000 || fulls == 0,
                "{room}, has {}",
                json.len()
            );
            ledger.note_spooled(&unsent);
            let again = ledger.clone();
            assert!(ledger.compact_to(room).deliveries.is_empty());
            assert_eq!(ledger, again, "what is compact stays as it is");
        }
    }

    #[test]
    fn an_outline_still_tells_what_came_of_it() {
        let mut ledger = ledger(&[("fail", sent()), ("pass", sent()), ("fail", sent())]);
        let before = ledger.deliveries[0].attempts[0].clone();
        let (full, short) = sizes(&ledger);
        assert!(ledger.compact_to(2 * full + short).deliveries.is_empty());
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
        let unsent = ledger.compact_to(0);
        assert!(unsent.deliveries.is_empty());
        assert_eq!(ledger.deliveries[0], open);
        assert_eq!(ledger.deliveries.len(), 2);
        assert_eq!(ledger.deliveries[1].number, 61);
    }

    #[test]
    fn nothing_is_lost_where_there_is_room() {
        let mut ledger = ledger(&vec![("fail", json!({})); KEPT_DELIVERIES]);
        let before = ledger.clone();
        assert!(ledger.compact().deliveries.is_empty());
        assert_eq!(ledger, before);
        // Nobody ever wanted a span.
        assert!(ledger.compact_to(200_000).deliveries.is_empty());
        assert_eq!(ledger.deliveries.len(), KEPT_DELIVERIES);
        assert!(serde_json::to_vec_pretty(&ledger).unwrap().len() <= 201_000);
    }

    #[test]
    fn what_has_spans_to_be_sent_is_given_away_whole_and_once() {
        // No exporter has ever taken a span, and one tried.
        let waiting = || json!({"otlp": []});
        let mut all = vec![("fail", waiting()); KEPT_DELIVERIES + 2];
        all[5] = ("fail", sent());
        let whole = ledger(&all);
        let mut ledger = whole.clone();
        // What is too old.
        let unsent = ledger.compact_to(usize::MAX);
        assert_eq!(numbers(&unsent), [1, 2]);
        assert_eq!(unsent.deliveries, whole.deliveries[..2]);
        assert_eq!(
            (unsent.id.clone(), unsent.spooled),
            (whole.id.clone(), false)
        );
        ledger.note_spooled(&unsent);
        assert!(ledger.spooled);

        // What is too much: the sent one goes first.
        let (full, _) = sizes(&ledger);
        let unsent = ledger.compact_to(20 * full);
        let put_away = numbers(&unsent);
        assert!(put_away.len() > 5 && !put_away.contains(&6), "{put_away:?}");
        for delivery in &unsent.deliveries {
            let index = usize::try_from(delivery.number).unwrap() - 1;
            assert_eq!(*delivery, whole.deliveries[index]);
        }
        ledger.note_spooled(&unsent);
        let outlined = ledger.attempt(put_away[0], 1).unwrap();
        assert!(outlined.spooled && outlined.phases.is_empty());
        // Once put away it is not given away again, not even when it is forgotten altogether.
        let rest = numbers(&ledger.compact_to(0));
        assert!(
            rest.iter().all(|number| !put_away.contains(number)),
            "{rest:?}"
        );
    }

    /// Of the deliveries.
    fn numbers(ledger: &Ledger) -> Vec<u64> {
        ledger.numbers().map(|(delivery, _)| delivery).collect()
    }
}
