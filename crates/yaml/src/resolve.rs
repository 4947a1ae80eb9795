//! What a scalar means: go-yaml v2's `resolve`.

use crate::number::format_json_float;

/// What a scalar means. A timestamp means a string to Helm, and is told apart only because it must be quoted when written.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Nothing, `~`, `null`.
    Null,
    /// `true`, `yes`, `on`, `y` and their opposites.
    Bool(bool),
    /// A whole number that 64 bits with a sign can hold.
    Int(i64),
    /// A whole number above that.
    Unsigned(u64),
    /// Any other number, also `.inf` and `.nan`.
    Float(f64),
    /// A date, perhaps with time: a string, in the end.
    Timestamp(String),
    /// Everything else.
    String(String),
}

impl Scalar {
    /// The short tag, as go-yaml names it in errors.
    pub(crate) fn tag(&self) -> &'static str {
        match self {
            Self::Null => "!!null",
            Self::Bool(_) => "!!bool",
            Self::Int(_) | Self::Unsigned(_) => "!!int",
            Self::Float(_) => "!!float",
            Self::Timestamp(_) => "!!timestamp",
            Self::String(_) => "!!str",
        }
    }
}

const LONG_TAG: &str = "tag:yaml.org,2002:";

/// `!!str` for `tag:yaml.org,2002:str`.
pub(crate) fn short_tag(tag: &str) -> String {
    match tag.strip_prefix(LONG_TAG) {
        Some(name) => format!("!!{name}"),
        None => tag.into(),
    }
}

/// What a scalar with this tag means; `tag` is the empty string for a plain scalar without one.
///
/// An unknown tag makes a string. The error is go-yaml's (``cannot decode !!str `x` as a !!int``).
pub(crate) fn resolve_tagged(tag: &str, text: &str) -> Result<Scalar, String> {
    let short = short_tag(tag);
    let found = match short.as_str() {
        "" => return Ok(resolve_plain(text)),
        "!!bool" | "!!int" | "!!float" | "!!null" | "!!timestamp" => {
            resolve(text, short == "!!timestamp")
        }
        _ => return Ok(Scalar::String(text.into())),
    };
    #[allow(
        clippy::cast_precision_loss,
        reason = "go-yaml converts to float64, too"
    )]
    match (short.as_str(), found) {
        ("!!float", Scalar::Int(number)) => Ok(Scalar::Float(number as f64)),
        (wanted, found) if wanted == found.tag() => Ok(found),
        (wanted, found) => Err(format!(
            "cannot decode {} `{text}` as a {wanted}",
            found.tag()
        )),
    }
}

/// What a plain scalar (not quoted, no tag) means.
///
/// ```
/// use stagelink_yaml::{Scalar, resolve_plain};
/// assert_eq!(resolve_plain("off"), Scalar::Bool(false));
/// assert_eq!(resolve_plain("0o17"), Scalar::Int(15));
/// assert_eq!(resolve_plain("2026-11-23"), Scalar::Timestamp("2026-11-23".into()));
/// assert_eq!(resolve_plain("12:30"), Scalar::String("12:30".into()));
/// ```
pub fn resolve_plain(text: &str) -> Scalar {
    resolve(text, true)
}

fn resolve(text: &str, timestamps: bool) -> Scalar {
    let found = match text.as_bytes().first() {
        None => Some(Scalar::Null),
        Some(b'+' | b'-' | b'.' | b'0'..=b'9') => {
            special(text).or_else(|| number(text, timestamps))
        }
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            word(text)
        }
        _ => None,
    };
    found.unwrap_or_else(|| Scalar::String(text.into()))
}

fn word(text: &str) -> Option<Scalar> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        _ => return None,
    })
}

fn special(text: &str) -> Option<Scalar> {
    Some(match text {
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => return None,
    })
}

fn number(text: &str, timestamps: bool) -> Option<Scalar> {
    if text.starts_with('.') {
        // Go's own number syntax here: `_` only between digits.
        let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        let bytes = text.as_bytes();
        let between =
            |at: usize| is_digit(bytes.get(at.wrapping_sub(1))) && is_digit(bytes.get(at + 1));
        let all_between = text.match_indices('_').all(|(at, _)| between(at));
        return all_between
            .then(|| float(&text.replace('_', "")))
            .flatten()
            .map(Scalar::Float);
    }
    if timestamps && is_timestamp(text) {
        return Some(Scalar::Timestamp(text.into()));
    }
    let plain = text.replace('_', "");
    integer(&plain)
        .or_else(|| float(&plain).map(Scalar::Float))
        .or_else(|| {
            // go-yaml takes a second sign after the prefix of a binary number.
            plain
                .strip_prefix("0b")
                .and_then(|digits| i64::from_str_radix(digits, 2).ok())
                .map(Scalar::Int)
        })
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`.
fn integer(text: &str) -> Option<Scalar> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.starts_with(|first: char| first.is_ascii_hexdigit()) {
        return None;
    }
    if let Ok(number) = i64::from_str_radix(&format!("{sign}{digits}"), radix) {
        return Some(Scalar::Int(number));
    }
    if text.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, radix)
        .ok()
        .map(Scalar::Unsigned)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` that is not too large for 64 bits.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let mantissa_is_good =
        all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    if !mantissa_is_good || exponent.is_some_and(|digits| digits.is_empty() || !all_digits(digits))
    {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The formats that go-yaml takes for a timestamp: a date; a date, `T` or `t`, time and zone; a date, spaces and time.
fn is_timestamp(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let year: usize = match rest {
        [a, b, c, d, b'-', ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()) => {
            text[..4].parse().unwrap_or(0)
        }
        _ => return false,
    };
    rest = &rest[5..];
    let Some(month) = short_number(&mut rest).filter(|month| (1..=12).contains(month)) else {
        return false;
    };
    let Some(day) = take(&mut rest, b'-').and_then(|()| short_number(&mut rest)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + usize::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=days).contains(&day) {
        return false;
    }
    match rest {
        [] => true,
        [b'T' | b't', time @ ..] => clock(time).is_some_and(is_zone),
        [b' ', ..] => clock(rest.trim_ascii_start()).is_some_and(<[u8]>::is_empty),
        _ => false,
    }
}

fn take(rest: &mut &[u8], byte: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[byte])?;
    Some(())
}

/// One or two digits.
fn short_number(rest: &mut &[u8]) -> Option<usize> {
    let length = rest
        .iter()
        .take(2)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, after) = rest.split_at(length);
    *rest = after;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `15:4:5.999`; what comes after it.
fn clock(time: &[u8]) -> Option<&[u8]> {
    let mut rest = time;
    short_number(&mut rest).filter(|hour| *hour < 24)?;
    take(&mut rest, b':')?;
    short_number(&mut rest).filter(|minute| *minute < 60)?;
    take(&mut rest, b':')?;
    short_number(&mut rest).filter(|second| *second < 60)?;
    if let [b'.' | b',', b'0'..=b'9', ..] = rest {
        let digits = rest[1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        rest = &rest[1 + digits..];
    }
    Some(rest)
}

fn is_zone(zone: &[u8]) -> bool {
    match zone {
        b"Z" => true,
        [b'+' | b'-', hour @ .., b':', _, _] if hour.len() == 2 => {
            let (hour, minute) = (&zone[1..3], &zone[4..6]);
            [hour, minute]
                .iter()
                .all(|part| part.iter().all(u8::is_ascii_digit))
                && hour <= b"24"
                && minute < b"60"
        }
        _ => false,
    }
}

/// A number as it reads after the way through JSON, which turns `8.0` into `8`.
pub(crate) fn through_json(number: f64) -> Scalar {
    resolve(&format_json_float(number), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_scalars() {
        let string = |text: &str| Scalar::String(text.into());
        for (text, meaning) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("Null", Scalar::Null),
            ("nULL", string("nULL")),
            ("yes", Scalar::Bool(true)),
            ("Y", Scalar::Bool(true)),
            ("yEs", string("yEs")),
            ("OFF", Scalar::Bool(false)),
            ("0777", Scalar::Int(511)),
            ("0o17", Scalar::Int(15)),
            ("0x1F", Scalar::Int(31)),
            ("-0b11", Scalar::Int(-3)),
            ("0b-11", Scalar::Int(-3)),
            ("1_000", Scalar::Int(1000)),
            ("+7", Scalar::Int(7)),
            ("08", Scalar::Float(8.0)),
            ("9223372036854775807", Scalar::Int(i64::MAX)),
            ("18446744073709551615", Scalar::Unsigned(u64::MAX)),
            (
                "18446744073709551616",
                Scalar::Float(18_446_744_073_709_551_616.0),
            ),
            ("-9223372036854775808", Scalar::Int(i64::MIN)),
            ("1.", Scalar::Float(1.0)),
            (".5", Scalar::Float(0.5)),
            ("-.5", Scalar::Float(-0.5)),
            (".", string(".")),
            (".5_0", Scalar::Float(0.5)),
            (".5_", string(".5_")),
            ("1e3", Scalar::Float(1000.0)),
            ("1e400", string("1e400")),
            ("1e", string("1e")),
            ("0x", string("0x")),
            ("-", string("-")),
            ("+-1", string("+-1")),
            ("12:30", string("12:30")),
            ("1.2.3", string("1.2.3")),
            ("<<", string("<<")),
            ("2026-11-23", Scalar::Timestamp("2026-11-23".into())),
            ("2026-2-30", string("2026-2-30")),
            (
                "2026-11-23T10:00:00Z",
                Scalar::Timestamp("2026-11-23T10:00:00Z".into()),
            ),
            (
                "2026-11-23t1:0:0.123+01:00",
                Scalar::Timestamp("2026-11-23t1:0:0.123+01:00".into()),
            ),
            (
                "2026-11-23 10:00:00",
                Scalar::Timestamp("2026-11-23 10:00:00".into()),
            ),
            ("2026-11-23 10:00:00Z", string("2026-11-23 10:00:00Z")),
            ("2026-11-23 24:00:00", string("2026-11-23 24:00:00")),
        ] {
            assert_eq!(resolve_plain(text), meaning, "{text:?}");
        }
    }

    #[test]
    fn tags_decide() {
        assert_eq!(
            resolve_tagged("tag:yaml.org,2002:str", "1"),
            Ok(Scalar::String("1".into()))
        );
        assert_eq!(
            resolve_tagged("!secret", "1"),
            Ok(Scalar::String("1".into()))
        );
        assert_eq!(
            resolve_tagged("tag:yaml.org,2002:float", "1"),
            Ok(Scalar::Float(1.0))
        );
        assert_eq!(
            resolve_tagged("tag:yaml.org,2002:int", "x"),
            Err("cannot decode !!str `x` as a !!int".into())
        );
    }

    proptest! {
        #[test]
        fn whole_numbers_keep_their_value(number in any::<i64>()) {
            prop_assert_eq!(resolve_plain(&number.to_string()), Scalar::Int(number));
        }

        #[test]
        fn any_text_has_a_meaning(text in "\\PC{0,40}|[0-9a-fxob_.:+eEtTZ -]{0,24}") {
            let _ = resolve_plain(&text);
        }
    }
}
