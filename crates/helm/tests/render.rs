//! What a user of the crate relies on beyond being Helm: seeds, Handlebars, errors, and parsing once.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use stagelink_helm::chart::File;
use stagelink_helm::{
    Capabilities, Chart, ParsedChart, Release, RenderError, RenderErrorKind, RenderInput, Rendered,
};

const CHART: (&str, &str) = (
    "Chart.yaml",
    "apiVersion: v2\nname: c\nversion: 1.2.3\nappVersion: v9\n",
);

fn chart(files: &[(&str, &str)]) -> ParsedChart {
    let files = [CHART].iter().chain(files).map(|(name, text)| File {
        name: (*name).to_owned(),
        data: text.as_bytes().into(),
    });
    ParsedChart::new(Chart::from_files(files.collect()).unwrap())
}

fn render(files: &[(&str, &str)], input: &RenderInput) -> Result<Rendered, RenderError> {
    chart(files).render(input)
}

fn seeded(seed: &str, application: &str) -> RenderInput {
    RenderInput {
        seed: Some(seed.as_bytes().to_vec()),
        application: application.to_owned(),
        ..RenderInput::default()
    }
}

#[test]
fn a_seed_makes_random_texts_stable_and_tells_applications_and_templates_apart() {
    let template = "a: {{ randAlphaNum 24 }}\nb: {{ randAlphaNum 24 }}\nc: {{ uuidv4 }}\nd: {{ randInt 0 1000000 }}\ne: {{ shuffle \"abcdefghijkl\" }}\n";
    let files = [
        ("templates/a.yaml", template),
        ("templates/b.yaml", template),
    ];
    let texts = |input: &RenderInput| {
        let rendered = render(&files, input).unwrap();
        assert_eq!(rendered.is_reproducible, input.seed.is_some());
        rendered
            .manifests
            .iter()
            .map(|manifest| manifest.text.clone())
            .collect::<Vec<_>>()
    };
    let first = texts(&seeded("secret", "shop"));
    assert_eq!(first, texts(&seeded("secret", "shop")));
    assert_ne!(first[0], first[1], "templates");
    assert!(
        first[0]
            .lines()
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            == 5
    );
    assert_ne!(first, texts(&seeded("other", "shop")));
    assert_ne!(first, texts(&seeded("secret", "other")));
    assert_ne!(
        texts(&RenderInput::default()),
        texts(&RenderInput::default())
    );
    // A second render of the same parsed chart begins anew.
    let parsed = chart(&files);
    let input = seeded("secret", "shop");
    assert_eq!(
        parsed.render(&input).unwrap().to_yaml(),
        parsed.render(&input).unwrap().to_yaml()
    );
}

#[test]
fn the_clock_makes_a_render_unreproducible() {
    let rendered = render(
        &[("templates/a.yaml", "a: {{ now | unixEpoch | quote }}")],
        &RenderInput::default(),
    )
    .unwrap();
    assert!(!rendered.is_reproducible);
    let seconds: u64 = rendered.manifests[0].document()["a"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(seconds > 1_700_000_000);
    let rendered = render(
        &[("templates/a.yaml", "a: {{ date \"2006\" 0 | quote }}")],
        &RenderInput::default(),
    )
    .unwrap();
    assert!(rendered.is_reproducible);
    assert_eq!(rendered.manifests[0].document()["a"], "1970");
}

#[test]
fn go_templates_and_handlebars_mix_in_one_chart() {
    let files = [
        (
            "values.yaml",
            "name: <web>\nports: [80, 443]\nresources: {limits: {cpu: 1}}\n",
        ),
        (
            "templates/_labels.hbs",
            "app: {{Chart.Name}}-{{Chart.AppVersion}}\n",
        ),
        (
            "templates/deployment.yaml.hbs",
            "kind: Deployment\nmetadata:\n  name: {{Release.Name}}\n  labels:\n    {{> labels}}\nspec:\n  name: \"{{Values.name}}\"\n  \
             ports:\n{{#each Values.ports}}\n  - {{this}}\n{{/each}}\n  resources: {{json Values.resources}}\n  minor: \"{{Capabilities.KubeVersion.Minor}}\"\n\
             {{#if traceParent}}\n  trace: {{traceParent}}\n{{/if}}\n  commit: \"{{revision}}\"\n",
        ),
        (
            "templates/service.yaml",
            "kind: Service\nmetadata: {name: {{ .Release.Name }}}\n",
        ),
    ];
    let input = RenderInput {
        revision: "abc123".to_owned(),
        trace_parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
        ..RenderInput::default()
    };
    let rendered = render(&files, &input).unwrap();
    let kinds: Vec<&str> = rendered
        .manifests
        .iter()
        .map(|manifest| manifest.kind.as_str())
        .collect();
    assert_eq!(kinds, ["Service", "Deployment"], "order of installation");
    let deployment = &rendered.manifests[1];
    assert_eq!(deployment.source, "c/templates/deployment.yaml.hbs");
    assert_eq!(
        *deployment.document(),
        serde_json::json!({
            "kind": "Deployment",
            "metadata": {"name": "release-name", "labels": {"app": "c-v9"}},
            "spec": {
                "name": "<web>", "ports": [80, 443], "resources": {"limits": {"cpu": 1}}, "minor": "37",
                "trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "commit": "abc123",
            },
        })
    );
    // Without a trace parent the block is left out, and nothing fails.
    let rendered = render(&files, &RenderInput::default()).unwrap();
    assert!(
        rendered.manifests[1].document()["spec"]
            .get("trace")
            .is_none()
    );
}

#[test]
fn handlebars_errors_name_file_line_and_variable() {
    let error = render(
        &[("templates/a.yaml.hbs", "a: 1\nb: {{Values.missing.deep}}\n")],
        &RenderInput::default(),
    )
    .unwrap_err();
    let said = error.to_string();
    assert!(
        said.starts_with("c/templates/a.yaml.hbs:2:4: the variable Values.missing.deep is not set"),
        "{said}"
    );
}

#[test]
fn parsing_happens_once_and_renders_do_not_see_each_other() {
    let parsed = chart(&[
        ("values.yaml", "list: [a]\nmap: {k: v}\n"),
        (
            "templates/a.yaml",
            "{{- $_ := set .Values.map \"k\" \"changed\" }}{{ $_ := set .Values \"new\" true }}\na: {{ .Release.Revision }}\n",
        ),
        (
            "templates/b.yaml",
            "b: {{ .Values.map.k }} {{ hasKey .Values \"new\" }}\n",
        ),
    ]);
    let user = stagelink_helm::values::from_json(&serde_json::json!({"map": {"own": 1}}));
    let input = |revision| RenderInput {
        values: user.as_map().cloned(),
        release: Release {
            revision,
            ..Release::default()
        },
        ..RenderInput::default()
    };
    let first = parsed.render(&input(1)).unwrap();
    let second = parsed.render(&input(2)).unwrap();
    assert_eq!(
        first.manifests[1].text, "b: v false\n",
        "b.yaml runs before a.yaml, as in Helm"
    );
    assert_eq!(first.manifests[1].text, second.manifests[1].text);
    assert_eq!(
        (
            first.manifests[0].text.as_str(),
            second.manifests[0].text.as_str()
        ),
        ("a: 1\n", "a: 2\n")
    );
}

#[test]
fn errors_are_one_line_with_place_and_advice_and_have_the_words_of_helm_behind_them() {
    for (files, kind, said, helm) in [
        (
            vec![(
                "templates/a.yaml",
                "a: 1\nb: {{ required \"the port\\n  is needed\" .Values.port }}",
            )],
            RenderErrorKind::Refused,
            "c/templates/a.yaml:2:6: the port is needed; change the values as the message says",
            "execution error at (c/templates/a.yaml:2:6): the port\n  is needed",
        ),
        (
            vec![
                (
                    "templates/_h.tpl",
                    "{{ define \"h\" }}\n{{ .Values.a.b }}{{ end }}",
                ),
                ("templates/a.yaml", "{{ include \"h\" . }}"),
            ],
            RenderErrorKind::Execution,
            "c/templates/_h.tpl:2:10: nil pointer evaluating interface {}.b; set the value it needs, or correct the template",
            "c/templates/a.yaml:1:3\n  executing \"c/templates/a.yaml\" at <include \"h\" .>:\n    error calling include:\nc/templates/_h.tpl:2:10\n  \
             executing \"h\" at <.Values.a.b>:\n    nil pointer evaluating interface {}.b",
        ),
        (
            vec![("templates/a.yaml", "{{ tpl \"{{ .Values.a.b }}\" . }}")],
            RenderErrorKind::Execution,
            "c/templates/a.yaml:1:3: in a text passed to tpl: nil pointer evaluating interface {}.b; set the value it needs, or correct the template",
            "template: c/templates/a.yaml:1:3: executing \"c/templates/a.yaml\" at <tpl \"{{ .Values.a.b }}\" .>: error calling tpl: error during tpl \
             function execution for \"{{ .Values.a.b }}\": template: gotpl:1:10: executing \"gotpl\" at <.Values.a.b>: nil pointer evaluating interface {}.b",
        ),
        (
            vec![("templates/a.yaml", "a: {{ .Values.a\n")],
            RenderErrorKind::Syntax,
            "c/templates/a.yaml:2: unclosed action started at c/templates/a.yaml:1; correct the template",
            "parse error at (c/templates/a.yaml:2): unclosed action started at c/templates/a.yaml:1",
        ),
        (
            vec![("templates/a.yaml", "a: {{ genCA \"ca\" 365 }}")],
            RenderErrorKind::Unsupported,
            "c/templates/a.yaml:1:6: function \"genCA\" is not supported by Stagelink yet; set values with which the chart does without it",
            "template: c/templates/a.yaml:1:6: executing \"c/templates/a.yaml\" at <genCA \"ca\" 365>: error calling genCA: function \"genCA\" is not \
             supported by Stagelink yet",
        ),
    ] {
        let error = render(&files, &RenderInput::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.to_string(), said);
        assert_eq!(error.helm_text(), Some(helm));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), helm);
    }
}

#[test]
fn what_helm_checks_first_is_checked_first() {
    let release = |name: &str| RenderInput {
        release: Release {
            name: name.to_owned(),
            ..Release::default()
        },
        ..RenderInput::default()
    };
    for name in ["", "Web", "-a", "a_b", "a..b", &"x".repeat(54)] {
        let error = render(&[], &release(name)).unwrap_err();
        assert!(
            error.to_string().contains("release name"),
            "{name}: {error}"
        );
    }
    assert!(render(&[], &release("a.b-c")).is_ok());

    let load = |text: &str| {
        let file = File {
            name: "Chart.yaml".to_owned(),
            data: text.as_bytes().into(),
        };
        ParsedChart::new(Chart::from_files(vec![file]).unwrap())
    };
    let library = load("apiVersion: v2\nname: l\nversion: 1.0.0\ntype: library\n")
        .render(&RenderInput::default())
        .unwrap_err();
    assert_eq!(
        library.helm_text(),
        Some("library charts are not installable")
    );

    let picky = load("apiVersion: v2\nname: p\nversion: 1.0.0\nkubeVersion: '>= 1.30'\n");
    let on = |version: &str| RenderInput {
        capabilities: Capabilities::new(Some(version), []).unwrap(),
        ..RenderInput::default()
    };
    assert!(picky.render(&on("v1.31.2-gke.5")).is_ok());
    assert_eq!(
        picky.render(&on("1.29.3")).unwrap_err().helm_text(),
        Some("chart requires kubeVersion: >= 1.30 which is incompatible with Kubernetes v1.29.3")
    );

    let incomplete =
        load("apiVersion: v2\nname: p\nversion: 1.0.0\ndependencies: [{name: db, version: 1.x}]\n");
    let error = incomplete.render(&RenderInput::default()).unwrap_err();
    assert!(
        error.to_string().contains("charts/") && error.to_string().contains("db"),
        "{error}"
    );
}

#[test]
fn time_zones_that_are_not_there_are_refused_and_not_silently_utc() {
    let error = render(
        &[(
            "templates/a.yaml",
            "a: {{ dateInZone \"15:04\" 0 \"Europe/Berlin\" }}",
        )],
        &RenderInput::default(),
    )
    .unwrap_err();
    assert_eq!(error.kind(), RenderErrorKind::Unsupported);
    assert!(error.to_string().contains("Europe/Berlin"), "{error}");
}
