//! Decimal arithmetic behind `addf`, `subf`, `mulf`, `divf`: `0.1 + 0.2` is `0.3`.
//!
//! As `shopspring/decimal`: exact, but for division, which keeps 16 decimals, rounded half away from zero.

use std::cmp::Ordering;

/// Decimals that division keeps.
const DIVISION_PRECISION: i64 = 16;

/// `digits × 10^exponent`; digits from the most significant, without leading zeros; zero has none.
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    /// The shortest decimal that reads back as `value`.
    ///
    /// # Errors
    /// NaN and infinities have none.
    pub(crate) fn from_f64(value: f64) -> Result<Self, String> {
        if !value.is_finite() {
            let name = if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            return Err(format!("Cannot create a Decimal from {name}"));
        }
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let fraction = mantissa
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len());
        let digits = mantissa
            .bytes()
            .filter(u8::is_ascii_digit)
            .map(|digit| digit - b'0')
            .collect();
        let exponent = exponent.parse::<i64>().unwrap_or(0) - fraction as i64;
        Ok(Self {
            negative: value < 0.0,
            digits: without_leading_zeros(digits),
            exponent,
        })
    }

    /// The nearest float.
    pub(crate) fn to_f64(&self) -> f64 {
        let mut text = String::from(if self.negative { "-" } else { "" });
        text.extend(self.digits.iter().map(|digit| char::from(b'0' + digit)));
        if self.digits.is_empty() {
            text.push('0');
        }
        format!("{text}e{}", self.exponent).parse().unwrap_or(0.0)
    }

    /// Digits that it takes to write the number out.
    pub(crate) fn size(&self) -> u64 {
        self.digits.len() as u64 + self.exponent.unsigned_abs()
    }

    /// Sum.
    pub(crate) fn add(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        let (left, right) = (self.scaled(exponent), other.scaled(exponent));
        if self.negative == other.negative {
            return Self {
                negative: self.negative,
                digits: add(&left, &right),
                exponent,
            };
        }
        match compare(&left, &right) {
            Ordering::Less => Self {
                negative: other.negative,
                digits: subtract(&right, &left),
                exponent,
            },
            _ => Self {
                negative: self.negative,
                digits: subtract(&left, &right),
                exponent,
            },
        }
    }

    /// Difference.
    pub(crate) fn sub(&self, other: &Self) -> Self {
        self.add(&Self {
            negative: !other.negative,
            ..other.clone()
        })
    }

    /// Product.
    pub(crate) fn mul(&self, other: &Self) -> Self {
        let mut product = vec![0_u32; self.digits.len() + other.digits.len()];
        for (i, left) in self.digits.iter().enumerate().rev() {
            let mut carry = 0;
            for (j, right) in other.digits.iter().enumerate().rev() {
                let sum = product[i + j + 1] + u32::from(*left) * u32::from(*right) + carry;
                product[i + j + 1] = sum % 10;
                carry = sum / 10;
            }
            product[i] += carry;
        }
        Self {
            negative: self.negative != other.negative,
            digits: without_leading_zeros(product.into_iter().map(|digit| digit as u8).collect()),
            exponent: self.exponent + other.exponent,
        }
    }

    /// Quotient with 16 decimals.
    ///
    /// # Errors
    /// Division by zero.
    pub(crate) fn div(&self, other: &Self) -> Result<Self, String> {
        if other.digits.is_empty() {
            return Err("decimal division by 0".to_owned());
        }
        let shift = self.exponent - other.exponent + DIVISION_PRECISION;
        let (mut numerator, mut denominator) = (self.digits.clone(), other.digits.clone());
        let zeros = vec![0; usize::try_from(shift.unsigned_abs()).unwrap_or(0)];
        if shift >= 0 {
            numerator.extend(zeros)
        } else {
            denominator.extend(zeros)
        }
        let (quotient, rest) = divide(&numerator, &denominator);
        let digits = if compare(&add(&rest, &rest), &denominator) == Ordering::Less {
            quotient
        } else {
            add(&quotient, &[1])
        };
        Ok(Self {
            negative: self.negative != other.negative,
            digits,
            exponent: -DIVISION_PRECISION,
        })
    }

    fn scaled(&self, exponent: i64) -> Vec<u8> {
        let mut digits = self.digits.clone();
        if !digits.is_empty() {
            digits.extend(std::iter::repeat_n(
                0,
                usize::try_from(self.exponent - exponent).unwrap_or(0),
            ));
        }
        digits
    }
}

fn without_leading_zeros(mut digits: Vec<u8>) -> Vec<u8> {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..zeros);
    digits
}

fn compare(left: &[u8], right: &[u8]) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

fn add(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut sum = Vec::with_capacity(left.len().max(right.len()) + 1);
    let mut carry = 0;
    let (mut left, mut right) = (left.iter().rev(), right.iter().rev());
    loop {
        let (a, b) = (left.next(), right.next());
        if a.is_none() && b.is_none() && carry == 0 {
            break;
        }
        let digit = a.copied().unwrap_or(0) + b.copied().unwrap_or(0) + carry;
        sum.push(digit % 10);
        carry = digit / 10;
    }
    sum.reverse();
    without_leading_zeros(sum)
}

/// `left - right`, where `left` is not the smaller one.
fn subtract(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut difference = left.to_vec();
    let offset = left.len() - right.len();
    let mut borrow = 0;
    for index in (0..left.len()).rev() {
        let taken = borrow + index.checked_sub(offset).map_or(0, |index| right[index]);
        borrow = u8::from(difference[index] < taken);
        difference[index] = difference[index] + 10 * borrow - taken;
    }
    without_leading_zeros(difference)
}

fn divide(numerator: &[u8], denominator: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut quotient = Vec::with_capacity(numerator.len());
    let mut rest: Vec<u8> = Vec::new();
    for digit in numerator {
        if !(rest.is_empty() && *digit == 0) {
            rest.push(*digit);
        }
        let mut times = 0;
        while compare(&rest, denominator) != Ordering::Less {
            rest = subtract(&rest, denominator);
            times += 1;
        }
        quotient.push(times);
    }
    (without_leading_zeros(quotient), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(value: f64) -> Decimal {
        Decimal::from_f64(value).unwrap()
    }

    #[test]
    fn calculates_in_decimal() {
        assert_eq!(decimal(0.1).add(&decimal(0.2)).to_f64(), 0.3);
        assert_eq!(decimal(1.5).sub(&decimal(3.0)).to_f64(), -1.5);
        assert_eq!(decimal(1.1).mul(&decimal(-3.0)).to_f64(), -3.3);
        assert_eq!(decimal(0.0).mul(&decimal(7.0)).to_f64(), 0.0);
        assert_eq!(
            decimal(1.0).div(&decimal(3.0)).unwrap().to_f64(),
            0.333_333_333_333_333_3
        );
        assert_eq!(
            decimal(2.0).div(&decimal(3.0)).unwrap().to_f64(),
            0.666_666_666_666_666_7
        );
        assert_eq!(decimal(10.0).div(&decimal(4.0)).unwrap().to_f64(), 2.5);
        assert_eq!(decimal(1e300).add(&decimal(1e-300)).to_f64(), 1e300);
        assert_eq!(decimal(1000.0).div(&decimal(1e20)).unwrap().to_f64(), 0.0);
    }

    #[test]
    fn refuses_what_has_no_decimal() {
        assert_eq!(
            Decimal::from_f64(f64::NAN).unwrap_err(),
            "Cannot create a Decimal from NaN"
        );
        assert_eq!(
            decimal(1.0).div(&decimal(0.0)).unwrap_err(),
            "decimal division by 0"
        );
    }

    proptest::proptest! {
        #[test]
        fn a_float_survives(value in proptest::num::f64::NORMAL) {
            assert_eq!(decimal(value).to_f64(), value);
        }
    }
}
