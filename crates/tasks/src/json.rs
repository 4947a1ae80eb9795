//! JSON as Go's encoder writes it into a task's environment.

use serde::Serialize;

/// A document as `json.Marshal` gives it: compact, with `<`, `>`, `&`, U+2028 and U+2029 escaped.
pub(crate) fn go_json(document: &impl Serialize) -> Result<String, serde_json::Error> {
    let plain = serde_json::to_string(document)?;
    let mut escaped = String::with_capacity(plain.len());
    for character in plain.chars() {
        match character {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            character => escaped.push(character),
        }
    }
    Ok(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_escapes_is_escaped() {
        let text = go_json(&serde_json::json!({"a": "<&>\u{2028}"})).unwrap();
        assert_eq!(text, r#"{"a":"\u003c\u0026\u003e\u2028"}"#);
    }
}
