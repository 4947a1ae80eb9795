//! Against what the real Helm makes of the same text: `golden/make.sh` writes the expectations.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot be set up has to fail"
)]

use serde_json::Value;
use std::fs;
use std::path::Path;

/// Helm knows only floats by now.
fn floats(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(items) => items.iter().map(floats).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), floats(value)))
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn yaml_is_helms() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut count = 0;
    for entry in fs::read_dir(golden.join("cases")).expect("cases") {
        let path = entry.expect("case").path();
        let name = path
            .file_stem()
            .expect("name")
            .to_string_lossy()
            .into_owned();
        let expected =
            |kind: &str| fs::read_to_string(golden.join(format!("expected/{name}.{kind}")));
        count += 1;
        let found = stagelink_yaml::to_json(&fs::read(&path).expect("case"));
        match expected("json") {
            Ok(json) => {
                let found = floats(&found.expect(&name));
                assert_eq!(
                    found,
                    floats(&serde_json::from_str(&json).expect("json")),
                    "{name}"
                );
                let written = stagelink_yaml::emit(&found).expect(&name);
                assert_eq!(
                    written.trim_end_matches('\n'),
                    expected("yaml").expect("yaml").trim_end_matches('\n'),
                    "{name}"
                );
            }
            Err(_) => {
                let found = found.expect_err(&name).to_string();
                let expected = expected("error").expect("error");
                // Behind a key that is none, Helm prints its value, which may be a secret.
                assert_eq!(
                    found,
                    expected
                        .split(", value:")
                        .next()
                        .unwrap_or_default()
                        .trim_end(),
                    "{name}"
                );
            }
        }
    }
    assert!(count > 20, "{count} cases");
}
