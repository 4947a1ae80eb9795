//! The story that the page tells: v1 and v2 go through both stages, v3 is too slow for prod, and
//! v4 is on its way.

use std::collections::BTreeMap;

use jiff::Timestamp;
use stagelink_delivery::identity::{LedgerId, SpanPath};
use stagelink_delivery::ledger::{
    Attempt, Delivery, ItemRecord, ItemReport, Ledger, Link, ObjectiveRecord, Operation,
    PhaseRecord, Relation, WorkloadRecord,
};
use stagelink_delivery::{Outcome, Phase, State};
use stagelink_plan::{ContentDigest, Source};

const COMMIT: &str = "9a2d1f0c5a7e7f8fd7fb0d9f1c4f1f5d6a3b2c1d";

/// Tenths of seconds after the start of the story.
fn at(tenths: i64) -> Timestamp {
    Timestamp::from_millisecond(1_764_000_000_000 + tenths * 100).unwrap()
}

fn attempt(stage: &str, number: u64, start: i64) -> Attempt {
    Attempt {
        number,
        operation: Operation {
            name: format!("9a2d1f0-{start}"),
            jobs: BTreeMap::new(),
        },
        revision: Some(COMMIT.to_owned()),
        source: Source {
            repo_url: "https://github.com/example/multi-stage-delivery.git".to_owned(),
            path: format!("charts/simple-go-{stage}"),
            target_revision: "main".to_owned(),
        },
        application: format!("simple-go-{stage}"),
        metadata: [("commitID".to_owned(), COMMIT.to_owned())].into(),
        links: Vec::new(),
        started_at: at(start),
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

fn phase(phase: Phase, from: i64, to: i64, items: Vec<ItemRecord>) -> PhaseRecord {
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

fn item(check: &str, definition: &str, from: i64, to: i64) -> ItemRecord {
    ItemRecord {
        definition: definition.to_owned(),
        name: format!("{check}-{definition}-{}", 10_000 + from),
        outcome: Some(Outcome::Pass),
        started_at: at(from),
        ended_at: Some(at(to)),
        report: ItemReport::default(),
    }
}

fn load(definition: &str, from: i64, p95: f64) -> ItemRecord {
    let mut load = item("post", definition, from, from + 21);
    load.report.results = [("p50", p95 / 2.0), ("p95", p95), ("errorRate", 0.0)]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
    load
}

fn workload(name: &str, version: &str, start: i64) -> WorkloadRecord {
    let wait = item("post", &format!("wait-for-{name}"), start + 8, start + 14);
    WorkloadRecord {
        name: name.to_owned(),
        version: version.to_owned(),
        metadata: BTreeMap::new(),
        revision: None,
        replicas: None,
        first_ready_at: None,
        phases: vec![
            phase(Phase::WorkloadPreDeployTasks, start, start, vec![]),
            phase(Phase::WorkloadPreDeployEvaluations, start, start, vec![]),
            phase(Phase::WorkloadDeploy, start, start + 8, vec![]),
            phase(
                Phase::WorkloadPostDeployTasks,
                start + 8,
                start + 14,
                vec![wait],
            ),
            phase(
                Phase::WorkloadPostDeployEvaluations,
                start + 14,
                start + 14,
                vec![],
            ),
        ],
    }
}

/// A whole attempt that passed, as the demo's charts make it.
fn passed(stage: &str, version: &str, start: i64) -> Attempt {
    let mut attempt = attempt(stage, 1, start);
    let t = start;
    let mut evaluation = item("post-eval", "response-time", t + 42, t + 44);
    evaluation.report.objectives = vec![ObjectiveRecord {
        metric: "response-time".to_owned(),
        value: "0.043".to_owned(),
        target: "<0.50".to_owned(),
        outcome: Outcome::Pass,
        message: "value '0.043' met objective '<0.50'".to_owned(),
    }];
    attempt.phases = vec![
        phase(
            Phase::AppPreDeployTasks,
            t,
            t + 5,
            vec![item("pre", "wait-for-prometheus", t, t + 5)],
        ),
        phase(Phase::AppPreDeployEvaluations, t + 5, t + 5, vec![]),
        phase(Phase::AppDeploy, t + 5, t + 20, vec![]),
        phase(
            Phase::AppPostDeployTasks,
            t + 20,
            t + 42,
            vec![
                load("post-deployment-loadtests", t + 20, 42.5),
                load("post-deployment-loadtests-backend", t + 21, 18.25),
            ],
        ),
        phase(
            Phase::AppPostDeployEvaluations,
            t + 42,
            t + 44,
            vec![evaluation],
        ),
    ];
    if stage == "dev" {
        let mut promote = item("promotion", "promote", t + 44, t + 52);
        promote.report.details = [
            ("promotion.target", "prod"),
            ("promotion.branch", "stagelink/simple-go/prod"),
            (
                "promotion.url",
                "https://github.com/example/multi-stage-delivery/pull/7",
            ),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        attempt
            .phases
            .push(phase(Phase::PromotionTasks, t + 44, t + 52, vec![promote]));
    }
    attempt.workloads = vec![
        workload("simple-go-backend", version, t + 5),
        workload("simple-go-service", version, t + 6),
    ];
    attempt.ended_at = attempt.phases.last().unwrap().ended_at;
    attempt.outcome = Some(Outcome::Pass);
    attempt
}

/// An attempt whose load tests found it too slow.
fn slow(stage: &str, version: &str, start: i64) -> Attempt {
    let mut attempt = passed(stage, version, start);
    attempt.phases.pop();
    let reason = "response-time: value '0.912' did not meet objective '<0.50'";
    let phase = attempt.phases.last_mut().unwrap();
    phase.state = State::Failed;
    phase.outcome = Some(Outcome::Fail);
    phase.reason = Some(reason.to_owned());
    let evaluation = &mut phase.items[0];
    evaluation.outcome = Some(Outcome::Fail);
    evaluation.report.message = "1 of 1 objectives not met".to_owned();
    evaluation.report.objectives[0] = ObjectiveRecord {
        value: "0.912".to_owned(),
        outcome: Outcome::Fail,
        message: "value '0.912' did not meet objective '<0.50'".to_owned(),
        ..evaluation.report.objectives[0].clone()
    };
    attempt.ended_at = phase.ended_at;
    attempt.outcome = Some(Outcome::Fail);
    attempt.reason = Some(reason.to_owned());
    attempt
}

/// An attempt whose load tests are running.
fn running(stage: &str, version: &str, start: i64) -> Attempt {
    let mut attempt = passed(stage, version, start);
    attempt.phases.truncate(4);
    let phase = attempt.phases.last_mut().unwrap();
    phase.state = State::Progressing;
    phase.ended_at = None;
    phase.outcome = None;
    let item = &mut phase.items[1];
    item.ended_at = None;
    item.outcome = None;
    attempt.ended_at = None;
    attempt.outcome = None;
    attempt
}

fn ledger(stage: &str, deliveries: Vec<(&str, Attempt)>) -> Ledger {
    let id = LedgerId(format!("{stage}-of-the-story"));
    let mut ledger = Ledger::new(id, "simple-go", stage, &format!("simple-go-{stage}"));
    ledger.deliveries = deliveries
        .into_iter()
        .zip(1..)
        .map(|((version, attempt), number)| Delivery {
            number,
            digest: ContentDigest::of([version.as_bytes()]),
            app_version: version.to_owned(),
            attempts: vec![attempt],
        })
        .collect();
    ledger
}

pub(crate) fn story() -> Vec<Ledger> {
    let dev = ledger(
        "dev",
        vec![
            ("v1", passed("dev", "v1", 0)),
            ("v2", passed("dev", "v2", 700)),
            ("v3", slow("dev", "v3", 1500)),
            ("v4", running("dev", "v4", 1900)),
        ],
    );
    let mut prod = ledger(
        "prod",
        vec![
            ("v1", passed("prod", "v1", 100)),
            ("v2", passed("prod", "v2", 900)),
        ],
    );
    for delivery in &mut prod.deliveries {
        let promotion = SpanPath::phase(Phase::PromotionTasks);
        delivery.attempts[0].links = vec![Link {
            trace_parent: dev.attempt_id(delivery.number, 1).trace_parent(&promotion),
            relation: Relation::PreviousStage,
        }];
    }
    vec![dev, prod]
}

/// Texts that try to be more than texts.
pub(crate) fn hostile() -> Ledger {
    let evil =
        "</script><script>window.gotcha = 1</script><img src=x onerror=\"window.gotcha = 1\">";
    let mut attempt = slow("dev", "v1", 0);
    attempt.reason = Some(evil.to_owned());
    attempt.metadata = [
        (evil.to_owned(), evil.to_owned()),
        ("commitID".to_owned(), evil.to_owned()),
        ("link".to_owned(), "javascript:window.gotcha=1".to_owned()),
        ("stagelink.stage".to_owned(), "__proto__".to_owned()),
        ("stagelink.outcome".to_owned(), "constructor".to_owned()),
    ]
    .into();
    for phase in &mut attempt.phases {
        for item in &mut phase.items {
            item.name = evil.to_owned();
            item.report.message = evil.to_owned();
        }
    }
    let mut ledger = ledger("dev", vec![(evil, attempt)]);
    ledger.app = evil.to_owned();
    ledger
}
