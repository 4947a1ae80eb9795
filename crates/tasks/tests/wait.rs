//! `wait-for-target` against real servers on loopback.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use stagelink_delivery::Outcome;
use stagelink_delivery::ports::ItemEnd;
use stagelink_http::test_server::{TestServer, answer, nobody};
use stagelink_tasks::{Environment, builtin};
use support::container;
use tokio_util::sync::CancellationToken;

async fn wait(arguments: &[&str], cancel: &CancellationToken) -> ItemEnd {
    let all = ["wait-for-target"].iter().chain(arguments);
    let all: Vec<_> = all.map(|text| (*text).to_owned()).collect();
    let line = builtin::parse(&container(all));
    builtin::run(&line.unwrap().unwrap(), &Environment::default(), cancel).await
}

async fn run(arguments: &[&str]) -> ItemEnd {
    wait(arguments, &CancellationToken::new()).await
}

#[tokio::test]
async fn it_waits_until_the_server_answers_as_expected() {
    let server =
        TestServer::start(
            |number, _| async move { answer(if number < 3 { 503 } else { 200 }, "") },
        )
        .await;
    let end = run(&["--url", &server.url("/healthz")]).await;
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    assert_eq!(server.count(), 4);
    assert!(
        end.report
            .message
            .starts_with(&format!("{} answers after ", server.url("/healthz")))
    );
}

#[tokio::test]
async fn it_waits_until_there_is_a_server_at_all() {
    let address = nobody().await;
    let waiting = tokio::spawn(async move { run(&["--url", &format!("http://{address}/")]).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let (mut connection, _) = listener.accept().await.unwrap();
    let ok = b"HTTP/1.1 204 No Content\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut connection, ok)
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap().outcome, Outcome::Pass);
}

#[tokio::test]
async fn when_the_time_is_up_it_tells_what_it_saw_last() {
    let address = nobody().await;
    let server = TestServer::start(|_, _| async { answer(404, "") }).await;
    let hanging = TestServer::start(|_, _| std::future::pending()).await;
    for (url, expected) in [
        (
            format!("http://{address}/?t=s3cret"),
            format!("http://{address}/: connection refused"),
        ),
        (
            server.url("/"),
            format!("{}: status 404, not 200-299,300-399", server.url("/")),
        ),
        (hanging.url("/"), "".to_owned()),
    ] {
        let end = run(&["--url", &url, "--timeout=1s"]).await;
        assert_eq!(end.outcome, Outcome::Error, "{end:?}");
        assert_eq!(end.report.reason, "DeadlineExceeded");
        assert!(end.report.message.starts_with(&expected), "{end:?}");
        assert!(
            end.report.message.ends_with("; gave up after 1s"),
            "{end:?}"
        );
    }
}

#[tokio::test]
async fn it_can_be_cancelled() {
    let hanging = TestServer::start(|_, _| std::future::pending()).await;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.cancel();
    });
    let end = wait(&["--url", &hanging.url("/"), "--timeout=1h"], &cancel).await;
    assert_eq!(end.outcome, Outcome::Error);
    assert_eq!(end.report.reason, "Cancelled");
}

#[tokio::test]
async fn a_query_that_prometheus_refuses_is_not_waited_for() {
    let server = TestServer::start(|_, request| async move {
        match request.uri().path() {
            "/-/ready" => answer(200, "Prometheus Server is Ready.\n"),
            _ => answer(
                400,
                r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
            ),
        }
    })
    .await;
    let end = run(&[
        "--prometheus",
        &server.url("/"),
        "--query=up{",
        "--timeout=1h",
    ])
    .await;
    assert_eq!(end.outcome, Outcome::Fail);
    assert_eq!(end.report.reason, "QueryRefused");
    assert!(
        end.report
            .message
            .ends_with("refuses the query: parse error"),
        "{end:?}"
    );
}

#[tokio::test]
async fn prometheus_its_target_and_a_url_are_waited_for_in_turn() {
    const NONE: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    const DOWN: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"0"]}]}}"#;
    const UP: &str = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}"#;
    let server = TestServer::start(|number, request| async move {
        match (number, request.uri().path()) {
            (0, "/-/ready") => answer(503, "Service Unavailable"),
            (1, "/-/ready") => answer(200, ""),
            (2, "/api/v1/query") => answer(200, NONE),
            (3, "/api/v1/query") => answer(200, DOWN),
            (4, "/api/v1/query") => answer(200, UP),
            (5, "/healthz") => answer(200, ""),
            _ => answer(500, ""),
        }
    })
    .await;
    let (prometheus, url) = (server.url("/"), server.url("/healthz"));
    let end = run(&["--prometheus", &prometheus, "--job=shop", "--url", &url]).await;
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    assert_eq!(server.count(), 6);
    assert!(
        end.report
            .message
            .starts_with(r#"Prometheus is ready, 1 of 1 targets are up (up{job="shop"}), "#),
        "{end:?}"
    );
}
