//! When a request to the API server is tried again, and when that is given up.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Request, Response, StatusCode};
use kube::client::Body;
use tokio::time::{Instant, Sleep, sleep};
use tower::BoxError;
use tower::retry::Policy;
use tower::retry::backoff::{
    Backoff as _, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff as _,
};
use tower::util::rng::HasherRng;

use crate::error::inner;

/// How long a server that is away or overloaded is waited for: an API server that restarts, or moves,
/// is away for a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long one that answers `500` is: it may as well be an admission webhook that is broken for good.
const PATIENCE_WITH_ERRORS: Duration = Duration::from_secs(10);

/// The first and the longest wait between two tries; up to half of it again is random.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
const JITTER: f64 = 0.5;

/// Retries requests of any verb, so that each must be one that may be repeated: whatever this crate
/// creates has a name of its own, and a repeated creation is answered `AlreadyExists`.
#[derive(Debug, Clone)]
pub(crate) struct Retries {
    backoff: ExponentialBackoff,
    patience: (Duration, Duration),
    /// When the first try failed.
    since: Option<Instant>,
}

impl Retries {
    pub(crate) fn new() -> Result<Self, tower::retry::backoff::InvalidBackoff> {
        let maker = ExponentialBackoffMaker::new(WAITS.0, WAITS.1, JITTER, HasherRng::default());
        Ok(Self {
            backoff: maker?.make_backoff(),
            patience: (PATIENCE, PATIENCE_WITH_ERRORS),
            since: None,
        })
    }

    /// How long an answer like this is worth waiting for a better one.
    fn patience(&self, result: &Result<Response<Body>, BoxError>) -> Option<Duration> {
        match result {
            Ok(response) => match response.status() {
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => Some(self.patience.0),
                StatusCode::INTERNAL_SERVER_ERROR => Some(self.patience.1),
                _ => None,
            },
            Err(error) if is_lasting(error.as_ref()) => None,
            Err(_) => Some(self.patience.0),
        }
    }
}

impl Policy<Request<Body>, Response<Body>, BoxError> for Retries {
    type Future = Sleep;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<Body>, BoxError>,
    ) -> Option<Sleep> {
        let patience = self.patience(result)?;
        let now = Instant::now();
        let until = *self.since.get_or_insert(now) + patience;
        let backoff = self.backoff.next_backoff();
        let at = match result.as_ref().ok().and_then(retry_after) {
            Some(asked) => backoff.deadline().max(now.checked_add(asked)?),
            None => backoff.deadline(),
        };
        (at <= until).then(|| sleep(at - now))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut copy = Request::new(request.body().try_clone()?);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        Some(copy)
    }
}

/// The seconds of `Retry-After`; the API server sends no dates.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// An error that no waiting mends: certificates that do not fit, credentials that cannot be read.
fn is_lasting(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<rustls::Error>()
            || matches!(
                error.downcast_ref(),
                Some(kube::Error::Auth(_) | kube::Error::BuildRequest(_))
            )
        {
            return true;
        }
        cause = inner(error);
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn answer(status: u16, wait: Option<&str>) -> Result<Response<Body>, BoxError> {
        let mut builder = Response::builder().status(status);
        if let Some(wait) = wait {
            builder = builder.header(RETRY_AFTER, wait);
        }
        Ok(builder.body(Body::empty()).unwrap())
    }

    fn refused() -> Result<Response<Body>, BoxError> {
        Err(io::Error::from_raw_os_error(111).into())
    }

    fn wait(
        policy: &mut Retries,
        mut result: Result<Response<Body>, BoxError>,
    ) -> Option<Duration> {
        let sleep = policy.retry(&mut Request::new(Body::empty()), &mut result)?;
        Some(sleep.deadline() - Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_pass_is_tried_again() {
        for (status, again) in [
            (200, false),
            (400, false),
            (401, false),
            (403, false),
            (404, false),
            (409, false),
            (410, false),
            (422, false),
            (429, true),
            (500, true),
            (502, true),
            (503, true),
            (504, true),
        ] {
            let waited = wait(&mut Retries::new().unwrap(), answer(status, None));
            assert_eq!(waited.is_some(), again, "{status}");
        }
        assert!(wait(&mut Retries::new().unwrap(), refused()).is_some());
        let untrusted = io::Error::other(rustls::Error::HandshakeNotComplete);
        assert!(wait(&mut Retries::new().unwrap(), Err(untrusted.into())).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_to_a_bound_and_end_with_the_patience() {
        for (result, patience) in [
            (refused as fn() -> _, PATIENCE),
            (|| answer(500, None), PATIENCE_WITH_ERRORS),
        ] {
            let mut policy = Retries::new().unwrap();
            let start = Instant::now();
            let mut waits = Vec::new();
            while let Some(wait) = wait(&mut policy, result()) {
                waits.push(wait);
                tokio::time::advance(wait).await;
            }
            assert!(waits[0] >= WAITS.0 && waits[0] < WAITS.0 * 2, "{waits:?}");
            assert!(waits.iter().all(|wait| *wait <= WAITS.1), "{waits:?}");
            assert!(start.elapsed() <= patience && start.elapsed() > patience - WAITS.1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_says_how_long_to_wait() {
        let second = Duration::from_secs(1);
        assert_eq!(
            wait(&mut Retries::new().unwrap(), answer(429, Some("7"))),
            Some(second * 7)
        );
        let soon = wait(&mut Retries::new().unwrap(), answer(429, Some("0"))).unwrap();
        assert!(soon >= WAITS.0 && soon < second);
        for too_long in ["121", "18446744073709551615"] {
            assert_eq!(
                wait(&mut Retries::new().unwrap(), answer(429, Some(too_long))),
                None
            );
        }
        let nonsense = wait(&mut Retries::new().unwrap(), answer(429, Some("soon"))).unwrap();
        assert!(nonsense < second);
    }
}
