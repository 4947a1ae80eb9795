//! Sending for real: over sockets to receivers that behave in all ways.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::Protocol::{Grpc, HttpProtobuf};
use super::receiver::{Behaviour, Received, Receiver};
use crate::export::{ExportReport, export_pending};
use crate::samples;
use crate::set_up::Exporters;

const WAIT: Duration = Duration::from_secs(30);

/// What hooks do, in an environment of these variables.
async fn send(variables: &[(&str, &str)], wait: Duration) -> ExportReport {
    let set_up = Exporters::set_up(None, |name| {
        variables
            .iter()
            .find_map(|(key, value)| (*key == name).then(|| (*value).to_owned()))
    });
    assert_eq!(set_up.warnings, Vec::<String>::new());
    let mut ledger = samples::promoted();
    let before = ledger.clone();
    let report = export_pending(&mut ledger, &set_up.exporters, wait).await;
    // What was sent is noted, what was not is not.
    assert_eq!(ledger != before, report.changed());
    report
}

fn endpoint(receiver: &Receiver) -> String {
    format!("http://{}", receiver.address)
}

fn error(report: &ExportReport) -> String {
    let [report] = &report.exporters[..] else {
        panic!("one exporter: {report:?}");
    };
    assert_eq!((report.sent, report.left), (0, 2));
    report.error.as_ref().expect("an error").to_string()
}

fn pairs(attributes: &[KeyValue]) -> Vec<String> {
    attributes
        .iter()
        .map(|pair| {
            let value = pair.value.clone().unwrap().value.unwrap();
            match value {
                any_value::Value::StringValue(text) => format!("{}={text}", pair.key),
                any_value::Value::IntValue(number) => format!("{}={number}", pair.key),
                other => format!("{}={other:?}", pair.key),
            }
        })
        .collect()
}

fn spans(received: &[Received]) -> Vec<WireSpan> {
    received
        .iter()
        .flat_map(|received| &received.request.resource_spans)
        .flat_map(|group| &group.scope_spans)
        .flat_map(|group| group.spans.clone())
        .collect()
}

#[tokio::test]
async fn both_protocols_carry_the_same_spans_with_our_ids() {
    let mut tree = crate::all_spans(&samples::promoted());
    // The root goes last.
    tree.rotate_left(1);
    for (protocol, name, path, content_type, compression) in [
        (
            Grpc,
            "grpc",
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            "application/grpc",
            "none",
        ),
        (
            Grpc,
            "grpc",
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            "application/grpc",
            "gzip",
        ),
        (
            HttpProtobuf,
            "http/protobuf",
            "/v1/traces",
            "application/x-protobuf",
            "none",
        ),
        (
            HttpProtobuf,
            "http/protobuf",
            "/v1/traces",
            "application/x-protobuf",
            "gzip",
        ),
    ] {
        let receiver = Receiver::start(protocol, None).await;
        let report = send(
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint(&receiver)),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", name),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
                ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0ken"),
                ("OTEL_RESOURCE_ATTRIBUTES", "k8s.cluster.name=here"),
            ],
            WAIT,
        )
        .await;
        assert_eq!(report.to_string(), "2 spans sent by otlp");

        let received = receiver.received();
        let [request] = &received[..] else {
            panic!("one request, got {}", received.len());
        };
        assert_eq!(request.path, path);
        assert_eq!(request.headers["content-type"], content_type);
        assert_eq!(request.headers["authorization"], "Bearer t0ken");
        let resource = request.request.resource_spans[0].resource.clone().unwrap();
        let mut resource = pairs(&resource.attributes);
        resource.sort();
        assert_eq!(
            resource,
            [
                "k8s.cluster.name=here",
                "service.name=stagelink",
                concat!("service.version=", env!("CARGO_PKG_VERSION")),
            ]
        );
        let scope = request.request.resource_spans[0].scope_spans[0]
            .scope
            .clone();
        assert_eq!(scope.unwrap().name, "keptn/lifecycle-operator/appversion");

        let sent = spans(&received);
        assert_eq!(sent.len(), tree.len());
        for (wire, span) in sent.iter().zip(&tree) {
            assert_eq!(wire.trace_id, span.trace_id.to_bytes());
            assert_eq!(wire.span_id, span.span_id.to_bytes());
            let parent = span.parent.map(|id| id.to_bytes().to_vec());
            assert_eq!(wire.parent_span_id, parent.unwrap_or_default());
            assert_eq!(wire.name, span.name);
            assert_eq!(wire.kind, 5, "CONSUMER");
            assert_eq!(
                i128::from(wire.start_time_unix_nano),
                span.start.as_nanosecond()
            );
            assert_eq!(
                i128::from(wire.end_time_unix_nano),
                span.end.unwrap().as_nanosecond()
            );
            let expected: Vec<String> = span
                .attributes
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            assert_eq!(pairs(&wire.attributes), expected);
            let events: Vec<_> = wire.events.iter().map(|event| &event.name).collect();
            let expected: Vec<_> = span.events.iter().map(|event| &event.name).collect();
            assert_eq!(events, expected);
            assert_eq!(wire.status.clone().unwrap().code, 1, "Ok");
        }
        let [link] = &sent[1].links[..] else {
            panic!("the root links to the stage before");
        };
        let to = tree[1].links[0].to;
        assert_eq!(link.trace_id, to.trace_id().to_bytes());
        assert_eq!(link.span_id, to.span_id().to_bytes());
        assert_eq!(
            pairs(&link.attributes)[0],
            "opentracing.ref_type=follows-from"
        );
    }
}

#[tokio::test]
async fn a_slow_collector_is_waited_for() {
    for (protocol, name) in [(Grpc, "grpc"), (HttpProtobuf, "http/protobuf")] {
        let receiver = Receiver::start(protocol, None).await;
        receiver.behave(Behaviour::Slow(Duration::from_millis(300)));
        let report = send(
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint(&receiver)),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", name),
            ],
            WAIT,
        )
        .await;
        assert_eq!(report.to_string(), "2 spans sent by otlp");
        assert_eq!(spans(&receiver.received()).len(), 2);
    }
}

#[tokio::test]
async fn what_a_collector_did_not_take_is_kept_and_the_reason_is_said() {
    let http = HttpProtobuf;
    for (protocol, name, behaviour, expected) in [
        (
            http,
            "http/protobuf",
            Behaviour::Hangs,
            "no answer within 0.3 s",
        ),
        (Grpc, "grpc", Behaviour::Hangs, "no answer within 0.3 s"),
        (
            http,
            "http/protobuf",
            Behaviour::Fails(400),
            "it answered 400 Bad Request",
        ),
        (
            http,
            "http/protobuf",
            Behaviour::Fails(401),
            "it answered 401 Unauthorized",
        ),
        (
            http,
            "http/protobuf",
            Behaviour::Fails(404),
            "it answered 404 Not Found",
        ),
        (
            http,
            "http/protobuf",
            Behaviour::Redirects,
            "it answered 307 Temporary Redirect",
        ),
        (Grpc, "grpc", Behaviour::Fails(16), "Unauthenticated"),
        (Grpc, "grpc", Behaviour::Fails(12), "Unimplemented"),
        (Grpc, "grpc", Behaviour::Babbles, "gRPC code"),
    ] {
        let receiver = Receiver::start(protocol, None).await;
        receiver.behave(behaviour.clone());
        let report = send(
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint(&receiver)),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", name),
                ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=s3cret"),
            ],
            match behaviour {
                Behaviour::Hangs => Duration::from_millis(300),
                _ => WAIT,
            },
        )
        .await;
        let error = error(&report);
        assert!(error.contains(expected), "{behaviour:?}: {error}");
        assert!(!error.contains("s3cret"), "{error}");
        assert!(!error.contains('\n'), "{error}");
        assert_eq!(receiver.received().len(), 0, "{behaviour:?}");
    }
}

#[tokio::test]
async fn a_collector_that_is_busy_is_asked_again() {
    for (protocol, name, code) in [(Grpc, "grpc", 14), (HttpProtobuf, "http/protobuf", 503)] {
        let receiver = Receiver::start(protocol, None).await;
        receiver.behave(Behaviour::Fails(code));
        let later = receiver.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            later.behave(Behaviour::Takes);
        });
        let report = send(
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint(&receiver)),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", name),
            ],
            WAIT,
        )
        .await;
        assert_eq!(report.to_string(), "2 spans sent by otlp");
    }
}

#[tokio::test]
async fn nobody_there_is_said_at_once_and_without_credentials() {
    // A port that was just given back.
    let address = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    for protocol in ["grpc", "http/protobuf"] {
        let report = send(
            &[
                (
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    &format!("http://user:s3cret@{address}"),
                ),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ],
            WAIT,
        )
        .await;
        let error = error(&report);
        assert!(error.contains("Connection refused"), "{error}");
        assert!(error.contains(&address.to_string()), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn a_collector_behind_tls_is_trusted_by_its_certificate() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let file = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/otlp/tls")
            .join(name)
            .to_string_lossy()
            .into_owned()
    };
    let authority = file("authority.pem");
    for (protocol, name, alpn) in [
        (Grpc, "grpc", &b"h2"[..]),
        (HttpProtobuf, "http/protobuf", b"http/1.1"),
    ] {
        let certificate = CertificateDer::from_pem_file(file("receiver.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(file("receiver.key")).unwrap();
        let mut config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![alpn.to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let receiver = Receiver::start(protocol, Some(acceptor)).await;
        let endpoint = format!("https://localhost:{}", receiver.address.port());
        let mut variables = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", name),
        ];
        let untrusted = error(&send(&variables, WAIT).await);
        assert!(untrusted.contains("certificate"), "{untrusted}");
        assert_eq!(receiver.received().len(), 0);

        variables.push(("OTEL_EXPORTER_OTLP_CERTIFICATE", &authority));
        let report = send(&variables, WAIT).await;
        assert_eq!(report.to_string(), "2 spans sent by otlp", "{report:?}");

        variables.push(("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/no/such/file.pem"));
        let missing = error(&send(&variables, WAIT).await);
        assert!(
            missing.starts_with("/no/such/file.pem cannot be used: No such file"),
            "{missing}"
        );
    }
}
