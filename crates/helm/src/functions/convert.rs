//! Conversions that many functions share: sprig's `strval` and `strslice`, and the numbers of `spf13/cast`.

use stagelink_gotemplate::{GoString, Value, strconv};

use super::text::trim_matches;

/// What `fmt.Sprintf("%v")` prints.
pub(crate) fn printed(value: &Value) -> Vec<u8> {
    stagelink_gotemplate::fmt::display(value)
}

/// `strconv.Quote`.
pub(crate) fn quoted(text: &[u8]) -> Vec<u8> {
    strconv::quote(text).into_bytes()
}

/// Sprig's `strval`.
pub(crate) fn strval(value: &Value) -> GoString {
    match value {
        Value::String(text) => text.clone(),
        Value::Bytes(bytes) => GoString::from(&**bytes),
        other => printed(other).into(),
    }
}

/// The elements of a list of any type.
pub(crate) fn elements(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::List(list) => Some(list.to_vec()),
        Value::Bytes(bytes) => Some(
            bytes
                .iter()
                .map(|byte| Value::Uint64(u64::from(*byte)))
                .collect(),
        ),
        // The entries of a host object that is a slice, such as `.Capabilities.APIVersions`.
        Value::Object(object) if object.kind() == stagelink_gotemplate::Kind::Slice => Some(
            object
                .entries()?
                .into_iter()
                .map(|(_, element)| element)
                .collect(),
        ),
        _ => None,
    }
}

/// Sprig's `strslice`: texts of a list without its nils; one text for anything else.
pub(crate) fn strslice(value: &Value) -> Vec<GoString> {
    match elements(value) {
        Some(items) => items
            .iter()
            .filter(|item| !item.is_nil())
            .map(strval)
            .collect(),
        None if value.is_nil() => Vec::new(),
        None => vec![strval(value)],
    }
}

/// `cast.ToInt64` (and `ToInt`): what is no number is 0.
pub(crate) fn to_int64(value: &Value) -> i64 {
    match value {
        Value::Int(number) | Value::Int64(number) => *number,
        Value::Uint64(number) => *number as i64,
        Value::Float(number) => float_to_int(*number),
        Value::Bool(value) => i64::from(*value),
        Value::String(text) => parse_int(without_zero_decimals(text), 0).unwrap_or(0),
        _ => 0,
    }
}

/// As the conversion does on amd64: what does not fit becomes the smallest number.
fn float_to_int(number: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// `cast.ToFloat64`: what is no number is 0.
pub(crate) fn to_float64(value: &Value) -> f64 {
    match value {
        Value::Int(number) | Value::Int64(number) => *number as f64,
        Value::Uint64(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::String(text) => parse_float(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// `12.00` without its decimals.
fn without_zero_decimals(text: &[u8]) -> &[u8] {
    match text.iter().rposition(|byte| *byte == b'.') {
        Some(point)
            if point + 1 < text.len() && text[point + 1..].iter().all(|byte| *byte == b'0') =>
        {
            &text[..point]
        }
        _ => text,
    }
}

/// `strconv.ParseInt` for 64 bits; base 0 reads prefixes and underscores.
pub(crate) fn parse_int(text: &[u8], base: u32) -> Option<i64> {
    strconv::parse_int(std::str::from_utf8(text).ok()?, base)
}

/// `strconv.ParseFloat`.
pub(crate) fn parse_float(text: &[u8]) -> Option<f64> {
    strconv::parse_float(std::str::from_utf8(text).ok()?)
}

/// `strings.Trim`.
pub(crate) fn trim_all<'a>(text: &'a [u8], cut: &[u8]) -> &'a [u8] {
    let cut: Vec<char> = super::text::runes(cut).collect();
    trim_matches(text, |rune| cut.contains(&rune))
}

/// Sprig's `empty`; a struct never is.
pub(crate) fn is_empty(value: &Value) -> bool {
    !value.is_true()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_texts() {
        for (text, expected) in [
            ("12", 12),
            ("012", 10),
            ("0x1F", 31),
            ("0b11", 3),
            ("0o17", 15),
            ("12.00", 12),
            ("12.5", 0),
            ("12.", 0),
            ("1_000", 1000),
            ("1__0", 0),
            ("_1", 0),
            ("08", 0),
            ("-7", -7),
            ("+7", 7),
            ("", 0),
            ("9223372036854775808", 0),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(to_int64(&Value::from(text)), expected, "{text:?}");
        }
        assert_eq!(to_int64(&Value::Float(-3.99)), -3);
        assert_eq!(to_int64(&Value::Float(1e300)), i64::MIN);
        assert_eq!(to_int64(&Value::Float(f64::NAN)), i64::MIN);
    }

    #[test]
    fn floats_of_texts() {
        for (text, expected) in [
            ("1.5", 1.5),
            ("1e3", 1000.0),
            ("x", 0.0),
            ("", 0.0),
            ("--1", 0.0),
            ("1e999", 0.0),
        ] {
            assert_eq!(to_float64(&Value::from(text)), expected, "{text:?}");
        }
        assert!(to_float64(&Value::from("NaN")).is_nan());
    }

    #[test]
    fn texts_of_values() {
        assert_eq!(
            strslice(&Value::list([Value::from("a"), Value::Nil, Value::Int(1)])),
            ["a".into(), GoString::from("1")]
        );
        assert!(strslice(&Value::Nil).is_empty());
        assert_eq!(strslice(&Value::Int(5)), [GoString::from("5")]);
    }
}
