//! A real HTTP server on loopback whose answers a test chooses.

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
use stagelink_keptn::Container;
use stagelink_tasks::builtin;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A running server; it ends when this is dropped.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl TestServer {
    /// Starts one on a free port. `answer` gets the number of the request, from 0, and the request.
    pub(crate) async fn start<F, A>(answer: F) -> Self
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

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer.
pub(crate) fn answer(status: u16, text: &str) -> Response<String> {
    Response::builder()
        .status(status)
        .body(text.to_owned())
        .unwrap()
}

/// The address of a port where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

/// The container of a task with these arguments.
pub(crate) fn container(args: Vec<String>) -> Container {
    Container {
        image: Some(builtin::IMAGE.to_owned()),
        args,
        ..Container::default()
    }
}
