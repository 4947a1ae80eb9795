//! Numbers from text.

/// Reads a signed integer (`strconv.ParseInt`); base 0 takes prefixes and underscores.
pub fn parse_int(text: &str, base: u32) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'+' => (false, &text[1..]),
        b'-' => (true, &text[1..]),
        _ => (false, text),
    };
    let value = parse_uint(digits, base)?;
    if negative {
        if value == 1 << 63 {
            Some(i64::MIN)
        } else {
            i64::try_from(value).ok().map(|value| -value)
        }
    } else {
        i64::try_from(value).ok()
    }
}

/// Reads an unsigned integer (`strconv.ParseUint`); base 0 takes prefixes and underscores.
pub fn parse_uint(text: &str, base: u32) -> Option<u64> {
    let (base, digits, underscores) = if base == 0 {
        let lower = text.to_ascii_lowercase();
        let prefixed = |prefix| lower.starts_with(prefix) && text.len() > 2;
        if prefixed("0x") {
            (16, &text[2..], true)
        } else if prefixed("0b") {
            (2, &text[2..], true)
        } else if prefixed("0o") {
            (8, &text[2..], true)
        } else if text.starts_with('0') && text.len() > 1 {
            (8, &text[1..], true)
        } else {
            (10, text, true)
        }
    } else {
        (base, text, false)
    };
    if underscores && digits.contains('_') && !underscores_are_fine(text) {
        return None;
    }
    let mut value: u64 = 0;
    let mut any = false;
    for character in digits.chars() {
        if character == '_' && underscores {
            continue;
        }
        let digit = character.to_digit(base)?;
        value = value
            .checked_mul(u64::from(base))?
            .checked_add(u64::from(digit))?;
        any = true;
    }
    any.then_some(value)
}

/// Go allows an underscore only between digits, or between a base prefix and a digit.
fn underscores_are_fine(text: &str) -> bool {
    let text = text.trim_start_matches(['+', '-']);
    let lower = text.to_ascii_lowercase();
    let is_hexadecimal = lower.starts_with("0x");
    let prefixed = ["0x", "0b", "0o"]
        .iter()
        .any(|prefix| lower.starts_with(prefix));
    let mut last = if prefixed { '0' } else { '^' };
    for character in lower.chars().skip(if prefixed { 2 } else { 0 }) {
        let is_digit =
            character.is_ascii_digit() || (is_hexadecimal && character.is_ascii_hexdigit());
        if is_digit {
            last = '0';
        } else if character == '_' {
            if last != '0' {
                return false;
            }
            last = '_';
        } else {
            if last == '_' {
                return false;
            }
            last = '!';
        }
    }
    last != '_'
}

/// Reads a number (`strconv.ParseFloat` with 64 bits): decimal and hexadecimal, `inf`, `nan`.
/// A number that is too large is `None`, as in Go.
pub fn parse_float(text: &str) -> Option<f64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1.0, &text[1..]),
        b'-' => (-1.0, &text[1..]),
        _ => (1.0, text),
    };
    let lower = digits.to_ascii_lowercase();
    match lower.as_str() {
        "inf" | "infinity" => return Some(sign * f64::INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    if lower.contains('_') && !underscores_are_fine(text) {
        return None;
    }
    let lower = lower.replace('_', "");
    if let Some(hexadecimal) = lower.strip_prefix("0x") {
        return parse_hexadecimal_float(hexadecimal).map(|value| sign * value);
    }
    let plain = lower
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte));
    // The sign is off already; what Rust reads as a second one is no number in Go.
    if !plain || lower.starts_with(['+', '-']) || !lower.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: f64 = lower.parse().ok()?;
    value.is_finite().then_some(sign * value)
}

fn parse_hexadecimal_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0_f64;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let digits = i32::try_from(fraction.len()).ok()?;
    let value = value * 2.0_f64.powi(exponent.checked_sub(digits.checked_mul(4)?)?);
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_in_go() {
        for (text, value) in [
            ("0", Some(0)),
            ("017", Some(15)),
            ("0o17", Some(15)),
            ("0x10", Some(16)),
            ("-0x10", Some(-16)),
            ("0b101", Some(5)),
            ("1_000", Some(1000)),
            ("1__0", None),
            ("_1", None),
            ("08", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(parse_int(text, 0), value, "{text}");
        }
        assert_eq!(parse_float("1e3"), Some(1000.0));
        assert_eq!(parse_float(".5"), Some(0.5));
        assert_eq!(parse_float("0x1p4"), Some(16.0));
        assert_eq!(parse_float("1e999"), None);
        assert_eq!(parse_float("1_0.2_5"), Some(10.25));
        assert_eq!(parse_float("1_.5"), None);
        assert_eq!(parse_float("e"), None);
        assert_eq!(parse_float("--1"), None);
        assert_eq!(parse_float("-inf"), Some(f64::NEG_INFINITY));
    }
}
