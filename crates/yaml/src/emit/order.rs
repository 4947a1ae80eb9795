//! The order of keys.

use std::cmp::Ordering;

/// go-yaml's order of keys: letters by code point and behind everything else, numbers by their value.
pub(super) fn natural_order(a: &str, b: &str) -> Ordering {
    let (left, right): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = left.iter().zip(&right).position(|(a, b)| a != b) else {
        return left.len().cmp(&right.len());
    };
    let (x, y) = (left[at], right[at]);
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // A zero inside of a number is a digit like any other and not a leading one.
    let inside = (x == '0' || y == '0')
        && left[..at]
            .iter()
            .rev()
            .take_while(|letter| letter.is_numeric())
            .any(|letter| *letter != '0');
    let number = |letters: &[char]| {
        let digits = letters[at..]
            .iter()
            .take_while(|letter| letter.is_numeric());
        digits.fold((i64::from(inside), 0_usize), |(number, count), digit| {
            let digit = i64::from(u32::from(*digit)) - i64::from(u32::from('0'));
            (number.wrapping_mul(10).wrapping_add(digit), count + 1)
        })
    };
    number(&left).cmp(&number(&right)).then(x.cmp(&y))
}
