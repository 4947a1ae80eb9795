//! Numbers and quotes as Go's `strconv` reads and writes them.

mod float;
mod number;
mod quote;

pub use float::{format_float, format_float_as};
pub use number::{parse_float, parse_int, parse_uint};
pub(crate) use quote::first_characters;
pub use quote::{
    CharacterError, can_backquote, is_printable, quote, quote_character, quote_character_to_ascii,
    quote_to_ascii, unquote, unquote_character,
};
