//! What holds for the spans of any ledger.

use std::collections::HashSet;

use proptest::prelude::*;
use stagelink_delivery::Phase;
use stagelink_delivery::ledger::{Ledger, PhaseRecord, WorkloadRecord};

use super::tests::trees;
use crate::samples::{self, at};

prop_compose! {
    /// A ledger with any number of everything, of which any part may have ended.
    fn any_ledger()(
        id in "[a-z]{1,8}",
        attempts in prop::collection::vec(1_u64..4, 1..4),
        phases in prop::collection::vec((0_usize..6, prop::collection::vec(("[a-c]{1,2}", any::<bool>()), 0..4)), 0..6),
        workloads in prop::collection::btree_map("[a-c/]{1,3}", 0_usize..5, 0..3),
        closed in any::<bool>(),
    ) -> Ledger {
        let mut ledger = samples::ledger("dev");
        ledger.id.0 = id;
        let items = |items: &[(String, bool)]| items.iter().map(|(name, ended)| {
            let mut item = samples::item(&format!("pre-{name}-1"), name, 1, 2);
            if !ended { item.ended_at = None; item.outcome = None; }
            item
        }).collect::<Vec<_>>();
        let mut seen = HashSet::new();
        let phases: Vec<PhaseRecord> = phases.iter()
            .filter(|(index, _)| seen.insert(*index))
            .map(|(index, list)| samples::phase(Phase::APP[*index], 0, 3, items(list)))
            .collect();
        let workloads: Vec<WorkloadRecord> = workloads.iter().map(|(name, count)| WorkloadRecord {
            name: name.clone(),
            version: "1".to_owned(),
            metadata: Default::default(),
            revision: None,
            replicas: None,
            first_ready_at: None,
            phases: Phase::WORKLOAD[..*count].iter().map(|phase| samples::phase(*phase, 1, 2, Vec::new())).collect(),
        }).collect();
        ledger.deliveries = attempts.iter().zip(1..).map(|(count, number)| {
            let attempts = (1..=*count).map(|number| {
                let mut attempt = samples::attempt("dev", number);
                attempt.phases = phases.clone();
                attempt.workloads = workloads.clone();
                attempt.ended_at = closed.then(|| at(4));
                attempt
            }).collect();
            samples::delivery(number, "v", attempts)
        }).collect();
        ledger
    }
}

proptest! {
    #[test]
    fn ids_are_stable_and_unique_and_every_parent_comes_first(ledger in any_ledger()) {
        let tree = trees(&ledger);
        prop_assert_eq!(&tree, &trees(&ledger.clone()));
        let mut seen = HashSet::new();
        for placed in &tree {
            let span = &placed.span;
            if let Some(parent) = span.parent {
                prop_assert!(seen.contains(&(span.trace_id, parent)), "{} has no parent", placed.path);
            }
            prop_assert!(seen.insert((span.trace_id, span.span_id)), "{} is there twice", placed.path);
            prop_assert!(span.end.is_none_or(|end| end >= span.start));
        }
        let traces: HashSet<_> = tree.iter().map(|placed| placed.span.trace_id).collect();
        let attempts: usize = ledger.deliveries.iter().map(|delivery| delivery.attempts.len()).sum();
        prop_assert_eq!(traces.len(), attempts);
        // Another ledger with the same content shares nothing.
        let mut other = ledger.clone();
        other.id.0.push('2');
        for placed in trees(&other) {
            prop_assert!(!traces.contains(&placed.span.trace_id));
        }
    }

    #[test]
    fn a_closed_attempt_has_no_open_span(ledger in any_ledger()) {
        let closed = ledger.deliveries[0].attempts[0].ended_at.is_some();
        for placed in trees(&ledger) {
            prop_assert!(!closed || placed.span.end.is_some(), "{} is open", placed.path);
        }
    }
}
