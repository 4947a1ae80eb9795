//! How long a render takes: the demo's chart, and a chart with fifty templates.
//!
//! Each is measured as a process would do it (load, parse, render) and as the plugin's second render (render only). When
//! `STAGELINK_HELM` names a `helm`, its `helm template` of the same chart is timed as well and the ratio printed.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark for people"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use criterion::Criterion;
use stagelink_helm::{Chart, ParsedChart, RenderInput};

/// The demo's chart for its first stage.
fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/simple-go-dev")
}

/// Writes a chart with fifty templates in the style of `helm create`.
fn fifty_templates(directory: &Path) -> PathBuf {
    let chart = directory.join("fifty");
    let templates = chart.join("templates");
    std::fs::create_dir_all(&templates).unwrap();
    std::fs::write(
        chart.join("Chart.yaml"),
        "apiVersion: v2\nname: fifty\nversion: 1.0.0\nappVersion: 1.0.0\n",
    )
    .unwrap();
    std::fs::write(
        templates.join("_helpers.tpl"),
        r#"{{- define "fullname" -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{- end -}}
{{- define "labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}
"#,
    )
    .unwrap();
    let mut values = String::new();
    for index in 0..50 {
        write!(
            values,
            "service{index}:\n  replicas: 2\n  image: {{repository: example.org/service, tag: v{index}}}\n  env: {{A: one, B: two, C: \"3\"}}\n  \
             resources: {{limits: {{cpu: 100m, memory: 64Mi}}, requests: {{cpu: 10m, memory: 32Mi}}}}\n  ports: [8080, 9090]\n"
        )
        .unwrap();
        let template = r#"{{- $service := index .Values "serviceN" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "fullname" . }}-N
  labels: {{- include "labels" . | nindent 4 }}
spec:
  {{- if gt (int $service.replicas) 1 }}
  replicas: {{ $service.replicas }}
  {{- end }}
  selector:
    matchLabels: {app: {{ include "fullname" . }}-N}
  template:
    metadata:
      annotations:
        checksum/values: {{ $service | toYaml | sha256sum }}
      labels: {{- include "labels" . | nindent 8 }}
    spec:
      containers:
      - name: service
        image: "{{ $service.image.repository }}:{{ $service.image.tag | default .Chart.AppVersion }}"
        env:
        {{- range $name, $value := $service.env }}
        - name: {{ $name }}
          value: {{ tpl $value $ | quote }}
        {{- end }}
        ports:
        {{- range $service.ports }}
        - containerPort: {{ . }}
        {{- end }}
        resources: {{- toYaml $service.resources | nindent 10 }}
"#;
        let template = template.replace('N', &index.to_string());
        std::fs::write(templates.join(format!("service{index}.yaml")), template).unwrap();
    }
    std::fs::write(chart.join("values.yaml"), values).unwrap();
    chart
}

fn render(chart: &Path) -> usize {
    let chart = ParsedChart::new(Chart::load(chart).unwrap());
    chart
        .render(&RenderInput::default())
        .unwrap()
        .to_yaml()
        .len()
}

fn measure(criterion: &mut Criterion, name: &str, path: &Path) {
    criterion.bench_function(&format!("{name}: load, parse, render"), |bencher| {
        bencher.iter(|| render(black_box(path)));
    });
    let chart = ParsedChart::new(Chart::load(path).unwrap());
    let input = RenderInput::default();
    chart.render(&input).unwrap();
    criterion.bench_function(&format!("{name}: render again"), |bencher| {
        bencher.iter(|| chart.render(black_box(&input)).unwrap().to_yaml().len());
    });
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..15)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn compare(name: &str, path: &Path) {
    let Some(helm) = std::env::var_os("STAGELINK_HELM") else {
        println!("{name}: set STAGELINK_HELM to a helm to compare with it");
        return;
    };
    let theirs = median(|| {
        let status = Command::new(&helm)
            .args(["template", "release-name"])
            .arg(path)
            .output()
            .unwrap()
            .status;
        assert!(status.success());
    });
    let ours = median(|| {
        black_box(render(path));
    });
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    println!(
        "{name}: helm template {theirs:?} as a process, here {ours:?} in a process: {ratio:.0} times as fast"
    );
}

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let charts = [
        ("demo chart", demo()),
        ("50 templates", fifty_templates(directory.path())),
    ];
    let mut criterion = Criterion::default().configure_from_args();
    for (name, path) in &charts {
        measure(&mut criterion, name, path);
    }
    criterion.final_summary();
    for (name, path) in &charts {
        compare(name, path);
    }
}
