//! Floats as text.

/// More digits than any float has after the point (1,074) or in all (767); what is beyond is zeros.
const MAXIMUM_DIGITS: usize = 1_100;

/// Writes a number as `strconv.FormatFloat(value, 'g', -1, 64)` does, and as `{{ . }}` prints it: with an
/// exponent below -4 and from 6 on.
///
/// ```
/// use stagelink_gotemplate::strconv::format_float;
///
/// assert_eq!(format_float(100_000.0), "100000");
/// assert_eq!(format_float(1e6), "1e+06");
/// ```
pub fn format_float(value: f64) -> String {
    format_float_as(value, 'g', None)
}

/// Writes a number as `strconv.FormatFloat(value, verb, precision, 64)` does; no precision is Go's -1, the
/// shortest text that reads back as the same number. Verbs are `b`, `e`, `E`, `f`, `g`, `G`, `x` and `X`.
pub fn format_float_as(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let magnitude = value.abs();
    let text = match verb {
        'b' => {
            let (mantissa, exponent) = parts(magnitude);
            format!("{mantissa}p{exponent:+}")
        }
        'x' | 'X' => hexadecimal(magnitude, verb, precision),
        'e' | 'E' => {
            let digits = Digits::of(magnitude, precision.map(|precision| precision + 1));
            let precision = precision.unwrap_or(digits.count().saturating_sub(1));
            digits.with_exponent(verb, precision)
        }
        'f' | 'F' => fixed(magnitude, precision),
        _ => general(magnitude, verb, precision),
    };
    if value.is_sign_negative() {
        format!("-{text}")
    } else {
        text
    }
}

fn fixed(magnitude: f64, precision: Option<usize>) -> String {
    let Some(precision) = precision else {
        return format!("{magnitude}");
    };
    let exact = precision.min(MAXIMUM_DIGITS);
    let mut text = format!("{magnitude:.exact$}");
    text.extend(std::iter::repeat_n('0', precision - exact));
    text
}

/// `%g`: with an exponent if that is below -4, or not below the precision.
fn general(magnitude: f64, verb: char, precision: Option<usize>) -> String {
    let wanted = precision.map(|precision| precision.max(1));
    let digits = Digits::of(magnitude, wanted);
    let count = digits.count();
    let limit = match wanted {
        None => 6,
        Some(wanted) if wanted > count && signed(count) >= digits.point => signed(count),
        Some(wanted) => signed(wanted),
    };
    let exponent = digits.point - 1;
    if exponent < -4 || exponent >= limit {
        let shown = wanted.map_or(count, |wanted| wanted.min(count));
        let letter = if verb == 'G' { 'E' } else { 'e' };
        return digits.with_exponent(letter, shown.saturating_sub(1));
    }
    digits.without_exponent()
}

fn signed(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The decimal digits of a number, without zeros at the end; none for zero.
struct Digits {
    digits: Vec<u8>,
    /// Where the decimal point is: 0 is before the first digit.
    point: i32,
}

impl Digits {
    /// So many digits, or as many as are needed to read the same number back.
    fn of(magnitude: f64, wanted: Option<usize>) -> Self {
        let text = match wanted {
            Some(wanted) => {
                let after_first = wanted.saturating_sub(1).min(MAXIMUM_DIGITS);
                format!("{magnitude:.after_first$e}")
            }
            None => format!("{magnitude:e}"),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mut digits: Vec<u8> = mantissa
            .bytes()
            .filter(|byte| byte.is_ascii_digit())
            .collect();
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        let point = if digits.is_empty() {
            0
        } else {
            exponent.parse().unwrap_or(0) + 1
        };
        Self { digits, point }
    }

    fn count(&self) -> usize {
        self.digits.len()
    }

    fn digit(&self, index: usize) -> char {
        self.digits
            .get(index)
            .map_or('0', |digit| char::from(*digit))
    }

    /// With one digit before the point and so many after it.
    fn with_exponent(&self, letter: char, precision: usize) -> String {
        let mut text = String::from(self.digit(0));
        if precision > 0 {
            text.push('.');
            text.extend((1..=precision).map(|index| self.digit(index)));
        }
        let exponent = if self.digits.is_empty() {
            0
        } else {
            self.point - 1
        };
        let sign = if exponent < 0 { '-' } else { '+' };
        text.push_str(&format!("{letter}{sign}{:02}", exponent.unsigned_abs()));
        text
    }

    /// With all its digits and no exponent.
    fn without_exponent(&self) -> String {
        let Ok(point) = usize::try_from(self.point) else {
            let zeros = usize::try_from(self.point.unsigned_abs()).unwrap_or(0);
            let mut text = String::from("0.");
            text.extend(std::iter::repeat_n('0', zeros));
            text.extend(self.digits.iter().map(|digit| char::from(*digit)));
            return text;
        };
        let mut text: String = (0..point).map(|index| self.digit(index)).collect();
        if point == 0 {
            text.push('0');
        }
        if self.digits.len() > point {
            text.push('.');
            text.extend(self.digits[point..].iter().map(|digit| char::from(*digit)));
        }
        text
    }
}

/// Whole mantissa and binary exponent: the number is their product with a power of two.
fn parts(magnitude: f64) -> (u64, i32) {
    let bits = magnitude.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    match i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0) {
        0 => (mantissa, -1074),
        exponent => (mantissa | 1 << 52, exponent - 1075),
    }
}

/// `%x`: `0x1.yyyyp±dd`
fn hexadecimal(magnitude: f64, verb: char, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(magnitude);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // The leading one goes to bit 60, fifteen digits of four bits follow it.
        exponent += 52;
        mantissa <<= 8;
        while mantissa & (1 << 60) == 0 {
            mantissa <<= 1;
            exponent -= 1;
        }
    }
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let dropped = 60 - precision * 4;
        let extra = mantissa & ((1 << dropped) - 1);
        mantissa >>= dropped;
        // To the nearest, and to the even one of two.
        let half = 1 << (dropped - 1);
        if extra > half || (extra == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= dropped;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let digits = match precision {
        None => digits.trim_end_matches('0').to_owned(),
        Some(precision) => {
            let mut digits: String = digits.chars().take(precision).collect();
            let missing = precision - digits.len();
            digits.extend(std::iter::repeat_n('0', missing));
            digits
        }
    };
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    let text = format!(
        "0x{}{point}{digits}p{sign}{:02}",
        mantissa >> 60,
        exponent.unsigned_abs()
    );
    if verb == 'X' {
        text.to_uppercase()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_go() {
        for (value, text) in [
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (3.0, "3"),
            (0.1, "0.1"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (-2.5, "-2.5"),
            (0.0, "0"),
            (-0.0, "-0"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(format_float(value), text);
        }
    }

    #[test]
    fn verbs_and_precisions_are_gos() {
        for (value, verb, precision, text) in [
            (1.0, 'b', None, "4503599627370496p-52"),
            (1.0, 'x', None, "0x1p+00"),
            (5.25, 'X', None, "0X1.5P+02"),
            (1e-5, 'x', Some(2), "0x1.50p-17"),
            (2.5, 'f', Some(0), "2"),
            (2.5, 'e', Some(3), "2.500e+00"),
            (1234.5678, 'g', Some(3), "1.23e+03"),
            (100_000.0, 'g', Some(10), "100000"),
            (1e-7, 'f', None, "0.0000001"),
            (0.0, 'e', Some(2), "0.00e+00"),
        ] {
            assert_eq!(format_float_as(value, verb, precision), text);
        }
        assert_eq!(format_float_as(1.5, 'f', Some(100_000)).len(), 100_002);
    }
}
