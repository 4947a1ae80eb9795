//! OTLP's JSON form (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>): one
//! `ExportTraceServiceRequest` a line, as the Collector's file exporter writes it and its receiver
//! reads it. Ids are hex, 64-bit integers are strings, enums are numbers, names are lowerCamelCase.
//!
//! Reading is lenient: what is absent or unknown is left out, numbers may be text and text numbers.

mod value;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use stagelink_plan::{SpanId, TraceId, TraceParent};

use crate::span::{self, Attributes, Kind};
use value::{AnyValue, Number, text};

/// Trace flags "sampled", and that it is known whether the context is remote.
const LOCAL_FLAGS: u32 = 0x101;
/// As [`LOCAL_FLAGS`], and the context is remote.
const REMOTE_FLAGS: u32 = 0x300;

/// One line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Request {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Resource {
    attributes: Vec<KeyValue>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<Span>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Scope {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Span {
    trace_id: String,
    span_id: String,
    parent_span_id: String,
    flags: Number,
    name: String,
    kind: Number,
    #[serde(serialize_with = "text")]
    start_time_unix_nano: Number,
    #[serde(serialize_with = "text")]
    end_time_unix_nano: Number,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<KeyValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Event>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link>,
    status: Status,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    #[serde(serialize_with = "text")]
    time_unix_nano: Number,
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<KeyValue>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Link {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<KeyValue>,
    flags: Number,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(skip_serializing_if = "Number::is_zero")]
    code: Number,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct KeyValue {
    key: String,
    value: AnyValue,
}

impl Request {
    /// The spans under one resource, in groups by scope in the order of their first spans.
    pub(crate) fn new<'a>(
        resource: &Attributes,
        spans: impl IntoIterator<Item = &'a span::Span>,
    ) -> Self {
        let mut scope_spans: Vec<ScopeSpans> = Vec::new();
        for span in spans {
            let wire = Span::from(span);
            match scope_spans
                .iter_mut()
                .find(|group| group.scope.name == span.scope)
            {
                Some(group) => group.spans.push(wire),
                None => scope_spans.push(ScopeSpans {
                    scope: Scope {
                        name: span.scope.clone(),
                    },
                    spans: vec![wire],
                }),
            }
        }
        Self {
            resource_spans: vec![ResourceSpans {
                resource: Resource {
                    attributes: key_values(resource),
                },
                scope_spans,
            }],
        }
    }

    /// The spans that have valid ids and times.
    pub(crate) fn into_spans(self) -> impl Iterator<Item = span::Span> {
        self.resource_spans
            .into_iter()
            .flat_map(|group| group.scope_spans)
            .flat_map(|group| {
                let scope = group.scope.name;
                group
                    .spans
                    .into_iter()
                    .filter_map(move |span| span.into_span(&scope))
            })
    }

    /// Ids of all spans, as they stand.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (&str, &str)> {
        self.resource_spans
            .iter()
            .flat_map(|group| &group.scope_spans)
            .flat_map(|group| &group.spans)
            .map(|span| (span.trace_id.as_str(), span.span_id.as_str()))
    }
}

impl From<&span::Span> for Span {
    fn from(span: &span::Span) -> Self {
        Self {
            trace_id: span.trace_id.to_string(),
            span_id: span.span_id.to_string(),
            parent_span_id: span.parent.map(|id| id.to_string()).unwrap_or_default(),
            flags: Number(LOCAL_FLAGS.into()),
            name: span.name.clone(),
            kind: Number(span.kind as u64),
            start_time_unix_nano: nanoseconds(span.start),
            end_time_unix_nano: nanoseconds(span.end.unwrap_or(span.start)),
            attributes: key_values(&span.attributes),
            events: span
                .events
                .iter()
                .map(|event| Event {
                    time_unix_nano: nanoseconds(event.time),
                    name: event.name.clone(),
                    attributes: key_values(&event.attributes),
                })
                .collect(),
            links: span
                .links
                .iter()
                .map(|link| Link {
                    trace_id: link.to.trace_id().to_string(),
                    span_id: link.to.span_id().to_string(),
                    attributes: key_values(&link.attributes),
                    flags: Number(u64::from(REMOTE_FLAGS | u32::from(link.to.flags()))),
                })
                .collect(),
            status: match &span.status {
                span::Status::Unset => Status::default(),
                span::Status::Ok => Status {
                    message: String::new(),
                    code: Number(1),
                },
                span::Status::Error(message) => Status {
                    message: message.clone(),
                    code: Number(2),
                },
            },
        }
    }
}

impl Span {
    fn into_span(self, scope: &str) -> Option<span::Span> {
        let start = timestamp(self.start_time_unix_nano);
        let parent = self.parent_span_id.to_ascii_lowercase();
        Some(span::Span {
            trace_id: id(&self.trace_id)?,
            span_id: id(&self.span_id)?,
            parent: parent.parse::<SpanId>().ok(),
            scope: scope.to_owned(),
            name: self.name,
            kind: match self.kind.0 {
                1 => Kind::Internal,
                2 => Kind::Server,
                3 => Kind::Client,
                4 => Kind::Producer,
                5 => Kind::Consumer,
                _ => Kind::Unspecified,
            },
            start,
            end: Some(timestamp(self.end_time_unix_nano).max(start)),
            attributes: attributes(self.attributes),
            events: self
                .events
                .into_iter()
                .map(|event| span::Event {
                    time: timestamp(event.time_unix_nano),
                    name: event.name,
                    attributes: attributes(event.attributes),
                })
                .collect(),
            links: self
                .links
                .into_iter()
                .filter_map(|link| {
                    let (trace, span): (TraceId, SpanId) =
                        (id(&link.trace_id)?, id(&link.span_id)?);
                    // Only the traceparent's own flags; the others say where the context was.
                    let text = format!("00-{trace}-{span}-{:02x}", link.flags.0 & 0xff);
                    Some(span::Link {
                        to: text.parse::<TraceParent>().ok()?,
                        attributes: attributes(link.attributes),
                    })
                })
                .collect(),
            status: match self.status.code.0 {
                1 => span::Status::Ok,
                2 => span::Status::Error(self.status.message),
                _ => span::Status::Unset,
            },
        })
    }
}

fn id<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.to_ascii_lowercase().parse().ok()
}

fn nanoseconds(time: Timestamp) -> Number {
    Number(u64::try_from(time.as_nanosecond()).unwrap_or_default())
}

fn timestamp(nanoseconds: Number) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds.0)).unwrap_or(Timestamp::MAX)
}

fn key_values(attributes: &Attributes) -> Vec<KeyValue> {
    attributes
        .iter()
        .map(|(key, value)| KeyValue {
            key: key.to_owned(),
            value: AnyValue(Some(value.clone())),
        })
        .collect()
}

fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    pairs
        .into_iter()
        .filter_map(|pair| Some((pair.key, pair.value.0?)))
        .collect()
}

/// True if the text is a whole JSON value.
pub(crate) fn is_whole(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}
