//! How long `generate` takes, how large the program is and how much memory it needs: the demo's chart
//! and a chart with fifty templates, as a whole process, as Argo CD pays for it, and within one.

#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark for people"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::Criterion;
use stagelink_cmp::{Environment, generate};

const VARIABLES: [(&str, &str); 6] = [
    ("ARGOCD_APP_NAME", "shop-dev"),
    ("ARGOCD_APP_NAMESPACE", "shop"),
    (
        "ARGOCD_APP_REVISION",
        "0123456789abcdef0123456789abcdef01234567",
    ),
    ("ARGOCD_APP_SOURCE_PATH", "."),
    ("ARGOCD_APP_PARAMETERS", "null"),
    ("KUBE_VERSION", "1.34.4"),
];

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/simple-go-dev");
    let charts = [
        ("demo", demo),
        ("fifty templates", fifty_templates(folder.path())),
    ];

    let size = std::fs::metadata(env!("CARGO_BIN_EXE_stagelink-cmp"))
        .unwrap()
        .len();
    println!("stagelink-cmp: {:.1} MiB", size as f64 / 1_048_576.0);
    for (name, chart) in &charts {
        println!("generate, {name}: peak memory {} KiB", peak_memory(chart));
    }

    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    for (name, chart) in &charts {
        criterion.bench_function(&format!("generate, {name}, whole process"), |bencher| {
            bencher.iter(|| {
                let output = command(chart).output().unwrap();
                assert!(output.status.success());
                output.stdout.len()
            });
        });
        let environment: Environment = VARIABLES.into_iter().collect();
        criterion.bench_function(&format!("generate, {name}, in process"), |bencher| {
            bencher.iter(|| {
                generate(black_box(chart), &environment)
                    .unwrap()
                    .manifests
                    .len()
            });
        });
    }
    criterion.final_summary();
}

fn command(chart: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stagelink-cmp"));
    command
        .arg("generate")
        .current_dir(chart)
        .env_clear()
        .envs(VARIABLES)
        .stderr(Stdio::null());
    command
}

/// The most memory that the process had when it was about to print: its stdout is a pipe that is
/// full, so it waits there, with everything done.
fn peak_memory(chart: &Path) -> u64 {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // Linux gives a pipe 64 KiB.
    writer.write_all(&[b'\n'; 65_536]).unwrap();
    let mut child = command(chart).stdout(writer).spawn().unwrap();
    let status = || {
        let text =
            std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let (mut peak, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_millis(300) {
        std::thread::sleep(Duration::from_millis(10));
        let now: u64 = status().unwrap_or_default();
        if now > peak {
            (peak, since) = (now, Instant::now());
        }
    }
    std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    assert!(child.wait().unwrap().success());
    peak
}

/// A chart with fifty Deployments in the style of `helm create`.
fn fifty_templates(folder: &Path) -> PathBuf {
    let chart = folder.join("fifty");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(chart.join(name), text).unwrap();
    write(
        "Chart.yaml",
        "apiVersion: v2\nname: fifty\nversion: 1.0.0\nappVersion: 1.0.0\n",
    );
    write(
        "templates/_helpers.tpl",
        "{{- define \"labels\" -}}\napp.kubernetes.io/part-of: {{ .Chart.Name }}\n\
         helm.sh/chart: {{ printf \"%s-%s\" .Chart.Name .Chart.Version | replace \"+\" \"_\" }}\n{{- end -}}\n",
    );
    let mut values = String::new();
    for index in 0..50 {
        writeln!(values, "service{index}: {{replicas: 2, image: \"example.org/service:v{index}\", env: {{A: one, B: two}}}}").unwrap();
        let template = "{{- $service := index .Values \"serviceN\" -}}\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: service-N\n  \
             labels:\n    {{- include \"labels\" . | nindent 4 }}\nspec:\n  replicas: {{ $service.replicas }}\n  template:\n    metadata:\n      \
             labels:\n        app.kubernetes.io/name: service-N\n        {{- include \"labels\" . | nindent 8 }}\n    spec:\n      containers:\n        \
             - name: main\n          image: {{ $service.image | quote }}\n          env:\n            {{- range $name, $value := $service.env }}\n            \
             - name: {{ $name }}\n              value: {{ $value | quote }}\n            {{- end }}\n";
        write(
            &format!("templates/service-{index}.yaml"),
            &template
                .replace("serviceN", &format!("service{index}"))
                .replace("service-N", &format!("service-{index}")),
        );
    }
    write("values.yaml", &values);
    chart
}
