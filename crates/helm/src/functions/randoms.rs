//! Random texts and numbers: `randAlphaNum`, `uuidv4`, `shuffle`, …; where they come from, [`super::random`] tells.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stagelink_gotemplate::{FunctionError, FunctionTable, GoString};

use super::random::Draw;
use super::shared::{Surroundings, check_text};

/// What these functions give.
type Result<T> = std::result::Result<T, FunctionError>;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable, surroundings: &Rc<Surroundings>) {
    let draw = |surroundings: &Rc<Surroundings>| {
        let surroundings = Rc::clone(surroundings);
        move || surroundings.randomness.borrow().draw()
    };
    let printable: Vec<u8> = (b' '..=b'~').collect();
    let alphabets = [
        ("randAlpha", LETTERS.to_vec()),
        ("randAlphaNum", [LETTERS, DIGITS].concat()),
        ("randAscii", printable),
        ("randNumeric", DIGITS.to_vec()),
    ];
    for (name, alphabet) in alphabets {
        let next = draw(surroundings);
        table.add(name, move |count: i64| {
            random_text(next(), count, &alphabet)
        });
    }
    let next = draw(surroundings);
    table.add("randBytes", move |count: i64| random_bytes(next(), count));
    let next = draw(surroundings);
    table.add("randInt", move |least: i64, limit: i64| {
        random_integer(next(), least, limit)
    });
    let next = draw(surroundings);
    table.add("shuffle", move |text: GoString| {
        next().shuffle(&text).map(GoString::from)
    });
    let next = draw(surroundings);
    table.add("uuidv4", move || next().uuid());
}

fn random_text(mut draw: Draw, count: i64, alphabet: &[u8]) -> Result<GoString> {
    check_text(count.max(0).unsigned_abs())?;
    Ok(draw.text(count, alphabet)?.into())
}

fn random_bytes(mut draw: Draw, count: i64) -> Result<String> {
    let Ok(count) = u64::try_from(count) else {
        return Err("runtime error: makeslice: len out of range".into());
    };
    check_text(count)?;
    Ok(STANDARD.encode(draw.bytes(count as usize)?))
}

fn random_integer(mut draw: Draw, least: i64, limit: i64) -> Result<i64> {
    match limit
        .checked_sub(least)
        .and_then(|range| u64::try_from(range).ok())
    {
        Some(range @ 1..) => Ok(least.wrapping_add_unsigned(draw.below(range)?)),
        _ => Err("invalid argument to Intn".into()),
    }
}
