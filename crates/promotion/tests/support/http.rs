//! HTTP servers on this machine: one that answers as it is told, and one with a git repository.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(crate) type Answer = Response<Full<Bytes>>;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(header, _)| header == name)
            .map_or("", |(_, value)| value)
    }
}

/// Serves connections until the test ends.
async fn serve<F, Fut>(handler: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Answer> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handler = handler.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let handler = handler.clone();
                    async move { Ok::<_, Infallible>(handler(request).await) }
                });
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    address
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers: status, headers, body.
    Answers(u16, Vec<(&'static str, String)>, String),
    /// Never answers.
    Hangs,
}

pub(crate) fn answers(status: u16, body: &str) -> Does {
    Does::Answers(status, Vec::new(), body.to_owned())
}

/// A server that does one thing after the other, and then the last one for ever.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Api {
    pub(crate) async fn start(does: Vec<Does>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let queue = Arc::new(Mutex::new(VecDeque::from(does)));
        let noted = Arc::clone(&seen);
        let address = serve(move |request: Request<Incoming>| {
            let (seen, queue) = (Arc::clone(&noted), Arc::clone(&queue));
            async move {
                let line = format!("{} {}", request.method(), request.uri());
                let headers = request
                    .headers()
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                    .collect();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body = String::from_utf8(body.to_vec()).unwrap();
                seen.lock().unwrap().push(Seen {
                    line,
                    headers,
                    body,
                });
                let next = {
                    let mut queue = queue.lock().unwrap();
                    if queue.len() > 1 {
                        queue.pop_front()
                    } else {
                        queue.front().cloned()
                    }
                };
                match next.unwrap() {
                    Does::Hangs => {
                        tokio::time::sleep(Duration::from_secs(600)).await;
                        Response::new(Full::default())
                    }
                    Does::Answers(status, headers, body) => {
                        let mut answer = Response::builder().status(status);
                        for (name, value) in headers {
                            answer = answer.header(name, value);
                        }
                        answer.body(Full::from(body)).unwrap()
                    }
                }
            }
        })
        .await;
        Self { address, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// Serves the repositories below a folder by git's own `git http-backend`, to one user only.
pub(crate) async fn git_server(root: PathBuf, authorization: &'static str) -> SocketAddr {
    serve(move |request: Request<Incoming>| {
        let root = root.clone();
        async move {
            let header = |name: &str| {
                request
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().unwrap().to_owned())
                    .unwrap_or_default()
            };
            if header("authorization") != authorization {
                return Response::builder()
                    .status(401)
                    .header("www-authenticate", "Basic realm=\"git\"")
                    .body(Full::default())
                    .unwrap();
            }
            let mut command = tokio::process::Command::new("git");
            command
                .arg("http-backend")
                .env("GIT_PROJECT_ROOT", &root)
                .env("GIT_HTTP_EXPORT_ALL", "1")
                .env("REMOTE_USER", "me")
                .env("REQUEST_METHOD", request.method().as_str())
                .env("PATH_INFO", request.uri().path())
                .env("QUERY_STRING", request.uri().query().unwrap_or_default())
                .env("CONTENT_TYPE", header("content-type"))
                .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
                .env("GIT_PROTOCOL", header("git-protocol"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true);
            let body = request.into_body().collect().await.unwrap().to_bytes();
            command.env("CONTENT_LENGTH", body.len().to_string());
            let mut child = command.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            let mut stdout = child.stdout.take().unwrap();
            let mut output = Vec::new();
            let feed = async move {
                let _ = stdin.write_all(&body).await;
            };
            let (_, read) = tokio::join!(feed, stdout.read_to_end(&mut output));
            read.unwrap();
            child.wait().await.unwrap();
            // CGI: headers, an empty line, the body.
            let end = output
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .unwrap();
            let head = String::from_utf8(output[..end].to_vec()).unwrap();
            let mut answer = Response::builder().status(200);
            for line in head.lines() {
                let (name, value) = line.split_once(": ").unwrap();
                answer = match name {
                    "Status" => answer.status(&value[..3]),
                    name => answer.header(name, value),
                };
            }
            answer.body(Full::from(output[end + 4..].to_vec())).unwrap()
        }
    })
    .await
}
