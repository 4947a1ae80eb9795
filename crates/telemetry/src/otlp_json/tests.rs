//! The form on disk, against the Collector's and against OpenTelemetry's own types.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;

use super::*;
use crate::samples::{self, at};
use crate::span::{Event, Link as SpanLink, Value};

fn span() -> span::Span {
    let id = "00-c088f5c586bab8649159ccc39a9862f7-f862289833f1fba3-01";
    span::Span {
        trace_id: "0102030405060708090a0b0c0d0e0f10".parse().unwrap(),
        span_id: "1112131415161718".parse().unwrap(),
        parent: None,
        scope: "keptn/lifecycle-operator/appversion".to_owned(),
        name: "simple-go-v2-6b86b273".to_owned(),
        kind: Kind::Consumer,
        start: at(0),
        end: Some(at(2)),
        attributes: [
            ("text", Value::from("a \"b\"")),
            ("yes", Value::Bool(true)),
            ("number", Value::Int(-7)),
            ("ratio", Value::Double(0.5)),
            ("none", Value::Double(f64::NAN)),
            ("list", Value::Array(vec![Value::Int(1), Value::from("x")])),
        ]
        .into_iter()
        .collect(),
        events: vec![Event {
            time: at(1),
            name: "it happened".to_owned(),
            attributes: Attributes::default(),
        }],
        links: vec![SpanLink {
            to: id.parse().unwrap(),
            attributes: [("opentracing.ref_type", "follows-from")]
                .into_iter()
                .collect(),
        }],
        status: span::Status::Error("Failed".to_owned()),
    }
}

fn written(spans: &[span::Span]) -> String {
    let resource = [("service.name", "stagelink")].into_iter().collect();
    serde_json::to_string(&Request::new(&resource, spans)).unwrap()
}

fn read(line: &str) -> Vec<span::Span> {
    let request: Request = serde_json::from_str(line).unwrap();
    request.into_spans().collect()
}

#[test]
fn a_line_is_as_the_collector_writes_it() {
    // Field by field as the Collector's `ptrace.JSONMarshaler` orders and spells them.
    assert_eq!(
        written(&[span()]),
        concat!(
            r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"stagelink"}}]},"#,
            r#""scopeSpans":[{"scope":{"name":"keptn/lifecycle-operator/appversion"},"spans":[{"#,
            r#""traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"1112131415161718","parentSpanId":"","flags":257,"#,
            r#""name":"simple-go-v2-6b86b273","kind":5,"#,
            r#""startTimeUnixNano":"1780000000000000000","endTimeUnixNano":"1780000002000000000","#,
            r#""attributes":[{"key":"text","value":{"stringValue":"a \"b\""}},{"key":"yes","value":{"boolValue":true}},"#,
            r#"{"key":"number","value":{"intValue":"-7"}},{"key":"ratio","value":{"doubleValue":0.5}},"#,
            r#"{"key":"none","value":{"doubleValue":"NaN"}},"#,
            r#"{"key":"list","value":{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"x"}]}}}],"#,
            r#""events":[{"timeUnixNano":"1780000001000000000","name":"it happened"}],"#,
            r#""links":[{"traceId":"c088f5c586bab8649159ccc39a9862f7","spanId":"f862289833f1fba3","#,
            r#""attributes":[{"key":"opentracing.ref_type","value":{"stringValue":"follows-from"}}],"flags":769}],"#,
            r#""status":{"message":"Failed","code":2}}]}]}]}"#,
        )
    );
}

#[test]
fn opentelemetrys_own_types_read_the_same() {
    let tree = crate::all_spans(&samples::passed());
    let request: ExportTraceServiceRequest = serde_json::from_str(&written(&tree)).unwrap();
    let scopes: Vec<_> = request.resource_spans[0]
        .scope_spans
        .iter()
        .map(|group| (group.scope.clone().unwrap().name, group.spans.len()))
        .collect();
    assert_eq!(
        scopes,
        [
            ("keptn/lifecycle-operator/appversion".to_owned(), 12),
            ("keptn/lifecycle-operator/workloadversion".to_owned(), 7)
        ]
    );
    let root = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(root.trace_id, tree[0].trace_id.to_bytes());
    assert_eq!(root.kind, 5);
    assert_eq!(root.end_time_unix_nano, 1_780_000_012_000_000_000);
    // And what they write is read here: they fill in every field.
    let mut back = read(&serde_json::to_string(&request).unwrap());
    let mut tree = tree;
    back.sort_by_key(|span| span.span_id);
    tree.sort_by_key(|span| span.span_id);
    assert_eq!(back, tree);
}

#[test]
fn what_others_write_is_read() {
    let minimal = |span: &str| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"0102030405060708090A0B0C0D0E0F10","spanId":"1112131415161718"{span}}}]}}]}}]}}"#
        )
    };
    for (rest, check) in [
        (r#","kind":"SPAN_KIND_SERVER""#, Some(Kind::Server)),
        (r#","kind":5,"unknown":{"a":[1]}"#, Some(Kind::Consumer)),
        (r#","kind":99"#, Some(Kind::Unspecified)),
        (
            r#","startTimeUnixNano":12,"endTimeUnixNano":"5""#,
            Some(Kind::Unspecified),
        ),
        (
            r#","status":{"code":"STATUS_CODE_ERROR"}"#,
            Some(Kind::Unspecified),
        ),
        (
            r#","links":[{"traceId":"","spanId":""}]"#,
            Some(Kind::Unspecified),
        ),
        (
            r#","attributes":[{"key":"a"},{"key":"b","value":{"kvlistValue":{}}}]"#,
            Some(Kind::Unspecified),
        ),
        (r#","spanId":"00""#, None),
    ] {
        let spans = match serde_json::from_str::<Request>(&minimal(rest)) {
            Ok(request) => request.into_spans().collect(),
            // The same field twice.
            Err(_) => Vec::new(),
        };
        assert_eq!(spans.first().map(|span| span.kind), check, "{rest}");
        if let Some(span) = spans.first() {
            assert!(span.end.unwrap() >= span.start, "{rest}");
            assert!(span.links.is_empty(), "{rest}");
        }
    }
    for line in [
        r#"{}"#,
        r#"{"resourceSpans":[]}"#,
        r#"{"resourceLogs":[{"x":1}]}"#,
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}"#,
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"x","spanId":"y"}]}]}]}"#,
    ] {
        assert_eq!(read(line), [], "{line}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        // What has a short form: serde_json may miss the last bit of others.
        any::<i32>().prop_map(|number| Value::Double(f64::from(number) / 1000.0)),
        Just(Value::Double(f64::INFINITY)),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(Value::Array)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        name in any::<String>(),
        pairs in prop::collection::vec((any::<String>(), any_value()), 0..5),
        kind in prop_oneof![Just(Kind::Unspecified), Just(Kind::Client), Just(Kind::Consumer)],
    ) {
        let mut span = span();
        span.name = name;
        span.kind = kind;
        span.attributes = pairs.into_iter().collect();
        span.parent = Some(span.span_id);
        prop_assert_eq!(read(&written(std::slice::from_ref(&span))), vec![span]);
    }
}
