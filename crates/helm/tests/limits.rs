//! Templates are code from strangers: whatever they try to use up, the render ends with a clear error.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use stagelink_helm::chart::File;
use stagelink_helm::{Chart, Limits, ParsedChart, RenderError, RenderErrorKind, RenderInput};

fn render(template: &str) -> Result<String, RenderError> {
    let file = |name: &str, text: &str| File {
        name: name.to_owned(),
        data: text.as_bytes().into(),
    };
    let chart = Chart::from_files(vec![
        file("Chart.yaml", "name: c\nversion: 1.0.0\n"),
        file("templates/NOTES.txt", template),
    ]);
    let limits = Limits {
        steps: 2_000_000,
        output: 16 << 20,
        ..Limits::default()
    };
    let input = RenderInput {
        limits,
        ..RenderInput::default()
    };
    ParsedChart::new(chart.unwrap())
        .render(&input)
        .map(|rendered| rendered.notes)
}

#[test]
fn what_would_fill_the_memory_is_refused() {
    let mut wrong = Vec::new();
    for template in [
        r#"{{ repeat 1000000000 "x" }}"#,
        r#"{{ until 1000000000 }}"#,
        r#"{{ untilStep 0 9223372036854775807 1 }}"#,
        r#"{{ seq 1 1000000000 }}"#,
        r#"{{ indent 1000000000 "x" }}"#,
        r#"{{ nindent 100000 (repeat 100000 "\n") }}"#,
        r#"{{ randAlphaNum 1000000000 }}"#,
        r#"{{ randBytes 1000000000 }}"#,
        r#"{{ replace "" (repeat 100000 "x") (repeat 100000 "y") }}"#,
        r#"{{ regexReplaceAll "" (repeat 100000 "y") (repeat 100000 "x") }}"#,
        r#"{{ join (repeat 100000 "x") (until 100000) }}"#,
        r#"{{ wrapWith 1 (repeat 100000 "x") (repeat 100000 "y") }}"#,
        r#"{{ $s := "x" }}{{ range until 64 }}{{ $s = printf "%s%s" $s $s }}{{ end }}"#,
        r#"{{ $s := "x" }}{{ range until 64 }}{{ $s = cat $s $s }}{{ end }}"#,
        r#"{{ $s := "x" }}{{ range until 64 }}{{ $s = print $s $s }}{{ end }}"#,
        r#"{{ $s := "x" }}{{ range until 64 }}{{ $s = quote $s $s }}{{ end }}"#,
        r#"{{ $l := list 1 }}{{ range until 64 }}{{ $l = concat $l $l }}{{ end }}"#,
        r#"{{ $l := list 1 }}{{ range until 64 }}{{ $l = list $l $l }}{{ end }}{{ $l }}"#,
        r#"{{ $l := list 1 }}{{ range until 64 }}{{ $l = list $l $l }}{{ end }}{{ toYaml $l }}"#,
        r#"{{ $l := list 1 }}{{ range until 64 }}{{ $l = list $l $l }}{{ end }}{{ mustToJson $l }}"#,
        r#"{{ $l := list 1 }}{{ range until 64 }}{{ $l = list $l $l }}{{ end }}{{ deepCopy $l }}"#,
        r#"{{ $a := dict "x" 1 }}{{ $b := dict "x" 1 }}{{ range until 64 }}{{ $a = dict "l" $a "r" $a }}{{ $b = dict "l" $b "r" $b }}{{ end }}{{ merge $a $b }}"#,
        r#"{{ uniq (until 1000000) }}"#,
        r#"{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ deepCopy $d }}"#,
        r#"{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ mustToYaml $d }}"#,
        r#"{{ range until 1000 }}{{ repeat 1000000 "x" }}{{ end }}"#,
    ] {
        match render(template) {
            Ok(notes) => wrong.push(format!("{template}: {} bytes", notes.len())),
            Err(error) if error.kind() == RenderErrorKind::Budget => {}
            Err(error) => wrong.push(format!("{template}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_would_never_end_is_refused() {
    let mut wrong = Vec::new();
    for template in [
        r#"{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}"#,
        r#"{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"#,
        r#"{{ define "a" }}{{ tpl "{{ include \"a\" . }}" . }}{{ end }}{{ include "a" . }}"#,
        r#"{{ $t := "{{ tpl .t . }}" }}{{ tpl $t (dict "t" $t) }}"#,
        r#"{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}"#,
        r#"{{ range until 100000 }}{{ range until 100000 }}{{ $x := 1 }}{{ end }}{{ end }}"#,
        r#"{{ range until 100000 }}{{ $x := until 100000 }}{{ end }}"#,
        r#"{{ range until 100000 }}{{ $x := sha256sum (repeat 1000000 "x") }}{{ end }}"#,
        r#"{{ define "a" }}{{ include "b" . }}{{ include "b" . }}{{ end }}{{ define "b" }}{{ include "a" . }}{{ end }}{{ include "a" . }}"#,
    ] {
        match render(template) {
            Ok(notes) => wrong.push(format!("{template}: {} bytes", notes.len())),
            Err(error) if error.kind() == RenderErrorKind::Budget => {}
            Err(error) => wrong.push(format!("{template}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn deep_values_do_not_break_the_stack() {
    for template in [
        r#"{{ $l := list }}{{ range until 500000 }}{{ $l = list $l }}{{ end }}done"#,
        r#"{{ $l := dict }}{{ range until 500000 }}{{ $l = dict "a" $l }}{{ end }}done"#,
        r#"{{ $a := list }}{{ $b := list }}{{ range until 100000 }}{{ $a = list $a }}{{ $b = list $b }}{{ end }}{{ $_ := deepEqual $a $b }}done"#,
        r#"{{ $a := list 1 }}{{ $b := list 1 }}{{ range until 64 }}{{ $a = list $a $a }}{{ $b = list $b $b }}{{ end }}{{ $_ := deepEqual $a $b }}done"#,
        r#"{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ $e := dict }}{{ $_ := set $e "d" $e }}{{ $_ := deepEqual $d $e }}done"#,
        r#"{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ $_ := printf "%v" $d }}done"#,
        r#"{{ $x := regexMatch "(((((((((((a{10}){10}){10})))))))))" "a" }}done"#,
        r#"{{ $x := fromJson (repeat 100000 "[") }}{{ $x = fromYaml (repeat 100000 "[") }}done"#,
    ] {
        match render(template) {
            Ok(notes) => assert_eq!(notes, "done", "{template}"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let nested = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(render(&nested).is_err());
    let blocks = format!(
        "{}{}",
        "{{ if true }}".repeat(100_000),
        "{{ end }}".repeat(100_000)
    );
    assert!(render(&blocks).is_err());
}
