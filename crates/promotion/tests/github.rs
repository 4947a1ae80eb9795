//! The start of a workflow on GitHub, against a real server on this machine that answers as GitHub
//! does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail as tests do"
)]

#[path = "support/http.rs"]
mod http;
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::{Api, Does, answers};
use stagelink_promotion::{GithubWorkflow, Promoted, PromotionError, Secret, Target, promote};
use support::{LINK, promotion};
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "github_pat_s3cret";

fn target(api: &Api) -> GithubWorkflow {
    GithubWorkflow {
        api_url: format!("http://{}/api/v3", api.address).parse().unwrap(),
        owner: "me".into(),
        repository: "demo".into(),
        workflow: "promote.yaml".into(),
        reference: "main".into(),
        inputs: BTreeMap::new(),
        trace_parent_input: Some("traceParent".into()),
        token: Secret::new(TOKEN),
        timeout: Duration::from_secs(10),
    }
}

async fn start(target: GithubWorkflow) -> Result<Promoted, PromotionError> {
    let cancel = CancellationToken::new();
    promote(
        &promotion("abc"),
        &Target::GithubWorkflow(Box::new(target)),
        &cancel,
    )
    .await
}

fn message(text: &str) -> String {
    format!(r#"{{"message":"{text}","documentation_url":"https://docs.github.com"}}"#)
}

#[tokio::test]
async fn the_workflow_is_started_as_in_the_blog() {
    let api = Api::start(vec![answers(204, "")]).await;
    let done = start(target(&api)).await.unwrap();
    assert!(done.changed);
    assert_eq!(done.target, "me/demo");
    assert_eq!(
        done.summary,
        "started the workflow promote.yaml on main of me/demo"
    );
    assert_eq!(done.title, "Promote simple-go from dev to prod");

    let seen = api.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        seen[0].line,
        "POST /api/v3/repos/me/demo/actions/workflows/promote.yaml/dispatches"
    );
    assert_eq!(seen[0].header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(seen[0].header("accept"), "application/vnd.github+json");
    assert_eq!(seen[0].header("x-github-api-version"), "2022-11-28");
    assert!(seen[0].header("user-agent").starts_with("stagelink/"));
    assert_eq!(
        seen[0].body,
        format!(r#"{{"ref":"main","inputs":{{"traceParent":"{LINK}"}}}}"#)
    );
}

#[tokio::test]
async fn chosen_inputs_are_templates() {
    let api = Api::start(vec![answers(204, "")]).await;
    let mut target = target(&api);
    target.trace_parent_input = None;
    target
        .inputs
        .insert("revision".into(), "{{revision}}".into());
    target
        .inputs
        .insert("stages".into(), "{{sourceStage}}-{{targetStage}}".into());
    start(target.clone()).await.unwrap();
    assert_eq!(
        api.seen()[0].body,
        r#"{"ref":"main","inputs":{"revision":"abc","stages":"dev-prod"}}"#
    );

    target.inputs.insert("bad".into(), "{{nobody}}".into());
    assert!(start(target.clone()).await.unwrap_err().is_usage());
    target.inputs = (0..26).map(|n| (format!("i{n}"), String::new())).collect();
    assert!(
        start(target)
            .await
            .unwrap_err()
            .to_string()
            .contains("at most 25")
    );
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn the_run_is_linked_where_github_names_it() {
    let run = r#"{"workflow_run_id":1,"run_url":"https://api.github.com/r/1","html_url":"https://github.com/me/demo/actions/runs/1"}"#;
    let api = Api::start(vec![answers(200, run)]).await;
    let done = start(target(&api)).await.unwrap();
    assert_eq!(
        done.url.as_deref(),
        Some("https://github.com/me/demo/actions/runs/1")
    );
}

#[tokio::test]
async fn refusals_say_what_to_do_and_are_not_repeated() {
    for (status, body, expected) in [
        (
            401,
            message("Bad credentials"),
            "put a new one into SECURE_DATA. GitHub says: Bad credentials",
        ),
        (
            403,
            message("Resource not accessible by personal access token"),
            "Actions: read and write",
        ),
        (
            404,
            message("Not Found"),
            "no workflow promote.yaml in me/demo",
        ),
        (
            422,
            message("Unexpected inputs provided: [x]"),
            "with these inputs (traceParent). GitHub says: Unexpected inputs",
        ),
        (
            422,
            message("Workflow does not have 'workflow_dispatch' trigger"),
            "on: workflow_dispatch",
        ),
        (
            400,
            "<html>proxy</html>".to_owned(),
            "is --api-url right? (no message)",
        ),
        (302, String::new(), "(302)"),
    ] {
        let api = Api::start(vec![answers(status, &body)]).await;
        let error = start(target(&api)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{status}: {error}");
        assert!(!error.is_worth_another_try(), "{status}");
        assert_eq!(error.to_string().lines().count(), 1);
        assert_eq!(api.seen().len(), 1, "{status}");
    }
    let api = Api::start(vec![Does::Answers(
        403,
        vec![(
            "x-github-sso",
            "required; url=https://github.com/orgs/o/sso".into(),
        )],
        message("Resource protected by organization SAML enforcement."),
    )])
    .await;
    let error = start(target(&api)).await.unwrap_err();
    assert!(error.to_string().contains("single sign-on"), "{error}");
}

#[tokio::test]
async fn limits_of_the_rate_are_waited_for() {
    let epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    for (status, headers, body) in [
        (429, vec![("retry-after", "1".to_owned())], String::new()),
        (
            403,
            vec![("retry-after", "1".to_owned())],
            message("You have exceeded a secondary rate limit."),
        ),
        (
            403,
            vec![
                ("x-ratelimit-remaining", "0".to_owned()),
                ("x-ratelimit-reset", epoch.to_string()),
            ],
            message("API rate limit exceeded"),
        ),
    ] {
        let api = Api::start(vec![Does::Answers(status, headers, body), answers(204, "")]).await;
        let began = Instant::now();
        assert!(start(target(&api)).await.unwrap().changed);
        assert!(began.elapsed() >= Duration::from_secs(1), "{status}");
        assert_eq!(api.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_limit_longer_than_the_deadline_ends_at_once() {
    for (headers, expected) in [
        (vec![("retry-after", "600".to_owned())], "for another 600 s"),
        (
            vec![("retry-after", u64::MAX.to_string())],
            "for another 4000000000 s",
        ),
        (
            vec![
                ("x-ratelimit-remaining", "0".to_owned()),
                ("x-ratelimit-reset", u64::MAX.to_string()),
            ],
            "for another ",
        ),
        // GitHub asks to wait a minute when it does not say for how long.
        (vec![], "is reached (429); try again"),
    ] {
        let api = Api::start(vec![Does::Answers(429, headers, message("rate limit"))]).await;
        let error = start(target(&api)).await.unwrap_err();
        assert!(
            matches!(error, PromotionError::RateLimited { status: 429, .. }),
            "{error}"
        );
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.is_worth_another_try());
        assert_eq!(api.seen().len(), 1);
    }
}

#[tokio::test]
async fn faults_of_the_server_are_tried_again() {
    let api = Api::start(vec![
        answers(502, "<html>"),
        answers(500, ""),
        answers(204, ""),
    ])
    .await;
    assert!(start(target(&api)).await.unwrap().changed);
    assert_eq!(api.seen().len(), 3);

    let api = Api::start(vec![answers(503, &message("Service unavailable"))]).await;
    let error = start(target(&api)).await.unwrap_err();
    assert!(
        matches!(
            error,
            PromotionError::Server {
                status: 503,
                attempts: 4,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.is_worth_another_try());
    assert_eq!(api.seen().len(), 4);
}

#[tokio::test]
async fn a_hang_ends_with_the_deadline() {
    let api = Api::start(vec![Does::Hangs]).await;
    let mut target = target(&api);
    target.timeout = Duration::from_millis(300);
    let error = start(target).await.unwrap_err();
    assert!(matches!(error, PromotionError::Timeout { .. }), "{error}");
    assert!(error.is_worth_another_try());
    assert_eq!(
        api.seen().len(),
        1,
        "it may have been started: not asked again"
    );
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let api = Api::start(vec![answers(204, "")]).await;
    let mut target = target(&api);
    target.api_url = format!("http://{address}").parse().unwrap();
    let error = start(target).await.unwrap_err();
    assert!(
        matches!(error, PromotionError::Unreachable { .. }),
        "{error}"
    );
    assert!(error.is_worth_another_try());
}

#[tokio::test]
async fn it_stops_when_it_is_asked_to() {
    let api = Api::start(vec![Does::Hangs]).await;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
    });
    let target = Target::GithubWorkflow(Box::new(target(&api)));
    let error = promote(&promotion("abc"), &target, &cancel)
        .await
        .unwrap_err();
    assert!(matches!(error, PromotionError::Cancelled), "{error}");
}

#[tokio::test]
async fn a_renamed_repository_is_followed_but_no_other_host() {
    let renamed = Does::Answers(
        307,
        vec![("location", "/api/v3/repositories/1/dispatches".into())],
        String::new(),
    );
    let api = Api::start(vec![renamed, answers(204, "")]).await;
    start(target(&api)).await.unwrap();
    let seen = api.seen();
    assert_eq!(seen[1].line, "POST /api/v3/repositories/1/dispatches");
    assert_eq!(
        (&seen[1].body, seen[1].header("authorization")),
        (&seen[0].body, seen[0].header("authorization"))
    );

    let other = Api::start(vec![answers(204, "")]).await;
    let away = Does::Answers(
        307,
        vec![("location", format!("http://{}/x", other.address))],
        String::new(),
    );
    let api = Api::start(vec![away]).await;
    let error = start(target(&api)).await.unwrap_err();
    assert!(
        matches!(error, PromotionError::Unexpected { status: 307, .. }),
        "{error}"
    );
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn the_token_is_seen_nowhere() {
    let echo = message(&format!("token {TOKEN} is not good"));
    let api = Api::start(vec![answers(401, &echo)]).await;
    let target = target(&api);
    let error = start(target.clone()).await.unwrap_err();
    for shown in [
        format!("{error}"),
        format!("{error:?}"),
        format!("{target:?}"),
    ] {
        assert!(
            !shown.contains(TOKEN) && !shown.contains("s3cret"),
            "{shown}"
        );
    }
    assert!(
        error.to_string().contains("token ••• is not good"),
        "{error}"
    );
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_is_sent() {
    let api = Api::start(vec![answers(204, "")]).await;
    let with = |change: fn(&mut GithubWorkflow)| {
        let mut target = target(&api);
        change(&mut target);
        target
    };
    for (target, expected) in [
        (with(|t| t.owner = "me/other".into()), "SECURE_DATA: "),
        (with(|t| t.repository = "..".into()), "SECURE_DATA: "),
        (with(|t| t.workflow = "../x".into()), "--workflow: "),
        (
            with(|t| t.token = Secret::new("two\nlines")),
            "SECURE_DATA: apiToken",
        ),
        (
            with(|t| t.api_url = "http://example.org".parse().unwrap()),
            "--api-url: needs https",
        ),
        (
            with(|t| t.api_url = "https://me:pw@example.org".parse().unwrap()),
            "--api-url: has credentials",
        ),
        (
            with(|t| t.api_url = "data:x".parse().unwrap()),
            "--api-url: ",
        ),
    ] {
        let error = start(target).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(error.is_usage());
    }
    assert!(api.seen().is_empty());
}
