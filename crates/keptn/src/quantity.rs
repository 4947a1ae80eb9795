//! Kubernetes quantities, as far as validation compares them.

/// The value of a quantity (`1.5`, `100m`, `2Ki`, `1e3`); `None` if the text is none.
///
/// Good for comparing: about 15 digits are exact.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let end = text
        .char_indices()
        .find(|(index, character)| {
            !(character.is_ascii_digit()
                || *character == '.'
                || (*index == 0 && "+-".contains(*character)))
        })
        .map_or(text.len(), |(index, _)| index);
    let (number, suffix) = text.split_at(end);
    if number.matches('.').count() > 1 || !number.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: f64 = number.strip_prefix('+').unwrap_or(number).parse().ok()?;
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0_f64.powi(2),
        "Gi" => 1024.0_f64.powi(3),
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            10_f64.powi(
                exponent
                    .parse()
                    .ok()
                    .filter(|exponent: &i32| exponent.abs() < 300)?,
            )
        }
    };
    Some(value * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_kubernetes() {
        for (text, value) in [
            ("1", Some(1.0)),
            ("-1.5", Some(-1.5)),
            ("+.5", Some(0.5)),
            ("5.", Some(5.0)),
            ("100m", Some(0.1)),
            ("2Ki", Some(2048.0)),
            ("1e3", Some(1000.0)),
            ("1E", Some(1e18)),
            ("1E3", Some(1000.0)),
            ("", None),
            (".", None),
            ("m", None),
            ("1.2.3", None),
            ("1K", None),
            ("1e", None),
            ("1 m", None),
            ("abc", None),
        ] {
            assert_eq!(parse(text), value, "{text:?}");
        }
    }
}
