//! How a text is written in YAML: plain, in single or in double quotes.

use super::read;

/// A key as it is written: plain if it then is that key.
pub(super) fn written_key(key: &str) -> String {
    let plain = is_plain(key, true) && {
        let read = read(&format!("{key}: 1"));
        read.is_ok_and(|value| {
            value
                .as_object()
                .is_some_and(|map| map.len() == 1 && map.contains_key(key))
        })
    };
    if plain {
        key.to_owned()
    } else {
        double_quoted(key)
    }
}

/// True if a text means itself without quotes, as far as its characters can tell; whether it would
/// be a number or `true` is found out by reading it.
pub(super) fn is_plain(text: &str, in_flow: bool) -> bool {
    let first = text.chars().next();
    let indicator = first.is_none_or(|c| "-?:,[]{}#&*!|>'\"%@` \t".contains(c));
    // `-1` and `-x` are plain, `- x` is an item.
    let dash = text.starts_with(['-', '?', ':'])
        && text[1..].starts_with(|c: char| c.is_alphanumeric() || c == '.');
    (!indicator || dash)
        && !text.ends_with([' ', '\t', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains(|c: char| {
            c.is_control() || matches!(c, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}')
        })
        && !(in_flow && text.contains([',', '[', ']', '{', '}', ':']))
        && text != "---"
        && text != "..."
}

/// A text in double quotes, on one line.
pub(super) fn double_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control()
                || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}')
                || is_noncharacter(c) =>
            {
                let code = u32::from(c);
                quoted.push_str(&match code {
                    0..=0xff => format!("\\x{code:02X}"),
                    0x100..=0xffff => format!("\\u{code:04X}"),
                    _ => format!("\\U{code:08X}"),
                });
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Characters that YAML does not take as they are.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// A text in single quotes; none if they cannot hold it.
pub(super) fn single_quoted(text: &str) -> Option<String> {
    let holds = !text.contains(|c: char| c.is_control());
    holds.then(|| format!("'{}'", text.replace('\'', "''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quotes_hold_any_text(text in ".{0,20}") {
            let expected = serde_json::json!([text]);
            prop_assert_eq!(read(&format!("[{}]", double_quoted(&text))).unwrap(), expected.clone());
            if let Some(quoted) = single_quoted(&text) && !text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{fffe}', '\u{ffff}']) {
                prop_assert_eq!(read(&format!("[{quoted}]")).unwrap(), expected);
            }
        }

        #[test]
        fn any_key_is_written_as_that_key(key in ".{0,12}") {
            let value = read(&format!("{}: 1", written_key(&key))).unwrap();
            prop_assert!(value.as_object().is_some_and(|map| map.contains_key(&key)), "{}", value);
        }
    }
}
