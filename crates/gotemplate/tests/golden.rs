//! Compares with what Go's own text/template gives for the same templates.
//!
//! `tests/golden/main.go` makes `expected.json` again from `cases.txt` and `data.json`.

mod support;

use serde_json::Value as Json;

#[test]
fn templates_give_what_go_gives() {
    let expected: Vec<Json> = serde_json::from_str(include_str!("golden/expected.json")).unwrap();
    assert!(expected.len() > 1_000);
    let mut different = Vec::new();
    for case in &expected {
        let source = case["template"].as_str().unwrap();
        let option = case["option"].as_str().unwrap_or("missingkey=zero");
        let ours = match support::execute(source, option) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => format!("ERROR {error}"),
        };
        let theirs = match case["error"].as_str() {
            Some(error) => format!("ERROR {error}"),
            None => case["output"].as_str().unwrap_or("").to_owned(),
        };
        if ours != theirs {
            different.push(format!("{source}\n  ours: {ours}\n  Go's: {theirs}"));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {} differ:\n{}",
        different.len(),
        expected.len(),
        different.join("\n")
    );
}
