//! Editing a values file: what changes, what stays, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail as tests do"
)]

use proptest::prelude::*;
use serde_json::{Value, json};
use stagelink_promotion::KeyPath;
use stagelink_promotion::edit::{Change, EditError, edit, values_at};

fn text(path: &str, value: &str) -> Change {
    Change::text(path.parse().unwrap(), value)
}

/// A change to the value that the YAML text stands for.
fn yaml(path: &str, value: &str) -> Change {
    let source = format!("x: {value}");
    let mut change = values_at(&source, &"x".parse().unwrap()).unwrap().remove(0);
    change.path = path.parse().unwrap();
    change
}

fn read(text: &str) -> Value {
    stagelink_yaml::to_json(text).unwrap()
}

#[test]
fn only_the_value_changes() {
    for (what, before, change, after) in [
        ("plain", "a: v1\nb: 2\n", text("a", "v2"), "a: v2\nb: 2\n"),
        (
            "no line break at the end",
            "a: v1",
            text("a", "v2"),
            "a: v2",
        ),
        (
            "double quotes",
            "a: \"v1\" # why\n",
            text("a", "v2"),
            "a: \"v2\" # why\n",
        ),
        (
            "single quotes",
            "a: 'v1'   # why\n",
            text("a", "it's"),
            "a: 'it''s'   # why\n",
        ),
        (
            "comments, spaces and empty lines",
            "# top\n\na:   v1   # c\n\n  # odd\nb:  1 \n",
            text("a", "v2"),
            "# top\n\na:   v2   # c\n\n  # odd\nb:  1 \n",
        ),
        (
            "CRLF",
            "a: v1\r\nb: w\r\n",
            text("b", "x"),
            "a: v1\r\nb: x\r\n",
        ),
        (
            "byte order mark",
            "\u{feff}a: v1\n",
            text("a", "v2"),
            "\u{feff}a: v2\n",
        ),
        (
            "before it more than ASCII",
            "ü: ö # ä\na: v1 # ß\n",
            text("a", "v2"),
            "ü: ö # ä\na: v2 # ß\n",
        ),
        (
            "document markers",
            "---\na: v1\n...\n",
            text("a", "v2"),
            "---\na: v2\n...\n",
        ),
        (
            "directive",
            "%YAML 1.1\n---\na: v1\n",
            text("a", "v2"),
            "%YAML 1.1\n---\na: v2\n",
        ),
        (
            "nested",
            "image:\n    tag: v1\n    name: x\n",
            text("image.tag", "v2"),
            "image:\n    tag: v2\n    name: x\n",
        ),
        (
            "quoted key",
            "'a.b':\n  \"c\": v1\n",
            text("'a.b'.c", "v2"),
            "'a.b':\n  \"c\": v2\n",
        ),
        (
            "flow map",
            "image: {name: x, tag: v1} # c\n",
            text("image.tag", "v2"),
            "image: {name: x, tag: v2} # c\n",
        ),
        (
            "flow map without a space",
            "image: {\"tag\":\"v1\"}\n",
            text("image.tag", "v2"),
            "image: {\"tag\":\"v2\"}\n",
        ),
        (
            "flow map over lines",
            "image: {\n  name: x, # n\n  tag: v1, # t\n}\n",
            text("image.tag", "v2"),
            "image: {\n  name: x, # n\n  tag: v2, # t\n}\n",
        ),
        (
            "flow map with just a key",
            "m: {a, b: 1}\n",
            text("m.a", "v2"),
            "m: {a: v2, b: 1}\n",
        ),
        (
            "list item",
            "list:\n- name: x\n  tag: v1\n- tag: v1\n",
            text("list[1].tag", "v2"),
            "list:\n- name: x\n  tag: v1\n- tag: v2\n",
        ),
        (
            "flow list item",
            "list: [v1, v1]\n",
            text("list[1]", "v2"),
            "list: [v1, v2]\n",
        ),
        (
            "empty value",
            "a:\nb: 1\n",
            text("a", "v2"),
            "a: v2\nb: 1\n",
        ),
        (
            "empty value with a comment",
            "a: # none yet\nb: 1\n",
            text("a", "v2"),
            "a: v2 # none yet\nb: 1\n",
        ),
        (
            "empty value at the end",
            "b: 1\na:",
            text("a", "v2"),
            "b: 1\na: v2",
        ),
        ("null", "a: ~ # c\n", text("a", "v2"), "a: v2 # c\n"),
        ("empty text", "a: \"\"\n", text("a", "v2"), "a: \"v2\"\n"),
        (
            "literal block",
            "a: |\n  v1\n  more\n\nb: 1\n",
            text("a", "v2"),
            "a: v2\n\nb: 1\n",
        ),
        (
            "folded block with a comment",
            "a: >- # why\n  v1\n  more\nb: 1\n",
            text("a", "v2"),
            "a: v2 # why\nb: 1\n",
        ),
        (
            "block with kept lines",
            "a: |+\n  v1\n\n\nb: 1\n",
            text("a", "v2"),
            "a: v2\n\n\nb: 1\n",
        ),
        (
            "plain over lines",
            "a: v1\n  more\nb: 1\n",
            text("a", "v2"),
            "a: v2\nb: 1\n",
        ),
        (
            "quoted over lines",
            "a: \"v1\n  more\" # c\nb: 1\n",
            text("a", "v2"),
            "a: \"v2\" # c\nb: 1\n",
        ),
        ("to a number", "a: v1\n", yaml("a", "1.10"), "a: 1.10\n"),
        (
            "a number out of quotes",
            "a: \"1.1\"\n",
            yaml("a", "1.10"),
            "a: 1.10\n",
        ),
        (
            "to a text that looks like a number",
            "a: 1.1 # c\n",
            text("a", "1.10"),
            "a: \"1.10\" # c\n",
        ),
        (
            "to a text that looks like true",
            "a: v1\n",
            text("a", "yes"),
            "a: \"yes\"\n",
        ),
        (
            "to a text that looks like nothing",
            "a: v1\n",
            text("a", "~"),
            "a: \"~\"\n",
        ),
        (
            "to a date, which is a text for Helm",
            "a: v1\n",
            text("a", "2026-11-23"),
            "a: 2026-11-23\n",
        ),
        ("to an empty text", "a: v1\n", text("a", ""), "a: \"\"\n"),
        (
            "to a text with a comment in it",
            "a: v1\n",
            text("a", "v #2"),
            "a: \"v #2\"\n",
        ),
        (
            "to a text with a map in it",
            "a: v1\n",
            text("a", "b: c"),
            "a: \"b: c\"\n",
        ),
        (
            "to more than one line",
            "a: v1\n",
            text("a", "x\nb: 2\n"),
            "a: \"x\\nb: 2\\n\"\n",
        ),
        (
            "to what flow maps end with",
            "a: {b: v1}\n",
            text("a.b", "x}, c: {"),
            "a: {b: \"x}, c: {\"}\n",
        ),
        (
            "to a control character",
            "a: v1\n",
            text("a", "\u{7}é"),
            "a: \"\\x07é\"\n",
        ),
        (
            "to true",
            "a: false # c\n",
            yaml("a", "true"),
            "a: true # c\n",
        ),
        ("to null", "a: v1\n", yaml("a", "~"), "a: ~\n"),
        ("octal", "a: 1\n", yaml("a", "0644"), "a: 0644\n"),
        (
            "a tag that fits",
            "a: !!str v1\n",
            text("a", "1"),
            "a: !!str 1\n",
        ),
        (
            "a tag that does not fit",
            "a: !!str v1\n",
            yaml("a", "1"),
            "a: 1\n",
        ),
        (
            "an anchor that nothing uses",
            "a: &a v1\nb: 1\n",
            text("a", "v2"),
            "a: &a v2\nb: 1\n",
        ),
        (
            "an alias",
            "a: &a v1\nb: *a # c\n",
            text("b", "v2"),
            "a: &a v1\nb: v2 # c\n",
        ),
        (
            "a value over a merged one",
            "d: &d\n  t: v1\na:\n  <<: *d\n  u: 1\n",
            text("a.t", "v2"),
            "d: &d\n  t: v1\na:\n  <<: *d\n  u: 1\n  t: v2\n",
        ),
        (
            "templates for other tools",
            "a: v1 # {{ x }}\nb: '{{ .Values.x }}'\n",
            text("a", "v2"),
            "a: v2 # {{ x }}\nb: '{{ .Values.x }}'\n",
        ),
    ] {
        let edited = edit(before, std::slice::from_ref(&change))
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(edited.text, after, "{what}");
        assert_eq!(edited.changes.len(), 1, "{what}");
        assert_eq!(edited.changes[0].key, change.path.to_string());
        let again = edit(after, std::slice::from_ref(&change)).unwrap();
        assert_eq!(
            (again.text.as_str(), again.changes.len()),
            (after, 0),
            "{what}, a second time"
        );
    }
}

#[test]
fn a_missing_key_is_added_to_its_map() {
    for (what, before, path, after) in [
        ("empty file", "", "a", "a: v2\n"),
        ("only a byte order mark", "\u{feff}", "a", "\u{feff}a: v2\n"),
        ("only comments", "# c\n", "a", "# c\na: v2\n"),
        (
            "only a comment without a line break",
            "# c",
            "a",
            "# c\na: v2\n",
        ),
        ("only a document marker", "---\n", "a", "---\na: v2\n"),
        ("at the end", "a: 1\n", "b", "a: 1\nb: v2\n"),
        (
            "at the end without a line break",
            "a: 1",
            "b",
            "a: 1\nb: v2",
        ),
        ("CRLF", "a: 1\r\n", "b", "a: 1\r\nb: v2\r\n"),
        (
            "CRLF without a line break at the end",
            "x: 1\r\na: 1",
            "b",
            "x: 1\r\na: 1\r\nb: v2",
        ),
        (
            "behind a comment on the last line",
            "a: 1 # c\n# end\n",
            "b",
            "a: 1 # c\nb: v2\n# end\n",
        ),
        (
            "after a map",
            "a:\n  x: 1\n\n# end\n",
            "b",
            "a:\n  x: 1\nb: v2\n\n# end\n",
        ),
        (
            "before the end of the document",
            "a: 1\n...\n",
            "b",
            "a: 1\nb: v2\n...\n",
        ),
        (
            "nested",
            "a:\n    x: 1\nb: 1\n",
            "a.k",
            "a:\n    x: 1\n    k: v2\nb: 1\n",
        ),
        (
            "nested, and its map too",
            "a:\n    x: 1\n",
            "b.c.d",
            "a:\n    x: 1\nb:\n    c:\n        d: v2\n",
        ),
        (
            "in a list item",
            "l:\n  - x: 1\n  - z: 1\n",
            "l[0].k",
            "l:\n  - x: 1\n    k: v2\n  - z: 1\n",
        ),
        ("flow map", "a: {x: 1}\n", "a.k", "a: {x: 1, k: v2}\n"),
        (
            "flow map, nested",
            "a: {x: 1}\n",
            "a.k.z",
            "a: {x: 1, k: {z: v2}}\n",
        ),
        (
            "flow map with a comma at the end",
            "a: {x: 1,}\n",
            "a.k",
            "a: {x: 1, k: v2,}\n",
        ),
        ("empty flow map", "a: {} # c\n", "a.k", "a: {k: v2} # c\n"),
        ("the whole file a flow map", "{}\n", "a", "{a: v2}\n"),
        (
            "JSON",
            "{\"a\": {\"x\": 1}}\n",
            "a.k",
            "{\"a\": {\"x\": 1, k: v2}}\n",
        ),
        (
            "a map with nothing behind it",
            "a: # c\nb: 1\n",
            "a.k",
            "a: # c\n  k: v2\nb: 1\n",
        ),
        (
            "a map that is null",
            "a: null\n",
            "a.k.z",
            "a: {k: {z: v2}}\n",
        ),
        (
            "after a literal block",
            "a: |\n  x\n\n\n# c\n",
            "b",
            "a: |\n  x\nb: v2\n\n\n# c\n",
        ),
        (
            "after a block with kept lines",
            "a: |+\n  x\n\n",
            "b",
            "a: |+\n  x\n\nb: v2\n",
        ),
        (
            "a key that needs quotes",
            "a: 1\n",
            "'b: c'",
            "a: 1\n\"b: c\": v2\n",
        ),
        (
            "a key that looks like true",
            "a: 1\n",
            "on",
            "a: 1\n\"on\": v2\n",
        ),
    ] {
        let edited =
            edit(before, &[text(path, "v2")]).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(edited.text, after, "{what}");
        assert_eq!(edited.changes[0].from, "", "{what}");
    }
}

#[test]
fn of_duplicates_the_last_is_set_and_the_others_go() {
    for (before, path, after) in [
        (
            "traceParent: x # 1\na: 1\ntraceParent: y # 2\n",
            "traceParent",
            "a: 1\ntraceParent: v2 # 2\n",
        ),
        ("t: x\n# c\nt: y\nt: z\n", "t", "# c\nt: v2\n"),
        ("\u{feff}t: x\nt: y\n", "t", "\u{feff}t: v2\n"),
        (
            "m:\n  t:\n    u: 1\n    # c\n  t: y\n",
            "m.t",
            "m:\n    # c\n  t: v2\n",
        ),
        ("t: |\n  x\n\nt: y\n", "t", "\nt: v2\n"),
        ("m: {t: x, a: 1, t: y}\n", "m.t", "m: {a: 1, t: v2}\n"),
        ("l:\n- t: x\n  t: y\n", "l[0].t", "l:\n- t: v2\n"),
        ("m:\n  a: 1\nm:\n  t: 1\n", "m.t", "m:\n  t: v2\n"),
    ] {
        let edited =
            edit(before, &[text(path, "v2")]).unwrap_or_else(|error| panic!("{before:?}: {error}"));
        assert_eq!(edited.text, after, "{before:?}");
        assert!(
            edited.notes[0].starts_with("removed a duplicate of "),
            "{:?}",
            edited.notes
        );
    }
    // What is as it should be is not tidied up.
    let same = edit("t: x\nt: v2\n", &[text("t", "v2")]).unwrap();
    assert_eq!(
        (same.text.as_str(), same.changes.len()),
        ("t: x\nt: v2\n", 0)
    );
}

#[test]
fn several_keys_are_set_one_after_the_other() {
    let changes = [
        text("a", "1a"),
        text("m.x", "2"),
        text("m.z", "o"),
        text("a", "1a"),
    ];
    let edited = edit("# c\na: 0 # a\n", &changes).unwrap();
    assert_eq!(edited.text, "# c\na: 1a # a\nm:\n  x: \"2\"\n  z: o\n");
    assert_eq!(edited.changes.len(), 3);
    // An anchor and what uses it can be set together.
    let both = edit("a: &v v1\nb: *v\n", &[text("b", "v2"), text("a", "v2")]).unwrap();
    assert_eq!(both.text, "a: &v v2\nb: v2\n");
}

#[test]
fn what_cannot_be_edited_says_why() {
    let deep = format!("a: {}{}", "[".repeat(150), "]".repeat(150));
    let wide = "x".repeat(6 * 1024 * 1024);
    for (before, path, expected) in [
        ("a: [", "a", "line "),
        ("a: b: c\n", "a", "mapping values are not allowed"),
        ("a: 1\n---\nb: 1\n", "a", "line 2: a second YAML document"),
        ("- a\n", "a", "line 1: a values file is a map"),
        ("just text\n", "a", "line 1: a values file is a map"),
        (
            "x: 1\na:\n  b: 1\n",
            "a",
            "line 3: a is a map, and is not replaced by a value",
        ),
        (
            "a: [1]\n",
            "a",
            "line 1: a is a list, and is not replaced by a value",
        ),
        (
            "a: v1\n",
            "a.b",
            "line 1: a is a single value, and is not replaced by a map",
        ),
        (
            "a: [1]\n",
            "a.b",
            "line 1: a is a list, and is not replaced by a map",
        ),
        ("a: [1]\n", "a[1]", "a[1] does not exist"),
        ("a: 1\n", "b[0]", "b[0] does not exist"),
        ("d: &d {t: 1}\na: *d\n", "a.t", "line 2: a is an alias"),
        (
            "a: &v v1\nb: *v\n",
            "a",
            "a cannot be set without changing other values (the file has anchors",
        ),
        (
            "t: &v x\nt: y\nb: *v\n",
            "t",
            "t cannot be set without changing other values",
        ),
        (deep.as_str(), "a", "100 deep"),
        (wide.as_str(), "a", "larger than 5 MiB"),
    ] {
        let error = edit(before, &[text(path, "v2")]).unwrap_err().to_string();
        assert!(error.contains(expected), "{:.40?} {path}: {error}", before);
        assert_eq!(error.lines().count(), 1);
    }
    let twice = edit("a: 1\n", &[text("a", "x"), text("a", "y")]).unwrap_err();
    assert!(matches!(twice, EditError::SetTwice { .. }), "{twice}");
}

#[test]
fn values_are_read_with_their_types() {
    let source =
        "s: &s '1.10'\nnum: 1.10\nm:\n  <<: {z: 1}\n  a: *s\n  b: on\ne: {}\nl: [1]\nu: ~\n";
    let at = |path: &str| values_at(source, &path.parse().unwrap());
    assert_eq!(at("s").unwrap()[0].value.value(), &json!("1.10"));
    assert_eq!(at("num").unwrap()[0].value.value(), &json!(1.1));
    assert_eq!(at("l[0]").unwrap()[0].value.value(), &json!(1));
    assert_eq!(at("u").unwrap()[0].value.value(), &json!(null));
    let map: Vec<(String, Value)> = at("m")
        .unwrap()
        .iter()
        .map(|change| (change.path.to_string(), change.value.value().clone()))
        .collect();
    assert_eq!(
        map,
        [
            ("m.a".into(), json!("1.10")),
            ("m.b".into(), json!(true)),
            ("m.z".into(), json!(1))
        ]
    );
    assert!(matches!(at("x"), Err(EditError::Missing { .. })));
    assert!(matches!(at("s.x"), Err(EditError::Missing { .. })));
    assert!(matches!(
        at("l"),
        Err(EditError::NotCarried { what: "a list", .. })
    ));
    assert!(matches!(
        at("e"),
        Err(EditError::NotCarried {
            what: "an empty map",
            ..
        })
    ));
}

/// Lines of a values file in which the keys `a`, `b.c` and `d` may be there or not.
fn lines() -> impl Strategy<Value = (String, bool)> {
    let scalar = prop_oneof![
        "[a-z0-9.]{1,6}",
        "\"[a-z #:]{0,6}\"",
        "'[a-z #:]{0,6}'",
        Just(String::new()),
        Just("~".to_owned()),
        Just("|\n    x\n    # no comment".to_owned()),
        Just(">-\n    x\n".to_owned()),
        Just("1.10".to_owned()),
    ];
    let comment = prop_oneof![
        Just(String::new()),
        Just(" # é".to_owned()),
        Just("   ".to_owned())
    ];
    let plain = |value: &str| !value.contains('\n');
    let line = (
        prop_oneof!["a", "d", "x[0-9]", "\"y[0-9]\""],
        scalar.clone(),
        comment,
    )
        .prop_map(move |(key, value, comment)| {
            let comment = if plain(&value) {
                comment
            } else {
                String::new()
            };
            format!("{key}: {value}{comment}\n")
        });
    let block =
        (scalar, "[0-9]{1,2}").prop_map(|(value, n)| format!("b:\n  c: {value}\n  n: {n} # n\n"));
    let other = prop_oneof![
        Just("# comment\n".to_owned()),
        Just("\n".to_owned()),
        Just("f: {a: 1, c: [x, 'y']}\n".to_owned()),
        Just("l:\n- a: 1\n  b: 2\n-  # c\n  - z\n".to_owned()),
    ];
    let text = prop::collection::vec(prop_oneof![3 => line, 1 => block, 2 => other], 0..12)
        .prop_map(|lines| lines.concat());
    (text, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_edit_means_what_was_intended_and_keeps_all_other_lines(
        (before, windows) in lines(),
        path in prop_oneof![Just("a"), Just("b.c"), Just("d"), Just("new.key")],
        value in prop_oneof!["[a-zA-Z0-9 .:#'\"{}~-]{0,8}", ".{0,8}"],
    ) {
        let before = if windows { before.replace('\n', "\r\n") } else { before };
        let Ok(original) = stagelink_yaml::to_json(&before) else { return Ok(()) };
        let path: KeyPath = path.parse().unwrap();
        let edited = match edit(&before, &[Change::text(path.clone(), value.clone())]) {
            Ok(edited) => edited,
            // A map in the way, for example.
            Err(EditError::OtherShape { .. }) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(format!("{error}: {before:?}"))),
        };

        // It means what was intended.
        let mut intended = original;
        let mut at = &mut intended;
        for key in path.to_string().split('.') {
            if at.is_null() {
                *at = json!({});
            }
            at = at.as_object_mut().unwrap().entry(key).or_insert(Value::Null);
        }
        *at = Value::String(value);
        prop_assert_eq!(read(&edited.text), intended);

        // Whole lines of before stay in their order, but for those of the value and its duplicates.
        if edited.notes.is_empty() && !edited.changes.is_empty() {
            let old: Vec<&str> = before.split('\n').collect();
            let new: Vec<&str> = edited.text.split('\n').collect();
            let same_start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
            let same_end = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
            let touched = new.len().saturating_sub(same_start + same_end);
            prop_assert!(touched <= 2, "{:?}\n{:?}", before, edited.text);
            let comments = |text: &str| text.matches(" # é").count();
            prop_assert!(comments(&edited.text) >= comments(&before));
        }
    }

    #[test]
    fn any_text_is_edited_or_refused(before in "[-a:?{}\\[\\],&*!|>'\"%#@ \n\t0.~<\u{feff}é]{0,60}", value in ".{0,6}") {
        if let Ok(edited) = edit(&before, &[Change::text("a".parse().unwrap(), value.clone())]) {
            let values = read(&edited.text);
            prop_assert_eq!(&values["a"], &Value::String(value));
        }
    }
}
