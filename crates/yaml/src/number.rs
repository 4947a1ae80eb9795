//! Go's spelling of floating point numbers.

/// `strconv.FormatFloat(value, 'g', -1, bits)`: the shortest text that reads back as the same 32 or 64 bit number; with an
/// exponent of at least two digits below 1e-4 and from 1e+06 on.
///
/// ```
/// assert_eq!(stagelink_yaml::format_float(1e6, 64), "1e+06");
/// assert_eq!(stagelink_yaml::format_float(7244500.0, 32), "7.2445e+06");
/// assert_eq!(stagelink_yaml::format_float(123456.0, 64), "123456");
/// ```
pub fn format_float(value: f64, bits: u32) -> String {
    spell(value, bits, 6)
}

/// A number as Go's `encoding/json` writes it: an exponent below 1e-6 and from 1e21 on, and no `e-09` but `e-9`.
///
/// ```
/// assert_eq!(stagelink_yaml::format_json_float(1e20), "100000000000000000000");
/// assert_eq!(stagelink_yaml::format_json_float(1e-7), "1e-7");
/// assert_eq!(stagelink_yaml::format_json_float(1e21), "1e+21");
/// ```
pub fn format_json_float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = spell(value, 64, i32::MIN);
        return match text
            .strip_suffix(|_: char| true)
            .and_then(|start| start.strip_suffix("e-0"))
        {
            Some(mantissa) => format!("{mantissa}e-{}", &text[text.len() - 1..]),
            None => text,
        };
    }
    format!("{value}")
}

/// With an exponent from `limit` on and under -4; `i32::MIN` gives always one.
fn spell(value: f64, bits: u32, limit: i32) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.into();
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "32 bits are what is asked for"
    )]
    let (scientific, plain) = if bits == 32 {
        (format!("{:e}", value as f32), format!("{}", value as f32))
    } else {
        (format!("{value:e}"), format!("{value}"))
    };
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // "%e is used if the exponent from the conversion is less than -4 or greater than or equal to the precision", and the
    // shortest form counts as precision 6.
    if exponent < -4 || exponent >= limit {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_as_go() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (100_000.0, "100000"),
            (1e20, "1e+20"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e100, "1e+100"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format_float(value, 64), text);
        }
        assert_eq!(format_float(1.1, 32), "1.1");
        assert_eq!(format_json_float(1e6), "1000000");
        assert_eq!(format_json_float(1.5e-10), "1.5e-10");
    }
}
