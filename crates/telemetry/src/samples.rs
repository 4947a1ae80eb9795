//! Ledgers to test with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use stagelink_delivery::identity::{LedgerId, SpanPath};
use stagelink_delivery::ledger::{
    Attempt, Delivery, ItemRecord, ItemReport, Ledger, Link, ObjectiveRecord, Operation,
    PhaseRecord, Relation, WorkloadRecord,
};
use stagelink_delivery::{Outcome, Phase, State};
use stagelink_plan::{ContentDigest, Source};

/// Seconds after the start of the sample.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + seconds).unwrap()
}

/// The commit that is delivered.
pub(crate) const COMMIT: &str = "9a2d1f0c5a7e7f8fd7fb0d9f1c4f1f5d6a3b2c1d";

pub(crate) fn ledger(stage: &str) -> Ledger {
    Ledger::new(
        LedgerId(format!("{stage}-ledger")),
        "simple-go",
        stage,
        &format!("simple-go-{stage}"),
    )
}

pub(crate) fn attempt(stage: &str, number: u64) -> Attempt {
    Attempt {
        number,
        operation: Operation {
            name: format!("9a2d1f0-{number}"),
            jobs: BTreeMap::new(),
        },
        revision: Some(COMMIT.to_owned()),
        source: Source {
            repo_url: "https://user:token@github.com/example/shop.git".to_owned(),
            path: format!("charts/simple-go-{stage}"),
            target_revision: "main".to_owned(),
        },
        application: format!("simple-go-{stage}"),
        metadata: [("commitID".to_owned(), COMMIT.to_owned())].into(),
        links: Vec::new(),
        started_at: at(0),
        ended_at: None,
        outcome: None,
        reason: None,
        noticed: Vec::new(),
        phases: Vec::new(),
        workloads: Vec::new(),
        spooled: false,
        api_calls: BTreeMap::new(),
        exported: BTreeMap::new(),
    }
}

pub(crate) fn phase(phase: Phase, from: i64, to: i64, items: Vec<ItemRecord>) -> PhaseRecord {
    PhaseRecord {
        phase,
        state: State::Succeeded,
        outcome: Some(Outcome::Pass),
        started_at: Some(at(from)),
        ended_at: Some(at(to)),
        reason: None,
        items,
    }
}

pub(crate) fn item(name: &str, definition: &str, from: i64, to: i64) -> ItemRecord {
    ItemRecord {
        definition: definition.to_owned(),
        name: name.to_owned(),
        outcome: Some(Outcome::Pass),
        started_at: at(from),
        ended_at: Some(at(to)),
        report: ItemReport::default(),
    }
}

pub(crate) fn delivery(number: u64, version: &str, attempts: Vec<Attempt>) -> Delivery {
    Delivery {
        number,
        digest: ContentDigest::of([version.as_bytes()]),
        app_version: version.to_owned(),
        attempts,
    }
}

fn objective(value: &str, outcome: Outcome, message: &str) -> ObjectiveRecord {
    ObjectiveRecord {
        metric: "response-time".to_owned(),
        value: value.to_owned(),
        target: "<0.50".to_owned(),
        outcome,
        message: message.to_owned(),
    }
}

fn load_test(name: &str, definition: &str) -> ItemRecord {
    let mut load = item(name, definition, 6, 9);
    load.report.results = [("p95".to_owned(), 42.5), ("errorRate".to_owned(), 0.0)].into();
    load
}

/// A delivery that passed, with everything in it.
pub(crate) fn passed() -> Ledger {
    let mut ledger = ledger("dev");
    let mut attempt = attempt("dev", 1);
    let mut promote = item("promotion-promote-33333", "promote", 11, 12);
    promote.report.details = [
        ("promotion.target".to_owned(), "prod".to_owned()),
        ("promotion.changed".to_owned(), "true".to_owned()),
    ]
    .into();
    let mut evaluation = item("post-eval-response-time-22222", "response-time", 9, 11);
    evaluation.report.objectives = vec![objective(
        "0.043",
        Outcome::Pass,
        "value '0.043' met objective '<0.50'",
    )];
    attempt.phases = vec![
        phase(
            Phase::AppPreDeployTasks,
            0,
            1,
            vec![item("pre-wait-11111", "wait-for-prometheus", 0, 1)],
        ),
        phase(Phase::AppPreDeployEvaluations, 1, 1, vec![]),
        phase(Phase::AppDeploy, 1, 6, vec![]),
        phase(
            Phase::AppPostDeployTasks,
            6,
            9,
            vec![
                load_test("post-load-44444", "post-deployment-loadtests"),
                load_test(
                    "post-load-backend-55555",
                    "post-deployment-loadtests-backend",
                ),
            ],
        ),
        phase(Phase::AppPostDeployEvaluations, 9, 11, vec![evaluation]),
        phase(Phase::PromotionTasks, 11, 12, vec![promote]),
    ];
    attempt.workloads = vec![WorkloadRecord {
        name: "service".to_owned(),
        version: "v2".to_owned(),
        metadata: [("team".to_owned(), "shop".to_owned())].into(),
        revision: None,
        replicas: Some(2),
        first_ready_at: Some(at(3)),
        phases: vec![
            phase(Phase::WorkloadPreDeployTasks, 1, 1, vec![]),
            phase(Phase::WorkloadPreDeployEvaluations, 1, 1, vec![]),
            phase(Phase::WorkloadDeploy, 1, 4, vec![]),
            phase(
                Phase::WorkloadPostDeployTasks,
                4,
                6,
                vec![item("post-wait-66666", "wait-for-monitoring", 4, 6)],
            ),
            phase(Phase::WorkloadPostDeployEvaluations, 6, 6, vec![]),
        ],
    }];
    attempt.api_calls = [("PreSync".to_owned(), 9), ("PostSync".to_owned(), 21)].into();
    attempt.ended_at = Some(at(12));
    attempt.outcome = Some(Outcome::Pass);
    ledger.deliveries = vec![delivery(1, "v2", vec![attempt])];
    ledger
}

/// A delivery whose evaluation failed, after an attempt that was terminated in its deployment.
pub(crate) fn failed() -> Ledger {
    let mut ledger = ledger("dev");
    let mut terminated = attempt("dev", 1);
    terminated.phases = vec![
        phase(Phase::AppPreDeployTasks, 0, 1, vec![]),
        PhaseRecord {
            state: State::Progressing,
            outcome: None,
            ended_at: None,
            ..phase(Phase::AppDeploy, 1, 1, vec![])
        },
    ];
    terminated.ended_at = Some(at(20));
    terminated.outcome = Some(Outcome::Error);
    terminated.reason = Some("the sync was terminated".to_owned());

    let mut attempt = attempt("dev", 2);
    attempt.started_at = at(20);
    let mut evaluation = item("post-eval-response-time-22222", "response-time", 27, 29);
    evaluation.outcome = Some(Outcome::Fail);
    evaluation.report.message = "1 of 1 objectives not met".to_owned();
    evaluation.report.objectives = vec![objective(
        "0.91",
        Outcome::Fail,
        "value '0.91' did not meet objective '<0.50'",
    )];
    let reason = "response-time: value '0.91' did not meet objective '<0.50'".to_owned();
    attempt.phases = vec![
        phase(Phase::AppPreDeployTasks, 20, 21, vec![]),
        phase(Phase::AppDeploy, 21, 27, vec![]),
        PhaseRecord {
            state: State::Failed,
            outcome: Some(Outcome::Fail),
            reason: Some(reason.clone()),
            ..phase(Phase::AppPostDeployEvaluations, 27, 29, vec![evaluation])
        },
        PhaseRecord {
            state: State::Deprecated,
            outcome: None,
            started_at: None,
            ended_at: None,
            ..phase(Phase::PromotionTasks, 0, 0, vec![])
        },
    ];
    attempt.ended_at = Some(at(29));
    attempt.outcome = Some(Outcome::Fail);
    attempt.reason = Some(reason);
    attempt.links = vec![Link {
        trace_parent: ledger.attempt_id(2, 1).trace_parent(&SpanPath::root()),
        relation: Relation::PreviousAttempt,
    }];
    ledger.deliveries = vec![delivery(2, "v3", vec![terminated, attempt])];
    ledger
}

/// What follows in the next stage after [`passed`].
pub(crate) fn promoted() -> Ledger {
    let mut ledger = ledger("prod");
    let mut attempt = attempt("prod", 1);
    attempt.started_at = at(30);
    attempt.phases = vec![phase(Phase::AppDeploy, 30, 33, vec![])];
    attempt.ended_at = Some(at(33));
    attempt.outcome = Some(Outcome::Pass);
    attempt.links = vec![Link {
        trace_parent: passed()
            .attempt_id(1, 1)
            .trace_parent(&SpanPath::phase(Phase::PromotionTasks)),
        relation: Relation::PreviousStage,
    }];
    ledger.deliveries = vec![delivery(1, "v2", vec![attempt])];
    ledger
}
