//! Numbers as Go writes them, because Keptn's messages hold them.

/// A number as Go's `strconv.FormatFloat(value, 'f', -1, 64)`: all digits, never an exponent.
/// Keptn writes a provider's value so.
pub(crate) fn plain(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

/// A number as Go's `%v`: with an exponent if it is large or small. Keptn writes aggregated values so.
pub(crate) fn general(value: f64) -> String {
    let magnitude = value.abs();
    if !magnitude.is_finite() || magnitude == 0.0 || (1e-4..1e21).contains(&magnitude) {
        return plain(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_go() {
        for (value, in_full, short) in [
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (7.0, "7", "7"),
            (0.25, "0.25", "0.25"),
            (0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"),
            (1e20, "100000000000000000000", "100000000000000000000"),
            (1e21, "1000000000000000000000", "1e+21"),
            (1.5e-7, "0.00000015", "1.5e-07"),
            (0.0001, "0.0001", "0.0001"),
            (-2e-5, "-0.00002", "-2e-05"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN"),
        ] {
            assert_eq!(plain(value), in_full);
            assert_eq!(general(value), short);
        }
    }
}
