//! What Keptn's users look for in their traces, span by span (Keptn's `controllers/common` and
//! `controllers/lifecycle`), and where Stagelink deliberately differs.

use std::fmt::Write as _;

use jiff::Timestamp;
use stagelink_delivery::ledger::Ledger;

use super::*;
use crate::Value;
use crate::samples::{self, COMMIT, at};
use stagelink_delivery::State;

pub(super) fn trees(ledger: &Ledger) -> Vec<TreeSpan> {
    ledger
        .deliveries
        .iter()
        .flat_map(|delivery| {
            delivery
                .attempts
                .iter()
                .flat_map(|attempt| span_tree(ledger, delivery, attempt))
        })
        .collect()
}

/// Seconds since the sample's start.
fn seconds(time: Timestamp) -> i64 {
    time.as_second() - at(0).as_second()
}

/// Names, times and statuses, indented as they belong together.
fn outline(tree: &[TreeSpan]) -> String {
    let mut text = String::new();
    for placed in tree {
        let span = &placed.span;
        let mut depth = 0;
        let mut above = span.parent;
        while let Some(parent) = above {
            depth += 1;
            above = tree
                .iter()
                .find(|other| other.span.span_id == parent)
                .expect("the parent is in the tree")
                .span
                .parent;
        }
        let end = span
            .end
            .map_or("…".to_owned(), |end| seconds(end).to_string());
        writeln!(
            text,
            "{}{} {}–{end} {:?}",
            "  ".repeat(depth),
            span.name,
            seconds(span.start),
            span.status
        )
        .unwrap();
    }
    text
}

fn find<'a>(tree: &'a [TreeSpan], name: &str) -> &'a Span {
    &tree
        .iter()
        .find(|placed| placed.span.name == name)
        .unwrap_or_else(|| panic!("no span {name}"))
        .span
}

/// Attributes with one of these beginnings, one a line.
fn attributes(span: &Span, beginnings: &[&str]) -> Vec<String> {
    span.attributes
        .iter()
        .filter(|(key, _)| beginnings.iter().any(|start| key.starts_with(start)))
        .map(|(key, value)| format!("{key}={value}"))
        .collect()
}

fn events(span: &Span) -> Vec<String> {
    span.events
        .iter()
        .map(|event| format!("{} {}", seconds(event.time), event.name))
        .collect()
}

#[test]
fn the_tree_is_that_of_keptn() {
    assert_eq!(
        outline(&trees(&samples::passed())),
        "\
simple-go-v2-6b86b273 0–12 Ok
  AppPreDeployTasks 0–1 Ok
    pre-wait-11111 0–1 Ok
  AppPreDeployEvaluations 1–1 Ok
  AppDeploy 1–6 Ok
    simple-go-service-v2 1–6 Ok
      simple-go-service/WorkloadPreDeployTasks 1–1 Ok
      simple-go-service/WorkloadPreDeployEvaluations 1–1 Ok
      simple-go-service/WorkloadDeploy 1–4 Ok
      simple-go-service/WorkloadPostDeployTasks 4–6 Ok
        post-wait-66666 4–6 Ok
      simple-go-service/WorkloadPostDeployEvaluations 6–6 Ok
  AppPostDeployTasks 6–9 Ok
    post-load-44444 6–9 Ok
    post-load-backend-55555 6–9 Ok
  AppPostDeployEvaluations 9–11 Ok
    post-eval-response-time-22222 9–11 Ok
  PromotionTasks 11–12 Ok
    promotion-promote-33333 11–12 Ok
"
    );
}

#[test]
fn attributes_are_those_of_keptn() {
    let tree = trees(&samples::passed());
    let app = &[
        "keptn.deployment.app.name=simple-go",
        "keptn.deployment.app.version=v2",
        "keptn.deployment.app.namespace=simple-go-dev",
    ][..];
    let workload = &[
        "keptn.deployment.app.name=simple-go",
        "keptn.deployment.workload.name=simple-go-service",
        "keptn.deployment.workload.version=v2",
        "keptn.deployment.workload.namespace=simple-go-dev",
    ][..];
    for (name, expected) in [
        ("simple-go-v2-6b86b273", app),
        ("AppPreDeployTasks", app),
        ("AppDeploy", app),
        ("PromotionTasks", app),
        (
            "pre-wait-11111",
            &[
                "keptn.deployment.app.name=simple-go",
                "keptn.deployment.app.version=v2",
                "keptn.deployment.workload.name=",
                "keptn.deployment.workload.version=",
                "keptn.deployment.task.name=pre-wait-11111",
                "keptn.deployment.task.type=pre",
            ],
        ),
        (
            "post-eval-response-time-22222",
            &[
                "keptn.deployment.app.name=simple-go",
                "keptn.deployment.app.version=v2",
                "keptn.deployment.workload.name=",
                "keptn.deployment.workload.version=",
                "keptn.deployment.evaluation.name=post-eval-response-time-22222",
                "keptn.deployment.evaluation.type=post-eval",
            ],
        ),
        ("simple-go-service-v2", workload),
        ("simple-go-service/WorkloadDeploy", workload),
        (
            "post-wait-66666",
            &[
                "keptn.deployment.app.name=simple-go",
                "keptn.deployment.app.version=",
                "keptn.deployment.workload.name=simple-go-service",
                "keptn.deployment.workload.version=v2",
                "keptn.deployment.task.name=post-wait-66666",
                "keptn.deployment.task.type=post",
            ],
        ),
    ] {
        assert_eq!(
            attributes(find(&tree, name), &["keptn."]),
            expected,
            "{name}"
        );
    }
}

#[test]
fn kind_scope_and_metadata_are_on_every_span() {
    for placed in trees(&samples::passed()) {
        let span = &placed.span;
        assert_eq!(span.kind, Kind::Consumer, "{}", span.name);
        assert_eq!(span.text("commitID"), COMMIT, "{}", span.name);
        assert_eq!(span.text(keys::ENVIRONMENT), "dev", "{}", span.name);
        let of_workload = placed.path.as_str().starts_with("AppDeploy/");
        let scope = if of_workload {
            "keptn/lifecycle-operator/workloadversion"
        } else {
            "keptn/lifecycle-operator/appversion"
        };
        assert_eq!(span.scope, scope, "{}", span.name);
        // A workload's own metadata is on its spans only.
        let team = if of_workload { "shop" } else { "" };
        assert_eq!(span.text("team"), team, "{}", span.name);
    }
}

#[test]
fn metadata_overrides_what_is_built_in() {
    let mut ledger = samples::passed();
    let attempt = &mut ledger.deliveries[0].attempts[0];
    attempt
        .metadata
        .insert("keptn.deployment.app.name".to_owned(), "mine".to_owned());
    attempt.workloads[0]
        .metadata
        .insert("commitID".to_owned(), "the workload's".to_owned());
    let tree = trees(&ledger);
    for placed in &tree {
        assert_eq!(placed.span.text(keys::APP_NAME), "mine");
    }
    let text = find(&tree, "simple-go-service/WorkloadDeploy").text("commitID");
    assert_eq!(text, "the workload's");
}

#[test]
fn events_are_those_of_keptn() {
    let passed = trees(&samples::passed());
    for (name, expected) in [
        (
            "simple-go-v2-6b86b273",
            &[
                "0 App Version Pre-Deployment Tasks started",
                "12 simple-go-v2-6b86b273 has finished",
            ][..],
        ),
        (
            "AppPreDeployTasks",
            &["1 App Pre-Deployment Tasks has succeeded"],
        ),
        ("AppDeploy", &["6 App Deployment has succeeded"]),
        ("PromotionTasks", &["12 Promotion Tasks has succeeded"]),
        ("pre-wait-11111", &["1 pre-wait-11111 has finished"]),
        (
            "simple-go-service-v2",
            &[
                "1 WorkloadVersion Pre-Deployment Tasks started",
                "6 simple-go-service-v2 has finished",
            ],
        ),
        (
            "simple-go-service/WorkloadDeploy",
            &["4 Workload Deployment has succeeded"],
        ),
    ] {
        assert_eq!(events(find(&passed, name)), expected, "{name}");
    }
    let failed = trees(&samples::failed());
    for (name, expected) in [
        (
            "AppPostDeployEvaluations",
            &["29 App Post-Deployment Evaluations has failed"][..],
        ),
        (
            "post-eval-response-time-22222",
            &[
                "29 post-eval-response-time-22222 has failed",
                "29 evaluation of 'response-time' failed with value: '0.91' and reason: 'value '0.91' did not meet objective '<0.50''",
            ],
        ),
    ] {
        assert_eq!(events(find(&failed, name)), expected, "{name}");
    }
}

#[test]
fn a_failed_task_says_why_as_in_keptn() {
    let mut ledger = samples::passed();
    let task = &mut ledger.deliveries[0].attempts[0].phases[0].items[0];
    task.outcome = Some(Outcome::Fail);
    task.report.reason = "DeadlineExceeded".to_owned();
    task.report.message = "Job was active longer than specified deadline".to_owned();
    let tree = trees(&ledger);
    let span = find(&tree, "pre-wait-11111");
    assert_eq!(span.status, Status::Error("Failed".to_owned()));
    assert_eq!(
        events(span),
        [
            "1 pre-wait-11111 has failed",
            "1 task 'pre-wait-11111' failed with reason: 'Job was active longer than specified deadline'",
        ]
    );
    assert_eq!(
        attributes(span, &["cicd.pipeline.task", "error.", "stagelink.reason"]),
        [
            "cicd.pipeline.task.name=wait-for-prometheus",
            "cicd.pipeline.task.run.id=pre-wait-11111",
            "cicd.pipeline.task.run.result=timeout",
            "error.type=DeadlineExceeded",
            "stagelink.reason=Job was active longer than specified deadline",
        ]
    );
}

#[test]
fn conventions_and_our_own_attributes_stand_beside() {
    let tree = trees(&samples::passed());
    let beside = &["cicd.", "vcs.", "deployment.", "error.", "stagelink."];
    assert_eq!(
        attributes(find(&tree, "simple-go-v2-6b86b273"), beside),
        [
            "cicd.pipeline.name=simple-go-dev",
            "cicd.pipeline.action.name=SYNC",
            "cicd.pipeline.run.id=dev-ledger/1.1",
            "cicd.pipeline.result=success",
            &format!("vcs.ref.head.revision={COMMIT}"),
            "vcs.ref.head.name=main",
            "vcs.repository.url.full=https://github.com/example/shop",
            "vcs.repository.name=shop",
            "vcs.provider.name=github",
            "vcs.owner.name=example",
            &format!(
                "stagelink.digest={}",
                samples::passed().deliveries[0].digest.as_str()
            ),
            &format!("stagelink.revision={COMMIT}"),
            "stagelink.application=simple-go-dev",
            "stagelink.operation=9a2d1f0-1",
            "stagelink.source.path=charts/simple-go-dev",
            "stagelink.api_calls=30",
            "stagelink.api_calls.postsync=21",
            "stagelink.api_calls.presync=9",
            "deployment.environment.name=dev",
            "stagelink.stage=dev",
            "stagelink.delivery.number=1",
            "stagelink.attempt.number=1",
            "stagelink.outcome=pass",
        ]
    );
    let first_ready = at(3).to_string();
    for (name, key, value) in [
        (
            "simple-go-service-v2",
            "stagelink.workload.first_ready",
            Value::from(first_ready.as_str()),
        ),
        (
            "simple-go-service/WorkloadDeploy",
            "stagelink.workload.first_ready",
            Value::from(first_ready.as_str()),
        ),
        (
            "simple-go-service/WorkloadDeploy",
            "stagelink.workload.replicas",
            Value::Int(2),
        ),
        (
            "post-load-44444",
            "stagelink.result.p95",
            Value::Double(42.5),
        ),
        (
            "post-load-44444",
            "stagelink.definition",
            Value::from("post-deployment-loadtests"),
        ),
        (
            "promotion-promote-33333",
            "stagelink.promotion.target",
            Value::from("prod"),
        ),
        (
            "post-eval-response-time-22222",
            "stagelink.objective.response-time",
            Value::from("value '0.043' met objective '<0.50'"),
        ),
        (
            "post-eval-response-time-22222",
            "cicd.pipeline.task.type",
            Value::from("test"),
        ),
        (
            "AppDeploy",
            "cicd.pipeline.task.type",
            Value::from("deploy"),
        ),
    ] {
        assert_eq!(
            find(&tree, name).attributes.get(key),
            Some(&value),
            "{name} {key}"
        );
    }
}

#[test]
fn outcomes_become_results_of_the_convention() {
    for (outcome, result, error, ok) in [
        (Outcome::Pass, "success", "", true),
        (Outcome::Warn, "success", "", true),
        (Outcome::Fail, "failure", "fail", false),
        (Outcome::Inconclusive, "error", "inconclusive", false),
        (Outcome::Error, "error", "error", false),
    ] {
        let mut ledger = samples::passed();
        ledger.deliveries[0].attempts[0].outcome = Some(outcome);
        let tree = trees(&ledger);
        let root = &tree[0].span;
        assert_eq!(root.text(keys::PIPELINE_RESULT), result);
        assert_eq!(root.text(keys::ERROR_TYPE), error);
        assert_eq!(root.text(keys::OUTCOME), outcome.as_str());
        assert_eq!(root.status == Status::Ok, ok);
    }
}

#[test]
fn the_root_links_to_the_stage_and_the_attempt_before() {
    let dev = trees(&samples::passed());
    let prod = trees(&samples::promoted());
    let [link] = &prod[0].span.links[..] else {
        panic!("one link");
    };
    assert_eq!(link.to, find(&dev, "PromotionTasks").trace_parent());
    let pairs: Vec<_> = link
        .attributes
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        pairs,
        [
            "opentracing.ref_type=follows-from",
            "stagelink.link.relation=previous-stage"
        ]
    );
    assert_ne!(prod[0].span.trace_id, dev[0].span.trace_id);

    let failed = trees(&samples::failed());
    let roots: Vec<&Span> = failed
        .iter()
        .map(|placed| &placed.span)
        .filter(|span| span.parent.is_none())
        .collect();
    assert_eq!(roots[1].links[0].to, roots[0].trace_parent());
    assert_eq!(
        roots[1].links[0].attributes.get(keys::LINK_RELATION),
        Some(&Value::from("previous-attempt"))
    );
    let links = failed.iter().map(|placed| placed.span.links.len());
    assert_eq!(links.sum::<usize>(), 1, "only roots link");
}

/// Keptn never ends what a terminated or deprecated version leaves open.
#[test]
fn what_a_closed_attempt_left_open_is_ended() {
    let mut ledger = samples::failed();
    ledger.deliveries[0].attempts.truncate(1);
    let attempt = &mut ledger.deliveries[0].attempts[0];
    let mut task = samples::item("pre-wait-11111", "wait", 0, 0);
    task.ended_at = None;
    task.outcome = None;
    attempt.phases[0].items.push(task);
    let tree = trees(&ledger);
    assert_eq!(
        outline(&tree),
        "\
simple-go-v3-d4735e3a 0–20 Error(\"Failed\")
  AppPreDeployTasks 0–1 Ok
    pre-wait-11111 0–1 Error(\"Failed\")
  AppDeploy 1–20 Error(\"Failed\")
"
    );
    for (name, key, text) in [
        (
            "AppDeploy",
            keys::REASON,
            "the delivery ended before this did",
        ),
        (
            "pre-wait-11111",
            keys::REASON,
            "the delivery ended before this did",
        ),
        ("pre-wait-11111", keys::PIPELINE_TASK_RESULT, "cancellation"),
        (
            "simple-go-v3-d4735e3a",
            keys::REASON,
            "the sync was terminated",
        ),
    ] {
        assert_eq!(find(&tree, name).text(key), text, "{name}");
    }
}

/// Keptn marks such a phase as succeeded.
#[test]
fn a_phase_that_failed_without_blocking_says_so() {
    let mut ledger = samples::passed();
    let attempt = &mut ledger.deliveries[0].attempts[0];
    attempt.outcome = Some(Outcome::Warn);
    attempt.phases[0].outcome = Some(Outcome::Warn);
    attempt.phases[0].state = State::Warning;
    attempt.phases[0].items[0].outcome = Some(Outcome::Fail);
    let tree = trees(&ledger);
    let phase = find(&tree, "AppPreDeployTasks");
    assert_eq!(phase.status, Status::Error("Failed".to_owned()));
    assert_eq!(events(phase), ["1 App Pre-Deployment Tasks has failed"]);
    assert_eq!(phase.text(keys::OUTCOME), "warn");
    // The delivery itself goes on and finishes, as in Keptn.
    assert_eq!(tree[0].span.status, Status::Ok);
}

#[test]
fn an_open_attempt_has_open_spans_and_no_span_for_what_did_not_begin() {
    let mut ledger = samples::failed();
    let attempts = &mut ledger.deliveries[0].attempts;
    attempts.remove(0);
    let attempt = &mut attempts[0];
    attempt.ended_at = None;
    attempt.outcome = None;
    attempt.phases[2].ended_at = None;
    attempt.phases[2].outcome = None;
    attempt.phases[2].state = State::Progressing;
    attempt.phases[2].items[0].ended_at = None;
    attempt.phases[2].items[0].outcome = None;
    assert_eq!(
        outline(&trees(&ledger)),
        "\
simple-go-v3-d4735e3a 20–… Unset
  AppPreDeployTasks 20–21 Ok
  AppDeploy 21–27 Ok
  AppPostDeployEvaluations 27–… Unset
    post-eval-response-time-22222 27–… Unset
"
    );
}

#[test]
fn a_workload_is_open_until_its_app_is_deployed() {
    let mut ledger = samples::passed();
    let attempt = &mut ledger.deliveries[0].attempts[0];
    attempt.ended_at = None;
    attempt.phases.truncate(3);
    attempt.phases[2].ended_at = None;
    attempt.workloads[0].phases.truncate(3);
    let tree = trees(&ledger);
    assert_eq!(find(&tree, "simple-go-service-v2").end, None);
    assert_eq!(
        find(&tree, "simple-go-service/WorkloadDeploy").end,
        Some(at(4))
    );
}

/// The engine notes first when a workload became healthy, then what came of it; a hook may be
/// killed in between.
#[test]
fn what_has_no_outcome_yet_is_open() {
    let mut ledger = samples::passed();
    let attempt = &mut ledger.deliveries[0].attempts[0];
    attempt.ended_at = None;
    attempt.phases.truncate(3);
    let task = &mut attempt.phases[0].items[0];
    task.outcome = None;
    let deploy = &mut attempt.workloads[0].phases[2];
    deploy.outcome = None;
    deploy.state = State::Progressing;
    let tree = trees(&ledger);
    for name in ["pre-wait-11111", "simple-go-service/WorkloadDeploy"] {
        let span = find(&tree, name);
        assert_eq!((span.end, &span.status), (None, &Status::Unset), "{name}");
    }
}

#[test]
fn long_texts_are_clipped_at_a_character() {
    assert_eq!(clip("short"), "short");
    let long = clip(&"é".repeat(4000));
    assert!(long.len() < 4200 && long.ends_with("é…"), "{}", long.len());
}

/// The page for users is complete: it names every attribute that there is.
#[test]
fn every_attribute_is_documented() {
    let page = include_str!("../../../../docs/reference/traces.md");
    for placed in [samples::passed(), samples::failed(), samples::promoted()]
        .iter()
        .flat_map(trees)
    {
        for (key, _) in placed.span.attributes.iter() {
            let documented = match key {
                "commitID" | "team" => true,
                key if key.starts_with(keys::RESULT_PREFIX) => page.contains("`stagelink.result.<"),
                key if key.starts_with(keys::OBJECTIVE_PREFIX) => {
                    page.contains("`stagelink.objective.<")
                }
                key if key.starts_with("stagelink.promotion.") => {
                    page.contains("`stagelink.<key>`")
                }
                key => {
                    let short = key.trim_start_matches("keptn.deployment.");
                    page.contains(&format!("`{short}`"))
                }
            };
            assert!(documented, "{key} is not in docs/reference/traces.md");
        }
    }
}
