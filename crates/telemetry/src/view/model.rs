//! Spans put in order for a reader: by trace, each span after its parent.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::conventions::{self as keys, APP_NAME, APP_VERSION, WORKLOAD_VERSION};
use crate::span::{Span, Status, Value};

/// The last so many traces are shown.
const MAX_TRACES: usize = 500;

/// Traces, the earliest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traces {
    /// The traces.
    pub traces: Vec<Trace>,
    /// How many earlier ones are left out.
    pub left_out: usize,
}

/// One trace: an attempt at a delivery, or somebody else's.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// Its id.
    pub trace_id: String,
    /// Name of its first span.
    pub name: String,
    /// Name of the app; empty if it is not ours.
    pub app: String,
    /// The stage; empty if it is not ours.
    pub stage: String,
    /// The version that all workloads have, else the app's. Of an app with many workloads Keptn
    /// makes a hash, which tells a person nothing.
    pub version: String,
    /// Version of the app.
    pub app_version: String,
    /// The commit or other revision.
    pub commit: String,
    /// Number of the delivery.
    pub delivery: Option<u64>,
    /// Number of the attempt.
    pub attempt: Option<u64>,
    /// `pass`, `warn`, `fail`, `inconclusive`, `error`, `running` or `unknown`.
    pub outcome: String,
    /// Why it is not a pass.
    pub reason: String,
    /// Milliseconds since 1970.
    pub start: f64,
    /// Milliseconds since 1970; of the last known moment if it is still running.
    pub end: f64,
    /// The spans, each after its parent.
    pub spans: Vec<TraceSpan>,
}

/// A span in its trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceSpan {
    /// Its id.
    pub id: String,
    /// How many spans it lies within.
    pub depth: usize,
    /// True if spans lie within it.
    pub parent: bool,
    /// True if it is the last within its parent.
    pub last: bool,
    /// Its name.
    pub name: String,
    /// As [`Trace::outcome`].
    pub outcome: String,
    /// Why it is not a pass.
    pub reason: String,
    /// Milliseconds since 1970.
    pub start: f64,
    /// Milliseconds since 1970; `None` while it runs.
    pub end: Option<f64>,
    /// OpenTelemetry's kind, for example `consumer`.
    pub kind: String,
    /// Name of the tracer.
    pub scope: String,
    /// The status' message.
    pub message: String,
    /// What is known about it.
    pub attributes: Vec<(String, String)>,
    /// What happened in it.
    pub events: Vec<TraceEvent>,
    /// Spans that it links to.
    pub links: Vec<TraceLink>,
}

/// Something that happened in a span.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceEvent {
    /// Milliseconds since 1970.
    pub time: f64,
    /// What.
    pub name: String,
    /// What is known about it.
    pub attributes: Vec<(String, String)>,
}

/// A link to another span.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceLink {
    /// Its trace.
    pub trace_id: String,
    /// Its id.
    pub span_id: String,
    /// Why: `previous-stage`, `previous-attempt` or empty.
    pub relation: String,
}

impl Traces {
    /// Puts spans in order. Spans whose parent is not there (a root that is not finished) stand
    /// where the root would be.
    pub fn new(spans: Vec<Span>) -> Self {
        let mut by_trace: HashMap<_, Vec<Span>> = HashMap::new();
        let mut order = Vec::new();
        for span in spans {
            let trace = by_trace.entry(span.trace_id).or_default();
            if trace.is_empty() {
                order.push(span.trace_id);
            }
            trace.push(span);
        }
        let mut traces: Vec<Trace> = order
            .into_iter()
            .filter_map(|id| by_trace.remove(&id))
            .filter_map(trace)
            .collect();
        traces.sort_by(|a, b| a.start.total_cmp(&b.start));
        let left_out = traces.len().saturating_sub(MAX_TRACES);
        traces.drain(..left_out);
        Self { traces, left_out }
    }

    /// As JSON; field names as in the types, in lowerCamelCase.
    pub fn to_json(&self) -> String {
        // Maps with text as keys, text and numbers: nothing that JSON could not hold.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The span with this id, and its trace.
    pub(super) fn find(&self, trace: &str, span: &str) -> Option<(&Trace, &TraceSpan)> {
        let trace = self.traces.iter().find(|other| other.trace_id == trace)?;
        let span = trace.spans.iter().find(|other| other.id == span)?;
        Some((trace, span))
    }
}

fn trace(spans: Vec<Span>) -> Option<Trace> {
    let places = in_order(&spans);
    let first = &spans[places.first()?.index];
    let text = |keys: &[&str]| {
        let key = keys.iter().find(|key| !first.text(key).is_empty());
        key.map(|key| first.text(key).to_owned())
            .unwrap_or_default()
    };
    let number = |key| match first.attributes.get(key) {
        Some(Value::Int(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    let start = spans.iter().map(|span| span.start).min()?;
    let end = spans.iter().filter_map(|span| span.end).max();
    let starts = spans.iter().map(|span| span.start).max();
    let whole = first.parent.is_none() && first.end.is_some();
    Some(Trace {
        trace_id: first.trace_id.to_string(),
        name: first.name.clone(),
        app: text(&[APP_NAME]),
        stage: text(&[keys::STAGE, keys::ENVIRONMENT]),
        version: common_version(&spans).unwrap_or_else(|| text(&[APP_VERSION])),
        app_version: text(&[APP_VERSION]),
        commit: text(&["commitID", keys::HEAD_REVISION, keys::REVISION]),
        delivery: number(keys::DELIVERY),
        attempt: number(keys::ATTEMPT),
        outcome: if whole {
            outcome(first)
        } else {
            "running".to_owned()
        },
        reason: if whole {
            text(&[keys::REASON])
        } else {
            String::new()
        },
        start: milliseconds(start),
        end: milliseconds(end.max(starts).unwrap_or(start)),
        spans: places
            .iter()
            .map(|place| view(&spans[place.index], place))
            .collect(),
    })
}

/// The version of all workloads, if it is one.
fn common_version(spans: &[Span]) -> Option<String> {
    let mut versions = spans
        .iter()
        .map(|span| span.text(WORKLOAD_VERSION))
        .filter(|version| !version.is_empty());
    let first = versions.next()?;
    versions
        .all(|version| version == first)
        .then(|| first.to_owned())
}

/// Where a span stands.
struct Place {
    index: usize,
    depth: usize,
    parent: bool,
    last: bool,
}

/// Depth first, without recursion: the depth of somebody else's spans is not ours to bound.
fn in_order(spans: &[Span]) -> Vec<Place> {
    let known: HashMap<_, usize> = spans
        .iter()
        .enumerate()
        .map(|(index, span)| (span.span_id, index))
        .collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut roots = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        match span.parent.and_then(|parent| known.get(&parent)) {
            Some(parent) if *parent != index => children.entry(*parent).or_default().push(index),
            _ => roots.push(index),
        }
    }
    // The true root before those whose parent is missing.
    roots.sort_by_key(|index| (spans[*index].parent.is_some(), spans[*index].start));
    for list in children.values_mut() {
        list.sort_by_key(|index| spans[*index].start);
    }

    let mut places = Vec::with_capacity(spans.len());
    let mut seen = HashSet::new();
    // Spans that are each other's parents are reached from none of the roots.
    for start in roots.into_iter().chain(0..spans.len()) {
        let mut stack = vec![(start, 0, true)];
        while let Some((index, depth, last)) = stack.pop() {
            if !seen.insert(index) {
                continue;
            }
            let within = children.get(&index).map_or(&[][..], Vec::as_slice);
            places.push(Place {
                index,
                depth,
                parent: !within.is_empty(),
                last,
            });
            for (place, child) in within.iter().enumerate().rev() {
                stack.push((*child, depth + 1, place + 1 == within.len()));
            }
        }
    }
    places
}

fn view(span: &Span, place: &Place) -> TraceSpan {
    TraceSpan {
        id: span.span_id.to_string(),
        depth: place.depth,
        parent: place.parent,
        last: place.last,
        name: span.name.clone(),
        outcome: outcome(span),
        reason: match &span.status {
            Status::Error(message) if span.text(keys::REASON).is_empty() && message != "Failed" => {
                message.clone()
            }
            _ => span.text(keys::REASON).to_owned(),
        },
        start: milliseconds(span.start),
        end: span.end.map(milliseconds),
        kind: format!("{:?}", span.kind).to_lowercase(),
        scope: span.scope.clone(),
        message: match &span.status {
            Status::Error(message) => message.clone(),
            Status::Unset | Status::Ok => String::new(),
        },
        attributes: pairs(&span.attributes),
        events: span
            .events
            .iter()
            .map(|event| TraceEvent {
                time: milliseconds(event.time),
                name: event.name.clone(),
                attributes: pairs(&event.attributes),
            })
            .collect(),
        links: span
            .links
            .iter()
            .map(|link| TraceLink {
                trace_id: link.to.trace_id().to_string(),
                span_id: link.to.span_id().to_string(),
                relation: match link.attributes.get(keys::LINK_RELATION) {
                    Some(Value::String(text)) => text.clone(),
                    _ => String::new(),
                },
            })
            .collect(),
    }
}

fn outcome(span: &Span) -> String {
    const KNOWN: [&str; 5] = ["pass", "warn", "fail", "inconclusive", "error"];
    let own = span.text(keys::OUTCOME);
    match &span.status {
        _ if span.end.is_none() => "running",
        _ if KNOWN.contains(&own) => own,
        Status::Ok => "pass",
        Status::Error(_) => "fail",
        Status::Unset => "unknown",
    }
    .to_owned()
}

fn pairs(attributes: &crate::Attributes) -> Vec<(String, String)> {
    attributes
        .iter()
        .map(|(key, value)| (key.to_owned(), value.to_string()))
        .collect()
}

/// Exact to a microsecond, which is enough to look at.
fn milliseconds(time: Timestamp) -> f64 {
    time.as_microsecond() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::tree::all_spans;

    fn outline(traces: &Traces) -> Vec<String> {
        traces
            .traces
            .iter()
            .flat_map(|trace| &trace.spans)
            .map(|span| format!("{}{}", " ".repeat(span.depth), span.name))
            .collect()
    }

    #[test]
    fn traces_and_spans_are_put_in_order_whatever_order_they_come_in() {
        let mut spans = all_spans(&samples::passed());
        spans.extend(all_spans(&samples::promoted()));
        let whole = Traces::new(spans.clone());
        assert_eq!(whole.traces.len(), 2);
        let dev = &whole.traces[0];
        assert_eq!(
            (
                &*dev.app,
                &*dev.stage,
                &*dev.version,
                &*dev.commit,
                &*dev.outcome
            ),
            ("simple-go", "dev", "v2", samples::COMMIT, "pass")
        );
        assert_eq!((dev.delivery, dev.attempt), (Some(1), Some(1)));
        assert_eq!(whole.traces[1].stage, "prod");
        let (_, linked) = whole
            .find(
                &whole.traces[1].spans[0].links[0].trace_id,
                &whole.traces[1].spans[0].links[0].span_id,
            )
            .unwrap();
        assert_eq!(linked.name, "PromotionTasks");

        spans.reverse();
        let reversed = Traces::new(spans);
        assert_eq!(outline(&reversed).len(), outline(&whole).len());
        assert_eq!(outline(&reversed)[0], "simple-go-v2-6b86b273");
        assert_eq!(outline(&reversed)[1], " AppPreDeployTasks");
    }

    #[test]
    fn the_version_is_that_of_all_workloads_or_the_apps() {
        let mut ledger = samples::passed();
        ledger.deliveries[0].app_version = "ffb52e4fc0".to_owned();
        let version = |ledger: &stagelink_delivery::ledger::Ledger| {
            let trace = Traces::new(all_spans(ledger)).traces.remove(0);
            assert_eq!(trace.app_version, "ffb52e4fc0");
            trace.version
        };
        assert_eq!(version(&ledger), "v2");
        let workloads = &mut ledger.deliveries[0].attempts[0].workloads;
        let mut other = workloads[0].clone();
        other.name = "backend".to_owned();
        other.version = "v7".to_owned();
        workloads.push(other);
        assert_eq!(version(&ledger), "ffb52e4fc0");
        ledger.deliveries[0].attempts[0].workloads.clear();
        assert_eq!(version(&ledger), "ffb52e4fc0");
    }

    #[test]
    fn a_trace_without_its_root_is_running() {
        let spans: Vec<Span> = all_spans(&samples::failed())
            .into_iter()
            .filter(|span| span.parent.is_some())
            .collect();
        let traces = Traces::new(spans);
        for trace in &traces.traces {
            assert_eq!(trace.outcome, "running");
            assert_eq!((&*trace.stage, trace.delivery), ("dev", Some(2)));
        }
    }

    #[test]
    fn spans_that_are_each_others_parents_are_shown_once() {
        let mut spans = all_spans(&samples::promoted());
        spans.truncate(2);
        spans[0].parent = Some(spans[1].span_id);
        let traces = Traces::new(spans.clone());
        assert_eq!(outline(&traces).len(), 2);
        spans[1].parent = Some(spans[1].span_id);
        assert_eq!(outline(&Traces::new(spans)).len(), 2);
    }

    #[test]
    fn a_very_deep_trace_is_no_trouble() {
        let template = all_spans(&samples::promoted()).remove(0);
        let mut spans = Vec::new();
        for number in 1..=50_000_u64 {
            let id = |number: u64| format!("{number:016x}").parse().ok();
            let mut span = template.clone();
            span.span_id = id(number).unwrap();
            span.parent = id(number - 1);
            spans.push(span);
        }
        let traces = Traces::new(spans);
        assert_eq!(traces.traces[0].spans.last().unwrap().depth, 49_999);
        assert!(traces.to_tree(true).lines().count() > 50_000);
    }
}
