//! Sending the requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::HeaderMap;
use stagelink_delivery::Outcome;
use stagelink_delivery::ledger::ItemReport;
use stagelink_delivery::ports::ItemEnd;
use stagelink_http::{HttpError, Options, Resolve, Server, drain, shown};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::LoadArguments;
use super::arguments::MAX_REQUESTS;
use super::measurement::{End, Measurement};
use super::pacer::{Due, pace};
use crate::ExpectedStatus;
use crate::report::{end, reason};

/// The most bytes of one answer.
const MAX_ANSWER: usize = 16 << 20;

/// What every request is like.
#[derive(Debug)]
struct Request {
    server: Server,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: String,
    expected: ExpectedStatus,
    timeout: Duration,
}

/// Sends the requests and tells what was measured.
///
/// The outcome is a failure if more than the given share of requests failed, or all; an error if
/// the server was never reached, or if `cancel` fired, with what was measured so far. It takes at
/// most warm-up, duration and timeout together.
pub async fn run(
    arguments: &LoadArguments,
    resolve: &Resolve,
    cancel: &CancellationToken,
) -> ItemEnd {
    let warm_up = match arguments.warm_up {
        Duration::ZERO => 0,
        warm_up => arguments.rate.requests_in(warm_up),
    };
    let requests = warm_up + arguments.rate.requests_in(arguments.duration);
    if requests > MAX_REQUESTS {
        let message =
            format!("{requests} requests are more than {MAX_REQUESTS}; lower --rate or --duration");
        return end(Outcome::Fail, reason::ARGUMENTS, message);
    }
    let options = Options {
        timeout: arguments.timeout,
        idle_connections: arguments.max_in_flight as usize,
        ..Options::default()
    };
    let server = match Server::new(&arguments.url, resolve, &options) {
        Ok(server) => server,
        Err(error) => return end(Outcome::Fail, reason::ARGUMENTS, format!("--url: {error}")),
    };
    let headers = arguments
        .headers
        .iter()
        .map(|header| (header.name.clone(), header.value.clone()));
    let request = Request {
        server,
        method: arguments.method.clone(),
        url: arguments.url.clone(),
        headers: headers.collect(),
        body: arguments.body.clone(),
        expected: arguments.expect_status.clone(),
        timeout: arguments.timeout,
    };
    let start = Instant::now();
    let sent = send(arguments, request, warm_up, requests, start, cancel).await;
    match sent {
        Ok((measurement, last)) => {
            let begin = start + arguments.rate.due(warm_up);
            let time = last.map_or(Duration::ZERO, |last| {
                let time = last.saturating_duration_since(begin);
                if cancel.is_cancelled() {
                    time
                } else {
                    time.max(arguments.duration)
                }
            });
            judge(arguments, &measurement, time, cancel.is_cancelled())
        }
        Err(problem) => end(Outcome::Error, reason::UNREACHABLE, problem),
    }
}

/// Sends all requests; gives the measurement and when the last one ended.
async fn send(
    arguments: &LoadArguments,
    request: Request,
    warm_up: u64,
    requests: u64,
    start: Instant,
    cancel: &CancellationToken,
) -> Result<(Measurement, Option<Instant>), String> {
    let problem =
        |error: &dyn std::fmt::Display| format!("no requests can be sent from here: {error}");
    let mut measurement = Measurement::new().map_err(|error| problem(&error))?;
    let mut due = pace(arguments.rate, requests, start).map_err(|error| problem(&error))?;
    let request = Arc::new(request);
    let places = Arc::new(Semaphore::new(arguments.max_in_flight as usize));
    let mut flying = JoinSet::new();
    let mut last = None;
    let mut all_given = false;
    while !all_given || !flying.is_empty() {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(ended) = flying.join_next(), if !flying.is_empty() => {
                // A request neither panics nor is aborted.
                if let Ok((index, ended, at)) = ended && index >= warm_up {
                    measurement.add(ended);
                    last = last.max(Some(at));
                }
            }
            // One that waits for its place is in the set already, so that answers are read on.
            next = due.recv(), if !all_given && flying.len() < 2 * arguments.max_in_flight as usize => match next {
                Some(due) => {
                    let request = Arc::clone(&request);
                    let places = Arc::clone(&places);
                    flying.spawn(async move {
                        let ended = exchange(&request, &places, due).await;
                        (due.index, ended, Instant::now())
                    });
                }
                None => all_given = true,
            },
        }
    }
    Ok((measurement, last))
}

/// One request, from when it is due to the end of its answer.
async fn exchange(request: &Request, places: &Semaphore, due: Due) -> End {
    let deadline = tokio::time::Instant::from_std(due.at + request.timeout);
    let answer = async {
        // The semaphore is never closed.
        let _place = places.acquire().await;
        let sent = request
            .server
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone())
            .body(request.body.clone())
            .send()
            .await?;
        let status = sent.status().as_u16();
        drain(sent, MAX_ANSWER).await?;
        Ok::<_, HttpError>(status)
    };
    match tokio::time::timeout_at(deadline, answer).await {
        Ok(Ok(status)) if request.expected.holds(status) => End::Good(due.at.elapsed()),
        Ok(Ok(status)) => End::Status(status, due.at.elapsed()),
        Err(_) | Ok(Err(HttpError::Exchange { timeout: true, .. })) => End::Late(request.timeout),
        Ok(Err(HttpError::Exchange { cause, reached, .. })) => End::Broken { cause, reached },
        Ok(Err(error)) => End::Broken {
            cause: error.to_string(),
            reached: true,
        },
    }
}

/// What the measurement means.
fn judge(
    arguments: &LoadArguments,
    measurement: &Measurement,
    time: Duration,
    cancelled: bool,
) -> ItemEnd {
    let results = measurement.results(time);
    let requests = measurement.requests();
    let errors = measurement.errors();
    let url = shown(&arguments.url);
    let allowed = arguments.max_error_rate.map(|share| share.0);
    let too_many = match (measurement.error_rate(), allowed) {
        (Some(rate), Some(allowed)) => rate > allowed,
        (Some(_), None) => errors == requests,
        (None, _) => false,
    };
    let failures = match errors {
        0 => "no errors".to_owned(),
        errors => format!("{errors} of {requests} failed ({})", measurement.failures()),
    };
    let number = |name| results.get(name).copied().unwrap_or_default();
    let figures = format!("{requests} requests to {url} at {:.1}/s", number("rate"));
    let latencies = match results.contains_key("p50") {
        true => format!(
            ": p50 {:.1} ms, p90 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
            number("p50"),
            number("p90"),
            number("p95"),
            number("p99"),
            number("max"),
        ),
        false => String::new(),
    };
    let (outcome, reason, message) = if cancelled {
        let message =
            format!("ended before all requests were sent: {figures}{latencies}; {failures}");
        (Outcome::Error, reason::CANCELLED, message)
    } else if errors > 0
        && errors == requests
        && !measurement.reached()
        && !results.contains_key("p50")
    {
        let message = format!("{url} was never reached: {failures}");
        (Outcome::Error, reason::UNREACHABLE, message)
    } else if too_many {
        let allowed = allowed.map_or(String::new(), |allowed| {
            format!("; at most {}% may", percent(allowed))
        });
        (
            Outcome::Fail,
            reason::ERROR_RATE,
            format!("{failures}{allowed}; {figures}{latencies}"),
        )
    } else {
        (
            Outcome::Pass,
            "",
            format!("{figures}{latencies}; {failures}"),
        )
    };
    ItemEnd {
        outcome,
        report: ItemReport {
            reason: reason.to_owned(),
            message,
            results,
            ..ItemReport::default()
        },
    }
}

/// A share as per cent, without digits that only arithmetic made.
fn percent(share: f64) -> f64 {
    (share * 1e6).round() / 1e4
}
