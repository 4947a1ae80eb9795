//! Spans as Stagelink computes and reads them, free of any wire format.

use jiff::Timestamp;
use stagelink_plan::{SpanId, TraceId, TraceParent};

/// One span of a trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trace that it belongs to.
    pub trace_id: TraceId,
    /// Its id in that trace.
    pub span_id: SpanId,
    /// The span that it is a part of; `None` for the root.
    pub parent: Option<SpanId>,
    /// Name of the tracer that made it.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Its kind; every span of Keptn's is [`Kind::Consumer`].
    pub kind: Kind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; `None` while it runs.
    pub end: Option<Timestamp>,
    /// What is known about it.
    pub attributes: Attributes,
    /// What happened in it, in order.
    pub events: Vec<Event>,
    /// Other spans that it has to do with.
    pub links: Vec<Link>,
    /// How it ended.
    pub status: Status,
}

impl Span {
    /// The traceparent that names this span.
    pub fn trace_parent(&self) -> TraceParent {
        TraceParent::sampled(self.trace_id, self.span_id)
    }

    /// The text of an attribute; empty if it is absent or no text.
    pub fn text(&self, key: &str) -> &str {
        match self.attributes.get(key) {
            Some(Value::String(text)) => text,
            _ => "",
        }
    }
}

/// OpenTelemetry's span kinds, with their numbers on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are OpenTelemetry's")]
pub enum Kind {
    #[default]
    Unspecified = 0,
    Internal = 1,
    Server = 2,
    Client = 3,
    Producer = 4,
    Consumer = 5,
}

/// How a span ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Status {
    /// Nobody said.
    #[default]
    Unset,
    /// Well.
    Ok,
    /// Not well.
    Error(String),
}

/// Something that happened in a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// What.
    pub name: String,
    /// What is known about it.
    pub attributes: Attributes,
}

/// A link to another span, mostly of another trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The span that is linked to.
    pub to: TraceParent,
    /// What is known about the link.
    pub attributes: Attributes,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names are OpenTelemetry's")]
pub enum Value {
    String(String),
    Bool(bool),
    Int(i64),
    Double(f64),
    Array(Vec<Value>),
    /// Key-value lists, bytes and what is yet to come; shown, not interpreted.
    Other(String),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<u64> for Value {
    /// OTLP has no unsigned integers; what does not fit is given as a double.
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Double(number as f64), Self::Int)
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::String(text) | Self::Other(text) => f.write_str(text),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
            Self::Array(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    value.fmt(f)?;
                }
                f.write_str("]")
            }
        }
    }
}

/// Attributes: keys with values, in order, each key once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(Vec<(String, Value)>);

impl Attributes {
    /// Sets a key, in the place where it stands if it is there.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    /// Sets a key if it is not there yet.
    pub fn set_new(&mut self, key: &str, value: impl Into<Value>) {
        if self.get(key).is_none() {
            self.0.push((key.to_owned(), value.into()));
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    /// All keys with values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut attributes = Self::default();
        for (key, value) in pairs {
            attributes.set(key, value);
        }
        attributes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_there_once_and_stays_in_its_place() {
        let mut attributes: Attributes = [("a", "1"), ("b", "2")].into_iter().collect();
        attributes.set("a", "3");
        attributes.set_new("b", "4");
        let pairs: Vec<_> = attributes
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(pairs, ["a=3", "b=2"]);
    }

    #[test]
    fn a_number_that_does_not_fit_is_not_wrapped() {
        assert_eq!(Value::from(7_u64), Value::Int(7));
        assert_eq!(Value::from(u64::MAX), Value::Double(u64::MAX as f64));
    }
}
