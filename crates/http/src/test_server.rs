//! A real HTTP server on loopback whose answers a test chooses.

#![allow(
    clippy::unwrap_used,
    reason = "only tests use this, and a test ends so"
)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// How many requests came so far.
    pub requests: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl TestServer {
    /// Starts one on a free port. `answer` gets the number of the request, from 0, and the request.
    pub async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(usize, Request<Incoming>) -> A + Send + Sync + 'static,
        A: Future<Output = Response<String>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let ended = answer(count.fetch_add(1, Ordering::SeqCst), request);
                        async move {
                            Ok::<_, Infallible>(
                                ended.await.map(|text| Full::new(Bytes::from(text))),
                            )
                        }
                    });
                    let io = TokioIo::new(connection);
                    // A client that breaks off is part of the tests.
                    let _ = http1::Builder::new().serve_connection(io, service).await;
                });
            }
        });
        Self {
            address,
            requests,
            task,
        }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many requests came so far.
    pub fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer.
pub fn answer(status: u16, text: &str) -> Response<String> {
    Response::builder()
        .status(status)
        .body(text.to_owned())
        .unwrap()
}

/// The address of a port where nobody listens.
pub async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
