//! `load` against real servers on loopback.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use stagelink_delivery::Outcome;
use stagelink_delivery::ports::ItemEnd;
use stagelink_http::test_server::{TestServer, answer, nobody};
use stagelink_tasks::{Environment, builtin};
use support::container;
use tokio_util::sync::CancellationToken;

async fn load(arguments: &[&str], cancel: &CancellationToken) -> ItemEnd {
    let arguments: Vec<_> = ["load"]
        .iter()
        .chain(arguments)
        .map(|text| (*text).to_owned())
        .collect();
    let line = builtin::parse(&container(arguments));
    builtin::run(&line.unwrap().unwrap(), &Environment::default(), cancel).await
}

async fn run(arguments: &[&str]) -> ItemEnd {
    load(arguments, &CancellationToken::new()).await
}

#[tokio::test]
async fn latencies_rate_and_errors_of_a_good_server() {
    let delay = Duration::from_millis(20);
    let server = TestServer::start(move |_, _| async move {
        tokio::time::sleep(delay).await;
        answer(200, "hello")
    })
    .await;
    let end = run(&["--url", &server.url("/"), "--rate=50/s", "--duration=1s"]).await;
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    assert_eq!(server.count(), 50);
    let results = &end.report.results;
    assert_eq!(results["requests"], 50.0);
    assert_eq!(results["errorRate"], 0.0);
    assert!(
        results["rate"] > 0.0 && results["rate"] <= 50.0,
        "{results:?}"
    );
    let order: Vec<_> = ["p50", "p90", "p95", "p99", "max"]
        .iter()
        .map(|name| results[*name])
        .collect();
    assert!(order.is_sorted(), "{results:?}");
    assert!(results["p50"] >= 20.0, "{results:?}");
    let names: Vec<_> = results.keys().collect();
    assert_eq!(
        names,
        [
            "errorRate",
            "max",
            "p50",
            "p90",
            "p95",
            "p99",
            "rate",
            "requests"
        ]
    );
    assert!(
        end.report
            .message
            .starts_with("50 requests to http://127.0.0.1:"),
        "{}",
        end.report.message
    );
    assert!(
        end.report.message.ends_with("; no errors"),
        "{}",
        end.report.message
    );
}

/// The server handles one request at a time and stalls once for half a second. A closed loop would
/// see one slow answer in fifty, and a p50 of nothing; here every request that was due meanwhile is
/// late.
#[tokio::test]
async fn a_stall_shows_in_all_requests_that_were_due_meanwhile() {
    let stall = Duration::from_millis(500);
    let gate = Arc::new(tokio::sync::Mutex::new(()));
    let server = TestServer::start(move |number, _| {
        let gate = Arc::clone(&gate);
        async move {
            let _turn = gate.lock().await;
            if number == 0 {
                tokio::time::sleep(stall).await;
            }
            answer(200, "")
        }
    })
    .await;
    for in_flight in ["--max-in-flight=500", "--max-in-flight=1"] {
        server.requests.store(0, Ordering::SeqCst);
        let end = run(&[
            "--url",
            &server.url("/"),
            "--rate=100/s",
            "--duration=500ms",
            in_flight,
        ])
        .await;
        let results = &end.report.results;
        assert_eq!(results["requests"], 50.0);
        assert!(results["max"] >= 499.0, "{in_flight}: {results:?}");
        // Due at 0, 10, … 490 ms and answered at 500 ms or later: the median waits for 250 ms.
        assert!(results["p50"] >= 239.0, "{in_flight}: {results:?}");
    }
}

#[tokio::test]
async fn the_error_rate_decides_only_if_asked_or_if_nothing_is_good() {
    let server = TestServer::start(|number, _| async move {
        answer(if number % 4 == 0 { 503 } else { 200 }, "")
    })
    .await;
    let url = server.url("/x?token=s3cret");
    for (more, outcome) in [
        (&[][..], Outcome::Pass),
        (&["--max-error-rate=25%"], Outcome::Pass),
        (&["--max-error-rate=0.24"], Outcome::Fail),
        (
            &["--expect-status=200,503", "--max-error-rate=0"],
            Outcome::Pass,
        ),
        (&["--expect-status=404"], Outcome::Fail),
    ] {
        server.requests.store(0, Ordering::SeqCst);
        let arguments = [&["--url", &url, "--rate=200/s", "--duration=100ms"], more].concat();
        let end = run(&arguments).await;
        assert_eq!(end.outcome, outcome, "{more:?}: {end:?}");
        assert!(
            !end.report.message.contains("s3cret"),
            "{}",
            end.report.message
        );
        if outcome == Outcome::Fail {
            assert_eq!(end.report.reason, "ErrorRate");
            assert!(
                end.report.message.contains("× status 503"),
                "{}",
                end.report.message
            );
        }
        if more.len() < 2 && more != ["--expect-status=404"] {
            assert_eq!(end.report.results["errorRate"], 0.25);
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_without_latencies() {
    let url = format!("http://{}/", nobody().await);
    let end = run(&["--url", &url, "--rate=100/s", "--duration=50ms"]).await;
    assert_eq!(end.outcome, Outcome::Error);
    assert_eq!(end.report.reason, "Unreachable");
    assert_eq!(
        end.report.message,
        format!("{url} was never reached: 5 of 5 failed (5× connection refused)")
    );
    assert_eq!(end.report.results["errorRate"], 1.0);
    assert!(!end.report.results.contains_key("p95"));
}

#[tokio::test]
async fn what_takes_too_long_is_late_and_counts_as_long_as_it_was_waited_for() {
    let server = TestServer::start(|number, _| async move {
        if number % 2 == 0 {
            std::future::pending::<()>().await;
        }
        answer(200, "")
    })
    .await;
    let arguments = [
        "--url",
        &server.url("/"),
        "--rate=100/s",
        "--duration=100ms",
        "--timeout=1s",
    ];
    let end = run(&arguments).await;
    assert_eq!(end.outcome, Outcome::Pass);
    assert_eq!(end.report.results["errorRate"], 0.5);
    assert!((end.report.results["max"] - 1000.0).abs() < 1.0, "{end:?}");
    assert!(
        end.report
            .message
            .contains("5 of 10 failed (5× no answer in time)"),
        "{end:?}"
    );
}

#[tokio::test]
async fn method_headers_and_body_are_sent_and_the_warm_up_is_not_measured() {
    let good = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&good);
    let server = TestServer::start(move |_, request| {
        let seen = Arc::clone(&seen);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let right = parts.method == "POST"
                && parts.headers["authorization"] == "Bearer s3cret"
                && parts.headers["x-a"] == "1"
                && parts.uri == "/cart"
                && body == "{\"item\":1}";
            seen.fetch_and(right, Ordering::SeqCst);
            answer(201, "")
        }
    })
    .await;
    let url = server.url("/cart");
    let end = run(&[
        "--url",
        &url,
        "--rate=100/s",
        "--duration=100ms",
        "--warm-up=100ms",
        "--method=POST",
        "--header=Authorization: Bearer s3cret",
        "--header",
        "X-A: 1",
        "--body={\"item\":1}",
        "--expect-status=201",
        "--max-error-rate=0",
    ])
    .await;
    assert!(good.load(Ordering::SeqCst));
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    assert_eq!(end.report.results["requests"], 10.0);
    assert_eq!(server.count(), 20);
}

#[tokio::test]
async fn a_cancelled_load_ends_at_once_with_what_it_knows() {
    let server = TestServer::start(|_, _| async { answer(200, "") }).await;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.cancel();
    });
    let end = load(
        &["--url", &server.url("/"), "--rate=100/s", "--duration=1h"],
        &cancel,
    )
    .await;
    assert_eq!(end.outcome, Outcome::Error);
    assert_eq!(end.report.reason, "Cancelled");
    assert!(end.report.results["requests"] > 0.0);
    assert!(end.report.results["p50"] > 0.0);
}

#[tokio::test]
async fn requests_for_a_name_of_the_cluster_go_where_they_are_told() {
    let server = TestServer::start(|_, request| async move {
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        answer(if host == "shop.dev:8080" { 200 } else { 400 }, "")
    })
    .await;
    let resolve = format!("shop.dev:8080:{}", server.address);
    let arguments = [
        "load",
        "--url=http://shop.dev:8080/",
        "--rate=100/s",
        "--duration=50ms",
        "--max-error-rate=0",
    ];
    let arguments = arguments.map(str::to_owned).into();
    let line = builtin::parse(&container(arguments));
    let environment = Environment {
        resolve: resolve.parse().unwrap(),
        ..Environment::default()
    };
    let end = builtin::run(
        &line.unwrap().unwrap(),
        &environment,
        &CancellationToken::new(),
    )
    .await;
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    assert_eq!(server.count(), 5);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let server = TestServer::start(|_, _| async { answer(200, &"x".repeat(17 << 20)) }).await;
    let end = run(&["--url", &server.url("/"), "--rate=10/s", "--duration=10ms"]).await;
    assert_eq!(end.outcome, Outcome::Fail);
    assert!(
        end.report
            .message
            .contains("the answer has more than 16777216 bytes"),
        "{end:?}"
    );
}

#[tokio::test]
async fn more_requests_than_are_sane_are_refused() {
    let end = run(&["--url=http://a.dev/", "--rate=100000/s", "--duration=1h"]).await;
    assert_eq!(end.outcome, Outcome::Fail);
    assert_eq!(end.report.reason, "InvalidArguments");
    assert!(
        end.report.message.contains("lower --rate or --duration"),
        "{end:?}"
    );
}
