//! Charts on disk, good and bad: what a person gets to read.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot be set up has to fail"
)]

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use proptest::prelude::*;
use stagelink_helm::chart::{File, LoadOptions, MAX_FILE_SIZE};
use stagelink_helm::values::ValueSources;
use stagelink_helm::{Chart, ChartErrorKind, ParsedChart, RenderInput};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use tempfile::TempDir;

fn write(root: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("parent")).expect("directory");
    fs::write(path, text).expect("file");
}

fn chart(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().expect("directory");
    write(
        root.path(),
        "Chart.yaml",
        "apiVersion: v2\nname: app\nversion: 1.0.0\n",
    );
    for (name, text) in files {
        write(root.path(), name, text);
    }
    root
}

fn package(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, data) in files {
        let mut header = tar::Header::new_gnu();
        // Written by hand: the library refuses the paths that these tests are about.
        header.as_gnu_mut().expect("gnu").name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, *data).expect("entry");
    }
    archive
        .into_inner()
        .expect("archive")
        .finish()
        .expect("archive")
}

fn names(files: &[File]) -> Vec<&str> {
    files.iter().map(|file| file.name.as_str()).collect()
}

fn error(path: &Path) -> (ChartErrorKind, String) {
    let error = Chart::load(path).expect_err("refused");
    (
        error.kind(),
        error
            .to_string()
            .replace(&path.display().to_string(), "CHART"),
    )
}

#[test]
fn a_directory_is_sorted_into_its_parts() {
    let root = chart(&[
        ("values.yaml", "\u{feff}a: 1\n"),
        ("templates/_helpers.tpl", ""),
        ("templates/a.yaml", "\u{feff}x"),
        ("templates/.hidden", ""),
        ("crds/one.YAML", ""),
        ("README.md", ""),
        (".helmignore", "*.bak\ndocs/\n"),
        ("old.bak", ""),
        ("docs/x.md", ""),
        ("charts/sub/Chart.yaml", "name: sub\nversion: 0.1.0\n"),
        ("charts/sub/templates/b.yaml", ""),
        ("charts/sub/x.bak", ""),
        ("charts/_off/broken", ""),
        ("charts/README.md.prov", ""),
        ("values.schema.json", "{}"),
    ]);
    let chart = Chart::load(root.path()).expect("chart");
    assert_eq!(
        names(chart.templates()),
        ["templates/_helpers.tpl", "templates/a.yaml"]
    );
    assert_eq!(&*chart.templates()[1].data, b"x");
    assert_eq!(
        names(chart.files()),
        [
            ".helmignore",
            "README.md",
            "charts/README.md.prov",
            "crds/one.YAML"
        ]
    );
    assert_eq!(chart.crds().count(), 1);
    assert_eq!(chart.values()["a"], 1);
    assert_eq!(chart.schema(), Some(b"{}".as_slice()));
    let sub = &chart.dependencies()[0];
    assert_eq!(
        (
            sub.name(),
            sub.files().len(),
            sub.metadata().api_version.as_str()
        ),
        ("sub", 0, "v1")
    );
}

#[test]
fn an_archive_is_the_same_chart() {
    let inner = package(&[
        ("sub/Chart.yaml", b"name: sub\nversion: 0.1.0\n"),
        ("sub/values.yaml", b"b: 2\n"),
    ]);
    let data = package(&[
        ("app/Chart.yaml", b"name: app\nversion: 1.0.0\n"),
        ("app/templates/a.yaml", b"x"),
        ("app/charts/sub-0.1.0.tgz", &inner),
    ]);
    let root = tempfile::tempdir().expect("directory");
    write(root.path(), "app.tgz", data);
    let chart = Chart::load(root.path().join("app.tgz")).expect("chart");
    assert_eq!(
        (
            names(chart.templates()),
            chart.dependencies()[0].values()["b"].as_u64()
        ),
        (vec!["templates/a.yaml"], Some(2))
    );
}

#[test]
fn old_charts_have_a_requirements_file() {
    let root = chart(&[(
        "requirements.yaml",
        "dependencies:\n- name: sub\n  version: 1.x\n",
    )]);
    write(root.path(), "Chart.yaml", "name: app\nversion: 1.0.0\n");
    let chart = Chart::load(root.path()).expect("chart");
    assert_eq!(chart.metadata().dependencies[0].name, "sub");
    assert_eq!(names(chart.files()), ["requirements.yaml"]);
}

#[test]
fn what_is_no_chart_is_named() {
    let root = tempfile::tempdir().expect("directory");
    let (kind, text) = error(root.path());
    assert_eq!(kind, ChartErrorKind::NotAChart);
    assert_eq!(
        text,
        "CHART: Chart.yaml file is missing; give the directory or .tgz of a Helm chart"
    );
    let (kind, text) = error(&root.path().join("none"));
    assert_eq!(kind, ChartErrorKind::Io);
    assert_eq!(
        text,
        "CHART: no such file or directory; give a path that exists"
    );
    write(root.path(), "values.yaml", "a: 1\n");
    let (kind, text) = error(&root.path().join("values.yaml"));
    assert_eq!(kind, ChartErrorKind::NotAChart);
    assert_eq!(
        text,
        "CHART: file does not appear to be a gzipped archive; give the directory of a chart, or what `helm package` made"
    );
}

#[test]
fn broken_files_are_named_with_their_line() {
    let root = chart(&[("charts/sub/Chart.yaml", "name: sub\nversion: [1]\n")]);
    assert_eq!(
        error(root.path()).1,
        "charts/sub/Chart.yaml:2:10: version must be a text, not a list; correct the field"
    );
    let root = chart(&[("values.yaml", "a:\n  b: c: d\n")]);
    assert!(
        error(root.path())
            .1
            .starts_with("values.yaml:2:7: error converting YAML to JSON: yaml: mapping")
    );
    let root = chart(&[(".helmignore", "a\n**/b\n")]);
    assert_eq!(
        error(root.path()).1,
        ".helmignore:2: double-star (**) syntax is not supported; correct the pattern"
    );
    let root = chart(&[("charts/sub/values.yaml", "")]);
    assert_eq!(
        error(root.path()).1,
        "charts/sub: Chart.yaml file is missing; add a Chart.yaml with name and version"
    );
}

#[cfg(unix)]
#[test]
fn links_stay_inside() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().expect("directory");
    write(outside.path(), "secret", "s3cret");
    let root = chart(&[("shared/a.txt", "a")]);
    symlink("../shared", {
        fs::create_dir_all(root.path().join("templates")).expect("directory");
        root.path().join("templates/inside")
    })
    .expect("link");
    let loaded = Chart::load(root.path()).expect("chart");
    assert_eq!(names(loaded.templates()), ["templates/inside/a.txt"]);

    symlink(outside.path().join("secret"), root.path().join("leak.txt")).expect("link");
    let (kind, text) = error(root.path());
    assert_eq!(kind, ChartErrorKind::Escape);
    assert_eq!(
        text,
        "leak.txt: the link leads out of the chart; copy the file into the chart, or name it in .helmignore"
    );
    // Someone who owns the tree around the chart may widen it.
    assert!(
        LoadOptions::default()
            .within(std::env::temp_dir())
            .load(root.path())
            .is_ok()
    );
    write(root.path(), ".helmignore", "leak.txt\n");
    assert!(Chart::load(root.path()).is_ok());

    symlink("../..", root.path().join("shared/up")).expect("link");
    assert_eq!(error(root.path()).0, ChartErrorKind::Escape);
    fs::remove_file(root.path().join("shared/up")).expect("removed");
    symlink("..", root.path().join("shared/around")).expect("link");
    let (kind, text) = error(root.path());
    assert_eq!(
        (kind, text.contains("directory around it")),
        (ChartErrorKind::Escape, true),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn links_that_multiply_are_refused() {
    let root = chart(&[]);
    for level in 0..30 {
        let directory = root.path().join(format!("d{level}"));
        fs::create_dir(&directory).expect("directory");
        for side in ["left", "right"] {
            let target = format!("../d{}", level + 1);
            std::os::unix::fs::symlink(target, directory.join(side)).expect("link");
        }
    }
    write(root.path(), "d30/file", "");
    let (kind, text) = error(root.path());
    // Linux follows at most 40 links in one path, and counts them twice when it has to look again.
    let is_systems = kind == ChartErrorKind::Io && text.contains("symbolic links");
    assert!(kind == ChartErrorKind::Limit || is_systems, "{text}");
}

#[cfg(unix)]
#[test]
fn the_ignore_file_may_not_lead_outside() {
    let root = chart(&[]);
    std::os::unix::fs::symlink("/dev/zero", root.path().join(".helmignore")).expect("link");
    let (kind, text) = error(root.path());
    assert_eq!(
        (kind, text.starts_with(".helmignore: the link leads out")),
        (ChartErrorKind::Escape, true),
        "{text}"
    );
}

#[test]
fn values_nested_as_deeply_as_can_be_read_are_handled() {
    let depth = stagelink_yaml::MAX_DEPTH - 1;
    let nested = format!("{}1{}", "{a: ".repeat(depth), "}".repeat(depth));
    let root = chart(&[
        ("values.yaml", &nested),
        (
            "values.schema.json",
            "{\"additionalProperties\": {\"$ref\": \"#\"}}",
        ),
        ("charts/sub/Chart.yaml", "name: a\nversion: 1.0.0\n"),
        ("charts/sub/values.yaml", &nested),
        ("templates/a.yaml", "a: {{ toYaml .Values | nindent 2 }}\n"),
    ]);
    write(root.path(), "user.yaml", &nested);
    let chart = Chart::load(root.path()).expect("chart");
    let sources = ValueSources {
        files: vec!["user.yaml".into()],
        ..ValueSources::default()
    };
    let user = sources
        .merge(&|path| fs::read(root.path().join(path)))
        .expect("values");
    let input = RenderInput {
        values: Some(user),
        ..RenderInput::default()
    };
    // Either way is fine, as long as the process lives.
    let _ = ParsedChart::new(chart).render(&input);
}

#[test]
fn too_large_files_are_refused() {
    let root = chart(&[]);
    let size = usize::try_from(MAX_FILE_SIZE).expect("size");
    write(root.path(), "big.bin", vec![0; size]);
    assert!(Chart::load(root.path()).is_ok());
    write(root.path(), "big.bin", vec![0; size + 1]);
    let (kind, text) = error(root.path());
    assert_eq!(kind, ChartErrorKind::Limit);
    assert_eq!(
        text,
        "big.bin: chart file is larger than the maximum file size 5242880; name it in .helmignore, or make it smaller"
    );
}

#[test]
fn archives_are_bounded_and_stay_inside() {
    let root = tempfile::tempdir().expect("directory");
    let path = root.path().join("app.tgz");
    let metadata: (&str, &[u8]) = ("app/Chart.yaml", b"name: app\nversion: 1.0.0\n");
    for (name, problem) in [
        (
            "app/../../etc/passwd",
            "chart illegally references parent directory",
        ),
        ("app//etc/passwd", "chart illegally contains absolute paths"),
        (
            "passwd",
            "chart illegally contains content outside the base directory",
        ),
    ] {
        fs::write(&path, package(&[metadata, (name, b"x")])).expect("file");
        let (kind, text) = error(&path);
        assert_eq!(
            (kind, text.contains(problem)),
            (ChartErrorKind::Escape, true),
            "{text}"
        );
    }
    let large = vec![0; 5 * 1024 * 1024];
    let files: Vec<_> = (0..21)
        .map(|index| (format!("app/{index}"), large.as_slice()))
        .collect();
    let mut entries: Vec<_> = files
        .iter()
        .map(|(name, data)| (name.as_str(), *data))
        .collect();
    entries.insert(0, metadata);
    fs::write(&path, package(&entries)).expect("file");
    let (kind, text) = error(&path);
    assert_eq!(
        (
            kind,
            text.contains("larger than the maximum size 104857600")
        ),
        (ChartErrorKind::Limit, true),
        "{text}"
    );
    let mut cut = package(&[metadata, ("app/a", &[1; 5000])]);
    cut.truncate(cut.len() / 2);
    fs::write(&path, cut).expect("file");
    assert_eq!(error(&path).0, ChartErrorKind::Content);
}

#[test]
fn duplicate_keys_are_as_lenient_as_helm() {
    let root = chart(&[("values.yaml", "traceParent: a\nx: 1\ntraceParent: b\n")]);
    let chart = Chart::load(root.path()).expect("chart");
    assert_eq!(chart.values()["traceParent"], "b");
    let document =
        stagelink_yaml::Document::parse(chart.values_yaml().expect("file")).expect("yaml");
    assert_eq!(document.duplicate_keys()[0].again.line, 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_archive_is_an_error_or_a_chart(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let package = package(&[("app/Chart.yaml", b"name: app\nversion: 1.0.0\n"), ("app/values.yaml", b"a: 1\n")]);
        let mut data = Vec::new();
        GzDecoder::new(package.as_slice()).read_to_end(&mut data).expect("archive");
        for (at, byte) in damage {
            let at = at.index(data.len());
            data[at] = byte;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&data).expect("archive");
        let root = tempfile::tempdir().expect("directory");
        write(root.path(), "app.tgz", encoder.finish().expect("archive"));
        let _ = Chart::load(root.path().join("app.tgz"));
    }

    #[test]
    fn any_content_is_an_error_or_a_chart(
        metadata in "(name: a\nversion: 1\n)?[-a-z:{}\\[\\] \n'*&]{0,40}",
        values in "[-a-z:{}\\[\\] \n'*&]{0,40}",
        name in "(templates|charts|crds)?/?[a-z./]{0,12}(.tgz|.yaml)?",
    ) {
        let file = |name: &str, text: &str| File { name: name.to_owned(), data: text.as_bytes().into() };
        let files = vec![file("Chart.yaml", &metadata), file("values.yaml", &values), file(&name, &values)];
        if let Ok(chart) = Chart::from_files(files) {
            prop_assert!(chart.values().is_object());
            let _ = ParsedChart::new(chart).render(&RenderInput::default());
        }
    }
}
