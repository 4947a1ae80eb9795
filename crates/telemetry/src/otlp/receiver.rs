//! A collector to test with: real HTTP/1 and HTTP/2 on loopback, OTLP's own messages.

use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_http::{Bytes, Request, Response};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::Protocol;

/// What the receiver does with a request.
#[derive(Debug, Clone, Default)]
pub(super) enum Behaviour {
    #[default]
    Takes,
    /// Takes after a while.
    Slow(Duration),
    /// Never answers.
    Hangs,
    /// Answers with this HTTP status, or this gRPC status.
    Fails(u16),
    /// Sends to another place.
    Redirects,
    /// Answers with something that is not OTLP.
    Babbles,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) headers: http::HeaderMap,
    pub(super) request: ExportTraceServiceRequest,
}

#[derive(Debug, Clone)]
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Starts one; it ends with the runtime of the test.
    pub(super) async fn start(protocol: Protocol, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            behaviour: Arc::default(),
            received: Arc::default(),
        };
        let server = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, tls) = (server.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        // A client that does not trust us hangs up.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                server.serve(protocol, stream).await;
                            }
                        }
                        None => server.serve(protocol, stream).await,
                    }
                });
            }
        });
        receiver
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    async fn serve(
        &self,
        protocol: Protocol,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) {
        let service = service_fn(|request| {
            let server = self.clone();
            async move { Ok::<_, Infallible>(server.answer(protocol, request).await) }
        });
        let stream = TokioIo::new(stream);
        // An error here is a client that went away, which some tests want.
        let _ = match protocol {
            Protocol::Grpc => {
                hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(stream, service)
                    .await
            }
            Protocol::HttpProtobuf => {
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(stream, service)
                    .await
            }
        };
    }

    async fn answer(
        &self,
        protocol: Protocol,
        request: Request<Incoming>,
    ) -> Response<http_body_util::combinators::BoxBody<Bytes, Infallible>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let behaviour = self.behaviour.lock().unwrap().clone();
        match behaviour {
            Behaviour::Slow(time) => tokio::time::sleep(time).await,
            Behaviour::Hangs => std::future::pending().await,
            _ => {}
        }
        let takes = matches!(behaviour, Behaviour::Takes | Behaviour::Slow(_));
        if takes {
            self.received.lock().unwrap().push(Received {
                path: parts.uri.path().to_owned(),
                request: decode(protocol, &parts.headers, &body),
                headers: parts.headers,
            });
        }

        let mut response = Response::builder();
        let mut answer = ExportTraceServiceResponse::default().encode_to_vec();
        if matches!(behaviour, Behaviour::Babbles) {
            answer = b"<html>no collector</html>".to_vec();
        }
        if matches!(behaviour, Behaviour::Redirects) {
            response = response
                .status(307)
                .header("location", format!("http://{}/elsewhere", self.address));
        }
        let code = match behaviour {
            Behaviour::Fails(code) => code,
            _ => 0,
        };
        if protocol == Protocol::HttpProtobuf {
            if code > 0 {
                response = response.status(code);
            }
            let body = Full::new(Bytes::from(answer));
            return response
                .header("content-type", "application/x-protobuf")
                .body(body.boxed())
                .unwrap();
        }
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", code.into());
        let mut frame = Vec::new();
        if code == 0 {
            frame.push(0);
            frame.extend(u32::try_from(answer.len()).unwrap().to_be_bytes());
            frame.extend(answer);
        }
        response
            .header("content-type", "application/grpc")
            .body(
                Full::new(Bytes::from(frame))
                    .with_trailers(async { Some(Ok(trailers)) })
                    .boxed(),
            )
            .unwrap()
    }
}

fn decode(protocol: Protocol, headers: &http::HeaderMap, body: &[u8]) -> ExportTraceServiceRequest {
    let (compressed, message) = match protocol {
        Protocol::Grpc => {
            let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
            assert_eq!(body.len(), 5 + length, "one message");
            (body[0] == 1, &body[5..])
        }
        Protocol::HttpProtobuf => (
            headers
                .get("content-encoding")
                .is_some_and(|value| value == "gzip"),
            body,
        ),
    };
    let mut plain = Vec::new();
    if compressed {
        flate2::read::GzDecoder::new(message)
            .read_to_end(&mut plain)
            .unwrap();
    } else {
        plain.extend_from_slice(message);
    }
    ExportTraceServiceRequest::decode(plain.as_slice()).unwrap()
}
