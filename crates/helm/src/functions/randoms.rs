//! Random texts and numbers: `randAlphaNum`, `uuidv4`, `shuffle`, …; where they come from, [`super::random`] tells.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stagelink_gotemplate::Value;

use super::entry::Type::{Int, Text};
use super::entry::{Arguments, Entry, Outcome, Surroundings, check_text, text, within};

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";
const BOTH: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) const FUNCTIONS: &[Entry] = &[
    within("randAlpha", &[Int], |around, call| {
        random_text(around, call, LETTERS)
    }),
    within("randAlphaNum", &[Int], |around, call| {
        random_text(around, call, BOTH)
    }),
    within("randAscii", &[Int], |around, call| {
        let printable: Vec<u8> = (b' '..=b'~').collect();
        random_text(around, call, &printable)
    }),
    within("randBytes", &[Int], |around, call| {
        let Ok(count) = u64::try_from(call.int(0)?) else {
            return Err("runtime error: makeslice: len out of range".into());
        };
        check_text(count)?;
        text(STANDARD.encode(around.randomness.borrow().draw().bytes(count as usize)?))
    }),
    within("randInt", &[Int, Int], |around, call| {
        let (least, limit) = (call.int(0)?, call.int(1)?);
        match limit
            .checked_sub(least)
            .and_then(|range| u64::try_from(range).ok())
        {
            Some(range @ 1..) => Ok(Value::Int(
                least.wrapping_add_unsigned(around.randomness.borrow().draw().below(range)?),
            )),
            _ => Err("invalid argument to Intn".into()),
        }
    }),
    within("randNumeric", &[Int], |around, call| {
        random_text(around, call, DIGITS)
    }),
    within("shuffle", &[Text], |around, call| {
        text(around.randomness.borrow().draw().shuffle(call.text(0)?)?)
    }),
    within("uuidv4", &[], |around, _| {
        text(around.randomness.borrow().draw().uuid()?)
    }),
];

fn random_text(around: &Surroundings, call: Arguments<'_>, alphabet: &[u8]) -> Outcome {
    let count = call.int(0)?;
    check_text(count.max(0).unsigned_abs())?;
    text(around.randomness.borrow().draw().text(count, alphabet)?)
}
