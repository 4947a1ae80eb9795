//! What holds for every input.

use proptest::prelude::*;
use stagelink_gotemplate::{FunctionTable, Limits, Templates, Value, strconv};

fn limits() -> Limits {
    Limits {
        steps: 100_000,
        output: 1 << 20,
        depth: 100,
    }
}

/// Pieces that templates are made of, so that random ones get past the lexer.
fn template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{{"),
        Just("}}"),
        Just("{{-"),
        Just("-}}"),
        Just(" "),
        Just("\n"),
        Just("."),
        Just("$"),
        Just("$x"),
        Just(":="),
        Just("="),
        Just("|"),
        Just("("),
        Just(")"),
        Just(".a"),
        Just("if"),
        Just("else"),
        Just("end"),
        Just("range"),
        Just("with"),
        Just("define"),
        Just("template"),
        Just("block"),
        Just("break"),
        Just("\"t\""),
        Just("`r`"),
        Just("'c'"),
        Just("1"),
        Just("0x"),
        Just("1e9"),
        Just("nil"),
        Just("true"),
        Just("printf"),
        Just("index"),
        Just("len"),
        Just("and"),
        Just("/*"),
        Just("*/"),
        Just(","),
        Just("é"),
        Just("%d"),
    ];
    // Whole actions, so that blocks close more often than by chance.
    let action = prop_oneof![
        Just("{{ range $x := .a }}"),
        Just("{{ with $x := .a }}"),
        Just("{{ if $x }}"),
        Just("{{ block \"b\" . }}"),
        Just("{{ define \"d\" }}"),
        Just("{{ else }}"),
        Just("{{ end }}"),
        Just("{{ end }}"),
        Just("{{ $x }}"),
        Just("{{ $x := 1 }}"),
        Just("{{ break }}"),
        Just("{{ template \"d\" $x }}"),
    ];
    let piece = prop_oneof![piece, action];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn attempt(source: &[u8]) {
    let mut templates = Templates::new("any", FunctionTable::builtin());
    if templates.parse("any", source).is_ok() {
        let data = Value::map([("a", Value::list(["b".into()]))]);
        // Only that it ends, and without a panic, is asked for.
        let _ = templates.execute("any", data, &limits());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_template_panics(source in template()) {
        attempt(source.as_bytes());
    }

    #[test]
    fn no_bytes_panic(source in proptest::collection::vec(any::<u8>(), 0..60)) {
        attempt(&source);
    }

    #[test]
    fn no_action_panics(source in "[a-z.$|() \"0-9=:,-]{0,30}") {
        attempt(format!("{{{{ {source} }}}}").as_bytes());
    }

    #[test]
    fn quotes_survive_the_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(strconv::unquote(strconv::quote(&bytes).as_bytes()), Some(bytes));
    }

    #[test]
    fn formats_never_panic(format in "[%a-zA-Z0-9.*+# \\[\\]-]{0,20}", number in any::<i64>(), float in any::<f64>()) {
        let values = [Value::Int(number), Value::Float(float), "é".into(), Value::Nil];
        stagelink_gotemplate::fmt::sprintf(format.as_bytes(), &values);
    }

    #[test]
    fn floats_survive_the_round_trip(float in any::<f64>().prop_filter("finite", |float| float.is_finite())) {
        prop_assert_eq!(strconv::parse_float(&strconv::format_float(float)), Some(float));
    }
}

#[test]
fn endless_recursion_is_an_error() {
    for source in [
        "{{ define \"r\" }}{{ template \"r\" . }}{{ end }}{{ template \"r\" . }}",
        "{{ range 1000000000 }}{{ range 1000000000 }}x{{ end }}{{ end }}",
    ] {
        let mut templates = Templates::new("endless", FunctionTable::builtin());
        templates.parse("endless", source).unwrap();
        let limits = Limits {
            steps: 1_000_000,
            ..Limits::default()
        };
        assert!(
            templates.execute("endless", Value::Nil, &limits).is_err(),
            "{source}"
        );
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    let source = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    let mut templates = Templates::new("deep", FunctionTable::builtin());
    let error = templates.parse("deep", source).unwrap_err();
    assert!(error.message.contains("nested deeper"), "{error}");
    let source = "{{ if 1 }}".repeat(100_000);
    assert!(templates.parse("deep", source).is_err());
}

#[test]
fn many_names_take_no_time_that_grows_with_their_square() {
    let variables: String = (0..100_000)
        .map(|number| format!("{{{{$v{number}:=1}}}}{{{{$v{number}}}}}"))
        .collect();
    let definitions: String = (0..100_000)
        .map(|number| format!("{{{{define \"t{number}\"}}}}x{{{{end}}}}"))
        .collect();
    for source in [variables, definitions] {
        let mut templates = Templates::new("many", FunctionTable::builtin());
        templates.parse("many", source).unwrap();
        templates
            .execute("many", Value::Nil, &Limits::default())
            .unwrap();
    }
    // The first variable is looked for behind all others.
    let mut source: String = (0..100_000)
        .map(|number| format!("{{{{$v{number}:=1}}}}"))
        .collect();
    source.push_str("{{ range 1000000 }}{{ $v0 }}{{ end }}");
    let mut templates = Templates::new("many", FunctionTable::builtin());
    templates.parse("many", source).unwrap();
    let limits = Limits {
        steps: 2_000_000,
        ..Limits::default()
    };
    assert!(templates.execute("many", Value::Nil, &limits).is_err());
}
