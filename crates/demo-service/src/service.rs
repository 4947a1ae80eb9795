//! The server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use stagelink_http::{HttpError, Options, Server, read};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::Arguments;
use crate::metrics::Metrics;

/// The most connections at a time.
const MAX_CONNECTIONS: usize = 2048;
/// How long a client may take for the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long open requests may take when it is told to end.
const GRACE: Duration = Duration::from_secs(2);
/// How long the backend may take.
const BACKEND_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of the backend's answer.
const MAX_ANSWER: usize = 64 << 10;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Prometheus' text format.
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot listen there.
    #[error("cannot listen on {0}: {1}; choose another --listen")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The backend's URL cannot be used.
    #[error("--backend: {0}")]
    Backend(#[source] HttpError),
}

/// A service that listens already.
#[derive(Debug)]
pub struct Service {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<State>,
}

/// What all requests share.
#[derive(Debug)]
struct State {
    version: String,
    latency: Duration,
    backend: Option<(Server, Url)>,
    metrics: Metrics,
}

impl Service {
    /// Listens, so that requests wait from now on.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn bind(arguments: &Arguments) -> Result<Self, StartError> {
        let options = Options {
            timeout: BACKEND_TIMEOUT,
            idle_connections: 64,
            ..Options::default()
        };
        let backend = match &arguments.backend {
            Some(url) => {
                let server = Server::new(url, &arguments.resolve, &options);
                Some((server.map_err(StartError::Backend)?, url.clone()))
            }
            None => None,
        };
        let wrong = |error| StartError::Listen(arguments.listen, error);
        let listener = TcpListener::bind(arguments.listen).await.map_err(wrong)?;
        Ok(Self {
            address: listener.local_addr().map_err(wrong)?,
            listener,
            state: Arc::new(State {
                version: arguments.version.clone(),
                latency: arguments.usual_latency(),
                backend,
                metrics: Metrics::new(&arguments.version),
            }),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` fires; then requests that are open may end.
    pub async fn serve(self, stop: &CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, Arc::clone(&self.state), stop.clone()));
                    }
                    // Too many open files, for example: others end meanwhile.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
            }
        }
        // What takes longer is given up when the set is dropped.
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(GRACE, ended).await;
    }
}

async fn connection(stream: TcpStream, state: Arc<State>, stop: CancellationToken) {
    // Answers are small, and a latency is what this service is about.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(answer(&state, &request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A client that breaks off is no concern of a server.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(state: &State, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n");
    }
    match request.uri().path() {
        "/" => {
            let start = Instant::now();
            let (status, body) = work(state).await;
            state.metrics.add(status.as_u16(), start.elapsed());
            respond(status, JSON, format!("{body}\n"))
        }
        "/healthz" => respond(StatusCode::OK, TEXT, "ok\n"),
        "/metrics" => respond(StatusCode::OK, METRICS, state.metrics.text()),
        _ => respond(
            StatusCode::NOT_FOUND,
            TEXT,
            "not found; try /, /healthz or /metrics\n",
        ),
    }
}

/// What `/` does: asks the backend, and takes its time.
async fn work(state: &State) -> (StatusCode, Value) {
    let asked = async {
        match &state.backend {
            Some((server, url)) => Some(ask(server, url).await),
            None => None,
        }
    };
    let ((), backend) = tokio::join!(tokio::time::sleep(state.latency), asked);
    let version = &state.version;
    match backend {
        None => (StatusCode::OK, json!({ "version": version })),
        Some(Ok(backend)) => (
            StatusCode::OK,
            json!({ "version": version, "backend": backend }),
        ),
        Some(Err(error)) => (
            StatusCode::BAD_GATEWAY,
            json!({ "version": version, "error": format!("backend: {error}") }),
        ),
    }
}

async fn ask(server: &Server, url: &Url) -> Result<Value, String> {
    let answer = server.request(Method::GET, url.clone()).send().await;
    let answer = answer.map_err(|error| HttpError::from(error).to_string())?;
    if !answer.status().is_success() {
        return Err(format!("status {}", answer.status().as_u16()));
    }
    let body = read(answer, MAX_ANSWER)
        .await
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&body).map_err(|_| "the answer is no JSON".to_owned())
}

fn respond(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
