//! Go's durations as text: `time.ParseDuration` and `Duration.String`, in nanoseconds.

const SECOND: u64 = 1_000_000_000;

/// Reads `1h2m3.5s`.
///
/// # Errors
/// Go's message for text that is not a duration or does not fit.
pub(crate) fn parse(source: &[u8]) -> Result<i64, String> {
    let text = String::from_utf8_lossy(source);
    let invalid = |what: &str| format!("time: {what} \"{text}\"");
    let (negative, mut rest) = match source {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if rest == b"0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid("invalid duration"));
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let whole = digits(rest);
        rest = &rest[whole.len()..];
        let fraction = match rest {
            [b'.', after @ ..] => {
                let fraction = digits(after);
                rest = &after[fraction.len()..];
                fraction
            }
            _ => b"",
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid("invalid duration"));
        }
        let unit_length = rest
            .iter()
            .take_while(|byte| !matches!(byte, b'.' | b'0'..=b'9'))
            .count();
        let unit = match &rest[..unit_length] {
            b"" => return Err(invalid("missing unit in duration")),
            b"ns" => 1,
            b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => 1_000,
            b"ms" => 1_000_000,
            b"s" => SECOND,
            b"m" => 60 * SECOND,
            b"h" => 3600 * SECOND,
            other => {
                let unit = String::from_utf8_lossy(other);
                return Err(invalid(&format!("unknown unit \"{unit}\" in duration")));
            }
        };
        rest = &rest[unit_length..];
        let value = read(whole, unit, fraction)
            .and_then(|value| total.checked_add(value))
            .filter(|total| *total <= 1 << 63);
        total = value.ok_or_else(|| invalid("invalid duration"))?;
    }
    match (negative, i64::try_from(total)) {
        (true, _) => Ok((total as i64).wrapping_neg()),
        (false, Ok(total)) => Ok(total),
        (false, Err(_)) => Err(invalid("invalid duration")),
    }
}

fn digits(source: &[u8]) -> &[u8] {
    &source[..source
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()]
}

fn read(whole: &[u8], unit: u64, fraction: &[u8]) -> Option<u64> {
    let mut value: u64 = 0;
    for digit in whole {
        value = value
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))?;
    }
    value = value.checked_mul(unit)?;
    let (mut numerator, mut scale) = (0_u64, 1_f64);
    for digit in fraction {
        // As Go does: digits that no longer fit are ignored.
        let Some(next) = numerator
            .checked_mul(10)
            .and_then(|next| next.checked_add(u64::from(digit - b'0')))
        else {
            break;
        };
        if next > 1 << 63 {
            break;
        }
        numerator = next;
        scale *= 10.0;
    }
    value
        .checked_add((numerator as f64 * (unit as f64 / scale)) as u64)
        .filter(|value| *value <= 1 << 63)
}

/// Prints `1h2m3.5s`, as `Duration.String`.
pub(crate) fn format(nanoseconds: i64) -> String {
    let total = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let fraction = |value: u64, unit: u64| {
        let rest = value % unit;
        if rest == 0 {
            return String::new();
        }
        let width = unit.ilog10() as usize;
        format!(".{rest:0width$}").trim_end_matches('0').to_owned()
    };
    if total == 0 {
        return "0s".to_owned();
    }
    if total < SECOND {
        let (unit, name) = match total {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            _ => (1_000_000, "ms"),
        };
        return format!("{sign}{}{}{name}", total / unit, fraction(total, unit));
    }
    let seconds = total / SECOND;
    let tail = format!("{}{}s", seconds % 60, fraction(total, SECOND));
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{sign}{tail}"),
        (0, minutes) => format!("{sign}{minutes}m{tail}"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{tail}"),
    }
}

/// `durationRound`: the largest unit only, years and months by 365 and 30 days.
pub(crate) fn largest_unit(nanoseconds: i64) -> String {
    let total = nanoseconds.unsigned_abs();
    let hour = 3600 * SECOND;
    for (unit, name) in [
        (hour * 24 * 365, "y"),
        (hour * 24 * 30, "mo"),
        (hour * 24, "d"),
        (hour, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
    ] {
        if total > unit {
            return format!("{}{name}", total / unit);
        }
    }
    "0s".to_owned()
}

/// `Duration.Truncate`.
pub(crate) fn truncate(value: i64, unit: i64) -> i64 {
    if unit <= 0 {
        value
    } else {
        value - value % unit
    }
}

/// `Duration.Round`: half away from zero; what would overflow becomes the largest duration.
pub(crate) fn round(value: i64, unit: i64) -> i64 {
    if unit <= 0 {
        return value;
    }
    let rest = value % unit;
    let up = rest.unsigned_abs() * 2 >= unit.unsigned_abs();
    match (up, value < 0) {
        (false, _) => value - rest,
        (true, false) => (value - rest).saturating_add(unit),
        (true, true) => (value - rest).saturating_sub(unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (source, printed) in [
            ("1h", "1h0m0s"),
            ("90s", "1m30s"),
            ("1.5s", "1.5s"),
            ("-1m", "-1m0s"),
            ("1ms", "1ms"),
            ("1us", "1µs"),
            ("1500ns", "1.5µs"),
            ("0", "0s"),
            ("1h0.5m", "1h0m30s"),
            (".5s", "500ms"),
        ] {
            assert_eq!(
                format(parse(source.as_bytes()).unwrap()),
                printed,
                "{source}"
            );
        }
    }

    #[test]
    fn refuses_with_the_words_of_go() {
        for (source, message) in [
            ("", "time: invalid duration \"\""),
            ("1", "time: missing unit in duration \"1\""),
            ("1d", "time: unknown unit \"d\" in duration \"1d\""),
            (".s", "time: invalid duration \".s\""),
            (
                "9999999999999h",
                "time: invalid duration \"9999999999999h\"",
            ),
        ] {
            assert_eq!(parse(source.as_bytes()).unwrap_err(), message);
        }
    }

    #[test]
    fn rounds() {
        assert_eq!(largest_unit(parse(b"2h3m").unwrap()), "2h");
        assert_eq!(largest_unit(parse(b"-2400h").unwrap()), "3mo");
        let hour = parse(b"1h").unwrap();
        assert_eq!(format(round(parse(b"2h31m").unwrap(), hour)), "3h0m0s");
        assert_eq!(format(truncate(parse(b"2h31m").unwrap(), hour)), "2h0m0s");
        assert_eq!(round(i64::MAX, hour), i64::MAX);
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_again(nanoseconds in proptest::num::i64::ANY) {
            assert_eq!(parse(format(nanoseconds).as_bytes()), Ok(nanoseconds));
        }

        #[test]
        fn nothing_panics(source in "[-+0-9.hmsuµn ]{0,24}") {
            let _ = parse(source.as_bytes());
        }
    }
}
