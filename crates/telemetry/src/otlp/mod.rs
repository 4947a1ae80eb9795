//! Sending spans to a collector by OTLP, with `opentelemetry-otlp`.
//!
//! The SDK's tracer makes ids of its own, so finished spans are handed to its exporter directly.

mod client;
mod settings;

#[cfg(test)]
mod receiver;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use opentelemetry::trace as otel;
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue};
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};
use opentelemetry_otlp::{
    Compression, RetryPolicy, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use stagelink_plan::TraceParent;

use crate::export::{ExportError, Exporter};
use crate::span::{Attributes, Kind, Span, Status, Value};
use client::Client;
pub(crate) use settings::resource;
use settings::without_credentials;
pub use settings::{Environment, OtlpSettings, Protocol};

/// Sends to a collector.
#[derive(Debug)]
pub struct OtlpExporter {
    settings: OtlpSettings,
}

impl OtlpExporter {
    /// An exporter with these settings; it connects when it is used.
    pub fn new(settings: OtlpSettings) -> Self {
        Self { settings }
    }

    /// Builds the SDK's exporter; its channel must be built within a runtime.
    fn build(
        &self,
        client: Option<Client>,
    ) -> Result<opentelemetry_otlp::SpanExporter, ExportError> {
        let settings = &self.settings;
        let builder = opentelemetry_otlp::SpanExporter::builder();
        // The next hook tries again anyway, so do not hold up this one.
        let retries = RetryPolicy::recommended().with_max_retries(2);
        let headers = settings.headers.iter().cloned().collect();
        let mut exporter = match client {
            Some(client) => {
                let mut builder = builder
                    .with_http()
                    .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                    .with_endpoint(&settings.endpoint)
                    .with_timeout(settings.timeout)
                    .with_headers(headers)
                    .with_retry_policy(retries)
                    .with_http_client(client);
                if settings.gzip {
                    builder = builder.with_compression(Compression::Gzip);
                }
                builder.build()
            }
            None => {
                let headers: http::HeaderMap = (&headers)
                    .try_into()
                    .map_err(|_| ExportError("a header is not valid".to_owned()))?;
                let mut builder = builder
                    .with_tonic()
                    .with_endpoint(&settings.endpoint)
                    .with_timeout(settings.timeout)
                    .with_metadata(MetadataMap::from_headers(headers))
                    .with_retry_policy(retries);
                if settings.endpoint.starts_with("https://") {
                    builder = builder.with_tls_config(self.tls()?);
                }
                if settings.gzip {
                    builder = builder.with_compression(Compression::Gzip);
                }
                builder.build()
            }
        }
        .map_err(|error| self.error(&error.to_string()))?;
        exporter.set_resource(
            &Resource::builder_empty()
                .with_attributes(key_values(&settings.resource))
                .build(),
        );
        Ok(exporter)
    }

    fn tls(&self) -> Result<ClientTlsConfig, ExportError> {
        let mut tls = ClientTlsConfig::new();
        tls = match &self.settings.certificate {
            Some(file) => tls.ca_certificate(Certificate::from_pem(client::read_pem(file)?)),
            None => tls.with_enabled_roots(),
        };
        if let Some((certificate, key)) = &self.settings.client_certificate {
            tls = tls.identity(Identity::from_pem(
                client::read_pem(certificate)?,
                client::read_pem(key)?,
            ));
        }
        Ok(tls)
    }

    fn error(&self, detail: &str) -> ExportError {
        let mut endpoint = without_credentials(&self.settings.endpoint);
        if endpoint != self.settings.endpoint {
            endpoint.push_str(" (credentials not shown)");
        }
        let detail = detail.replace(&self.settings.endpoint, &endpoint);
        // One line of a bearable length, whatever a library or a server says.
        let detail: String = detail
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(300)
            .collect();
        ExportError(format!("{endpoint}: {detail}"))
    }
}

#[async_trait]
impl Exporter for OtlpExporter {
    fn name(&self) -> &str {
        "otlp"
    }

    async fn export(&self, spans: &[Span]) -> Result<(), ExportError> {
        // Another part of the program may have chosen a provider; then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // gRPC brings a client of its own.
        let client = match self.settings.protocol {
            Protocol::Grpc => None,
            Protocol::HttpProtobuf => Some(Client::new(&self.settings)?),
        };
        let exporter = self.build(client.clone())?;
        let batch = spans.iter().map(span_data).collect();
        let sent = exporter.export(batch).await;
        sent.map_err(|error| {
            let noted = client.and_then(|client| client.take_error());
            self.error(&noted.unwrap_or_else(|| error.to_string()))
        })
    }
}

/// A span as the SDK's exporter takes it. Only finished spans are exported; should one be open, it
/// ends where it began.
fn span_data(span: &Span) -> SpanData {
    let mut events = SpanEvents::default();
    events.events = span
        .events
        .iter()
        .map(|event| {
            otel::Event::new(
                event.name.clone(),
                time(event.time),
                key_values(&event.attributes),
                0,
            )
        })
        .collect();
    let mut links = SpanLinks::default();
    links.links = span
        .links
        .iter()
        .map(|link| otel::Link::new(context(&link.to, true), key_values(&link.attributes), 0))
        .collect();
    SpanData {
        span_context: context(&span.trace_parent(), false),
        parent_span_id: span.parent.map_or(otel::SpanId::INVALID, |parent| {
            otel::SpanId::from_bytes(parent.to_bytes())
        }),
        parent_span_is_remote: false,
        span_kind: match span.kind {
            Kind::Unspecified | Kind::Internal => otel::SpanKind::Internal,
            Kind::Server => otel::SpanKind::Server,
            Kind::Client => otel::SpanKind::Client,
            Kind::Producer => otel::SpanKind::Producer,
            Kind::Consumer => otel::SpanKind::Consumer,
        },
        name: Cow::Owned(span.name.clone()),
        start_time: time(span.start),
        end_time: time(span.end.unwrap_or(span.start)),
        attributes: key_values(&span.attributes),
        dropped_attributes_count: 0,
        events,
        links,
        status: match &span.status {
            Status::Unset => otel::Status::Unset,
            Status::Ok => otel::Status::Ok,
            Status::Error(description) => otel::Status::error(description.clone()),
        },
        instrumentation_scope: InstrumentationScope::builder(span.scope.clone()).build(),
    }
}

fn context(span: &TraceParent, remote: bool) -> otel::SpanContext {
    otel::SpanContext::new(
        otel::TraceId::from_bytes(span.trace_id().to_bytes()),
        otel::SpanId::from_bytes(span.span_id().to_bytes()),
        otel::TraceFlags::new(span.flags()),
        remote,
        otel::TraceState::default(),
    )
}

/// OTLP counts nanoseconds since 1970, so nothing is earlier.
fn time(timestamp: jiff::Timestamp) -> SystemTime {
    let nanoseconds = u64::try_from(timestamp.as_nanosecond()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

fn key_values(attributes: &Attributes) -> Vec<KeyValue> {
    attributes
        .iter()
        .map(|(key, value)| KeyValue::new(key.to_owned(), otel_value(value)))
        .collect()
}

fn otel_value(value: &Value) -> opentelemetry::Value {
    match value {
        Value::String(text) | Value::Other(text) => text.clone().into(),
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Double(value) => (*value).into(),
        Value::Array(values) => opentelemetry::Value::Array(Array::String(
            values
                .iter()
                .map(|value| StringValue::from(value.to_string()))
                .collect(),
        )),
    }
}
