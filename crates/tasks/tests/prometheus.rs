//! `wait-for-target` against a real Prometheus. Skipped with a message where none is installed.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../../metrics/tests/support/server.rs"]
mod server;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stagelink_delivery::Outcome;
use stagelink_delivery::ports::ItemEnd;
use stagelink_http::test_server::{TestServer, answer};
use stagelink_tasks::{Environment, builtin};
use support::container;
use tokio_util::sync::CancellationToken;

async fn wait(arguments: &[&str]) -> ItemEnd {
    let all = ["wait-for-target"].iter().chain(arguments);
    let line = builtin::parse(&container(all.map(|text| (*text).to_owned()).collect()));
    let cancel = CancellationToken::new();
    builtin::run(&line.unwrap().unwrap(), &Environment::default(), &cancel).await
}

#[tokio::test]
async fn it_waits_until_the_target_is_up_and_its_numbers_are_there() {
    let up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&up);
    let target = TestServer::start(move |_, _| {
        let up = seen.load(Ordering::SeqCst);
        async move {
            match up {
                true => answer(200, "requests 3\n"),
                false => answer(503, ""),
            }
        }
    })
    .await;
    let configuration = format!(
        "scrape_configs: [{{job_name: shop, scrape_interval: 100ms, scrape_timeout: 100ms, static_configs: [{{targets: ['{}']}}]}}]",
        target.address
    );
    let Some(prometheus) = server::start(None, &configuration, |_| Some(Vec::new())) else {
        return;
    };
    let url = format!("http://127.0.0.1:{}", prometheus.port);
    let instance = target.address.to_string();

    let end = wait(&["--prometheus", &url]).await;
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");

    // Scraped at least once, so that it is down and not unknown.
    while target.count() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let end = wait(&["--prometheus", &url, "--job=shop", "--timeout=2s"]).await;
    assert_eq!(end.outcome, Outcome::Error, "{end:?}");
    assert_eq!(
        end.report.message,
        "up{job=\"shop\"}: 0 of 1 targets are up; gave up after 2s"
    );
    let end = wait(&["--prometheus", &url, "--job=other", "--timeout=2s"]).await;
    assert_eq!(
        end.report.message,
        "up{job=\"other\"}: there is no such target; gave up after 2s"
    );

    up.store(true, Ordering::SeqCst);
    let query = "requests{job=\"shop\"} > 2";
    let end = wait(&[
        "--prometheus",
        &url,
        "--job=shop",
        "--target",
        &instance,
        "--query",
        query,
    ])
    .await;
    assert_eq!(end.outcome, Outcome::Pass, "{end:?}");
    let found = format!(
        "Prometheus is ready, 1 of 1 targets are up (up{{job=\"shop\",instance=\"{instance}\"}}), {query} has data after "
    );
    assert!(end.report.message.starts_with(&found), "{end:?}");

    let end = wait(&["--prometheus", &url, "--query=sum("]).await;
    assert_eq!(end.outcome, Outcome::Fail);
    assert_eq!(end.report.reason, "QueryRefused");
}
