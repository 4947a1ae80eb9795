//! Parses and executes a template that looks as those of charts do.
//!
//! `cargo bench -p stagelink-gotemplate --bench deployment`. What Go takes for the same:
//! `go test -bench . main.go bench_test.go` in `tests/golden`.

#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "a benchmark is no public interface, and ends when its template is wrong"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use stagelink_gotemplate::{FunctionTable, GoString, Limits, MissingKey, Templates, Value};

const TEMPLATE: &str = include_str!("deployment.txt");

fn functions() -> FunctionTable {
    let mut table = FunctionTable::builtin();
    table.add("upper", |text: GoString| text.to_str_lossy().to_uppercase());
    table
}

fn parsed() -> Templates {
    let mut templates = Templates::new("bench", functions()).with_missing_key(MissingKey::Zero);
    templates
        .parse("deployment", TEMPLATE)
        .expect("it is well-formed");
    templates
}

fn data() -> Value {
    let text = |text: &str| Value::from(text);
    let container = |name: &str| {
        Value::map([
            ("name", text(name)),
            ("image", text("registry.example.com/app")),
            ("tag", text("1.2.3")),
            ("port", Value::Float(8080.0)),
            (
                "env",
                Value::map([("A", text("1")), ("B", text("2")), ("C", text("3"))]),
            ),
        ])
    };
    Value::map([
        ("name", text("demo")),
        ("replicas", Value::Float(3.0)),
        (
            "labels",
            Value::map([("app", text("demo")), ("tier", text("backend"))]),
        ),
        (
            "containers",
            Value::list((0..20).map(|number| container(&format!("container-{number}")))),
        ),
    ])
}

fn benchmarks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("deployment");
    group.throughput(Throughput::Bytes(TEMPLATE.len() as u64));
    group.bench_function("parse", |bencher| bencher.iter(|| black_box(parsed())));
    let templates = parsed();
    let data = data();
    let limits = Limits::default();
    let output = templates
        .execute("deployment", data.clone(), &limits)
        .expect("it can be executed");
    group.throughput(Throughput::Bytes(output.len() as u64));
    group.bench_function("execute", |bencher| {
        bencher.iter(|| templates.execute("deployment", black_box(data.clone()), &limits));
    });
    group.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
