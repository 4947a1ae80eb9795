//! Texts without secrets.

/// A part of a secret that is shorter than this, in bytes, is not hidden by itself: it may be any word.
const SHORTEST_PART: usize = 4;

/// A text without secrets: neither as a whole, nor a line of one, nor a value of one that is JSON.
///
/// Mask a text before it is cut, so that no part of a secret is left over.
pub fn masked(text: String, secrets: &[String]) -> String {
    let mut hidden: Vec<String> = Vec::new();
    for secret in secrets {
        hidden.push(secret.clone());
        hidden.extend(
            secret
                .lines()
                .map(|line| line.trim().to_owned())
                .filter(|line| line.len() >= SHORTEST_PART),
        );
        if let Ok(document) = serde_json::from_str::<serde_json::Value>(secret) {
            values(&document, &mut hidden);
        }
    }
    hidden.retain(|part| !part.is_empty());
    // The longest first: a part may be within another one.
    hidden.sort_by_key(|part| std::cmp::Reverse(part.len()));
    hidden.dedup();
    hidden
        .iter()
        .fold(text, |text, part| text.replace(part, "•••"))
}

/// Texts in a JSON document that may be secrets.
fn values(document: &serde_json::Value, found: &mut Vec<String>) {
    match document {
        serde_json::Value::String(text) if text.len() >= SHORTEST_PART => {
            found.push(text.clone());
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| values(item, found)),
        serde_json::Value::Object(fields) => fields.values().for_each(|item| values(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_whole_and_in_part() {
        let secrets = [
            "s3cret".to_owned(),
            "-----BEGIN KEY-----\nMIIabc\n-----END KEY-----".to_owned(),
            r#"{"token": "t0ken", "n": 1, "deep": [{"password": "pass\"word"}], "short": "no"}"#
                .to_owned(),
            String::new(),
        ];
        for (text, expected) in [
            ("the s3cret is out", "the ••• is out"),
            ("MIIabc", "•••"),
            ("t0ken and pass\"word, no 1", "••• and •••, no 1"),
            ("nothing here", "nothing here"),
        ] {
            assert_eq!(masked(text.to_owned(), &secrets), expected);
        }
    }
}
