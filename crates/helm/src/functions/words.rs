//! Words and cases: `snakecase`, `kebabcase`, `camelcase`, `title`, `wrap`, `abbrev` and their kin.
//!
//! They behave as `huandu/xstrings` and `Masterminds/goutils` do, byte-wise oddities included: charts depend on the results.

use super::text::{
    self, RUNE_ERROR, decode_rune, is_letter, is_lower, is_number, is_punct, is_space, is_title,
    is_upper, map_runes, push_rune, to_lower, to_title, to_upper,
};

/// `strings.Title`: the first letter of each word in title case.
pub(crate) fn title(source: &[u8]) -> Vec<u8> {
    let mut previous = ' ';
    map_runes(source, |rune| {
        let starts_word = is_separator(previous);
        previous = rune;
        if starts_word { to_title(rune) } else { rune }
    })
}

fn is_separator(rune: char) -> bool {
    if rune.is_ascii() {
        return !(rune.is_ascii_alphanumeric() || rune == '_');
    }
    !is_letter(rune) && !text::is_digit(rune) && is_space(rune)
}

/// First letter of each word in lower case.
pub(crate) fn untitle(source: &[u8]) -> Vec<u8> {
    let mut next = true;
    map_runes(source, |rune| {
        if is_space(rune) {
            next = true;
        } else if std::mem::take(&mut next) {
            return to_lower(rune);
        }
        rune
    })
}

/// Upper to lower and back; a lower-case letter after white space becomes title case.
pub(crate) fn swapcase(source: &[u8]) -> Vec<u8> {
    let mut whitespace = true;
    map_runes(source, |rune| {
        if is_upper(rune) || is_title(rune) {
            whitespace = false;
            to_lower(rune)
        } else if is_lower(rune) {
            if std::mem::take(&mut whitespace) {
                to_title(rune)
            } else {
                to_upper(rune)
            }
        } else {
            whitespace = is_space(rune);
            rune
        }
    })
}

/// Removes white space; the original goes byte by byte, so other text than ASCII is mangled once there is a space in it.
pub(crate) fn nospace(source: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(source.len());
    let mut kept = 0;
    for rune in source
        .iter()
        .map(|byte| char::from(*byte))
        .filter(|rune| !is_space(*rune))
    {
        push_rune(&mut out, rune);
        kept += 1;
    }
    if kept == source.len() {
        source.to_vec()
    } else {
        out
    }
}

/// The first byte of each word.
pub(crate) fn initials(source: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut gap = true;
    for rune in source.iter().map(|byte| char::from(*byte)) {
        if is_space(rune) {
            gap = true;
        } else if std::mem::take(&mut gap) {
            push_rune(&mut out, rune);
        }
    }
    out
}

/// Shortens to `width` bytes with `...` at the end.
pub(crate) fn abbrev(width: i64, source: &[u8]) -> Vec<u8> {
    if width < 4 {
        source.to_vec()
    } else {
        abbreviate(source, 0, width)
    }
}

/// Shortens on both sides.
pub(crate) fn abbrevboth(left: i64, right: i64, source: &[u8]) -> Vec<u8> {
    if right < 4 || left > 0 && right < 7 {
        source.to_vec()
    } else {
        abbreviate(source, left, right)
    }
}

fn abbreviate(source: &[u8], offset: i64, width: i64) -> Vec<u8> {
    let length = source.len() as i64;
    if length <= width {
        return source.to_vec();
    }
    let keep = width - 3;
    let mut offset = offset.min(length);
    if length - offset < keep {
        offset = length - keep;
    }
    let cut = |from: i64, to: i64| source.get(from as usize..to as usize).unwrap_or_default();
    if offset <= 4 {
        return [cut(0, keep), b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + keep < length {
        // The original calls itself without an offset on the rest, which fails (and gives nothing) below a width of four.
        let rest = cut(offset, length);
        let shortened = if keep < 4 {
            Vec::new()
        } else {
            abbreviate(rest, 0, keep)
        };
        return [b"...".as_slice(), &shortened].concat();
    }
    [b"...", cut(length - keep, length)].concat()
}

/// Wraps at `width` bytes; words that are longer are broken.
pub(crate) fn wrap(width: i64, separator: &[u8], source: &[u8]) -> Vec<u8> {
    let separator = if separator.is_empty() {
        b"\n".as_slice()
    } else {
        separator
    };
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let mut out = Vec::with_capacity(source.len());
    let mut offset = 0;
    while source.len() - offset > width {
        if source[offset] == b' ' {
            offset += 1;
            continue;
        }
        let window = &source[offset..=offset + width];
        let (line, next) = match window.iter().rposition(|byte| *byte == b' ') {
            Some(space) => (space, space + 1),
            None => (width, width),
        };
        out.extend_from_slice(&source[offset..offset + line]);
        out.extend_from_slice(separator);
        offset += next;
    }
    out.extend_from_slice(&source[offset..]);
    out
}

fn is_connector(rune: char) -> bool {
    matches!(rune, '-' | '_') || is_space(rune)
}

fn is_alphabet(rune: char) -> bool {
    is_letter(rune)
        && !matches!(u32::from(rune), 0x3400..=0x4d85 | 0x4e00..=0x9fcc | 0x20000..=0x2b81d)
}

/// `foo_bar` to `FooBar`; runs of upper case become one capitalised word.
pub(crate) fn camelcase(source: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(source.len());
    let mut rest = source;
    let mut current = RUNE_ERROR;
    let mut size = 0;
    let mut word_is_upper = false;
    while !rest.is_empty() {
        (current, size) = decode_rune(rest);
        rest = &rest[size..];
        if !is_connector(current) {
            word_is_upper = is_upper(current);
            current = to_upper(current);
            break;
        }
        push_rune(&mut out, current);
    }
    if rest.is_empty() {
        if size != 0 {
            push_rune(&mut out, current);
        }
        return out;
    }
    while !rest.is_empty() {
        let previous = current;
        (current, size) = decode_rune(rest);
        rest = &rest[size..];
        if is_connector(current) && is_connector(previous) {
            push_rune(&mut out, previous);
            continue;
        }
        if is_connector(previous) {
            word_is_upper = is_upper(current);
            current = to_upper(current);
        } else {
            if word_is_upper {
                if is_upper(current) {
                    current = to_lower(current);
                } else {
                    word_is_upper = false;
                }
            }
            push_rune(&mut out, previous);
        }
    }
    push_rune(&mut out, current);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Invalid,
    Number,
    UpperCase,
    Alphabet,
    Connector,
    Punctuation,
    Other,
}

/// `FooBarHTTP` to `foo_bar_http` with the given connector.
pub(crate) fn lower_with_connector(source: &[u8], connector: char) -> Vec<u8> {
    let mut out = Vec::with_capacity(source.len() + 8);
    if source.is_empty() {
        return out;
    }
    let (mut kind, mut word, mut rest) = next_word(source);
    let joins = |kind: Word| !matches!(kind, Word::Connector | Word::Punctuation);
    while !rest.is_empty() {
        if kind != Word::Connector {
            write_lower(&mut out, kind, word, connector);
        }
        let (previous, last) = (kind, word);
        (kind, word, rest) = next_word(rest);
        match previous {
            Word::Number => {
                while matches!(kind, Word::Alphabet | Word::Number) {
                    write_lower(&mut out, kind, word, connector);
                    (kind, word, rest) = next_word(rest);
                }
                if kind != Word::Invalid && joins(kind) {
                    push_rune(&mut out, connector);
                }
            }
            Word::Connector => write_lower(&mut out, previous, last, connector),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if joins(kind) {
                    push_rune(&mut out, connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = word;
                (kind, word, rest) = next_word(rest);
                if kind != Word::Alphabet {
                    // A number belongs to the word before it: Bld4Floor is bld4_floor.
                    write_lower(&mut out, Word::Number, number, connector);
                    if joins(kind) {
                        push_rune(&mut out, connector);
                    }
                    continue;
                }
                // Lower case after a number belongs to the number: HTTP2xx is http_2xx.
                push_rune(&mut out, connector);
                write_lower(&mut out, Word::Number, number, connector);
                while matches!(kind, Word::Alphabet | Word::Number) {
                    write_lower(&mut out, kind, word, connector);
                    (kind, word, rest) = next_word(rest);
                }
                if kind != Word::Invalid && joins(kind) {
                    push_rune(&mut out, connector);
                }
            }
        }
    }
    write_lower(&mut out, kind, word, connector);
    out
}

fn write_lower(out: &mut Vec<u8>, kind: Word, word: &[u8], connector: char) {
    if !matches!(kind, Word::UpperCase | Word::Connector) {
        out.extend_from_slice(word);
        return;
    }
    for rune in text::runes(word) {
        push_rune(
            out,
            if is_connector(rune) {
                connector
            } else {
                to_lower(rune)
            },
        );
    }
}

/// The next character that is valid, skipping the rest; `previous` when there is none.
fn next_valid(mut rest: &[u8], previous: char) -> (char, usize) {
    let mut skipped = 0;
    while !rest.is_empty() {
        let (rune, size) = decode_rune(rest);
        skipped += size;
        if rune != RUNE_ERROR {
            return (rune, skipped);
        }
        rest = &rest[size..];
    }
    (previous, skipped)
}

fn next_word(source: &[u8]) -> (Word, &[u8], &[u8]) {
    if source.is_empty() {
        return (Word::Invalid, &[], &[]);
    }
    let (rune, size) = next_valid(source, RUNE_ERROR);
    if rune == RUNE_ERROR {
        return (Word::Invalid, &source[..size], &source[size..]);
    }
    let mut offset = size;
    let mut take_while = |belongs: &dyn Fn(char, usize) -> bool| {
        let mut previous = rune;
        while offset < source.len() {
            let (next, size) = next_valid(&source[offset..], previous);
            if !belongs(next, size) {
                break;
            }
            previous = next;
            offset += size;
        }
    };
    let kind = if is_connector(rune) {
        take_while(&|next, _| is_connector(next));
        Word::Connector
    } else if is_punct(rune) {
        take_while(&|next, _| is_punct(next));
        Word::Punctuation
    } else if is_upper(rune) {
        upper_word(source, rune, &mut offset);
        Word::UpperCase
    } else if is_alphabet(rune) {
        take_while(&|next, _| is_alphabet(next) && !is_upper(next));
        Word::Alphabet
    } else if is_number(rune) {
        take_while(&|next, _| is_number(next));
        Word::Number
    } else {
        take_while(&|next, size| {
            size != 0
                && !is_connector(next)
                && !is_alphabet(next)
                && !is_number(next)
                && !is_punct(next)
        });
        Word::Other
    };
    (kind, &source[..offset], &source[offset..])
}

/// A word that starts with upper case: `Status`, or `HTTP` of `HTTPStatus`.
fn upper_word(source: &[u8], first: char, offset: &mut usize) {
    if *offset >= source.len() {
        return;
    }
    let (mut next, mut size) = next_valid(&source[*offset..], first);
    if is_upper(next) {
        let mut last_size = size;
        *offset += size;
        while *offset < source.len() {
            (next, size) = next_valid(&source[*offset..], next);
            if !is_upper(next) {
                break;
            }
            last_size = size;
            *offset += size;
        }
        if *offset < source.len() && is_alphabet(next) {
            *offset -= last_size;
        }
    } else if is_alphabet(next) {
        *offset += size;
        while *offset < source.len() {
            (next, size) = next_valid(&source[*offset..], next);
            if !is_alphabet(next) || is_upper(next) {
                break;
            }
            *offset += size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(function: impl Fn(&[u8]) -> Vec<u8>, cases: &[(&str, &str)]) {
        for (source, expected) in cases {
            assert_eq!(
                String::from_utf8_lossy(&function(source.as_bytes())),
                *expected,
                "{source:?}"
            );
        }
    }

    #[test]
    fn snakecase() {
        check(
            |source| lower_with_connector(source, '_'),
            &[
                ("FooBar", "foo_bar"),
                ("HTTPServer", "http_server"),
                ("FirstName", "first_name"),
                ("NoHTTPS", "no_https"),
                ("GO_PATH", "go_path"),
                ("GO PATH", "go_path"),
                ("HTTP2xx", "http_2xx"),
                ("Bld4Floor", "bld4_floor"),
                ("http2", "http2"),
                ("HELLO----你好", "hello____你好"),
                ("a.b", "a.b"),
                ("", ""),
            ],
        );
    }

    #[test]
    fn camelcase_words() {
        check(
            camelcase,
            &[
                ("foo_bar", "FooBar"),
                ("http_server", "HttpServer"),
                ("_id", "_Id"),
                ("OPTIONS", "Options"),
                ("a", "A"),
                ("__", "___"),
                ("", ""),
            ],
        );
    }

    #[test]
    fn titles_and_swaps() {
        check(title, &[("o'neil foo-bar x_y", "O'Neil Foo-Bar X_y")]);
        check(untitle, &[("Foo Bar", "foo bar")]);
        check(swapcase, &[("This Is A.Test", "tHIS iS a.tEST")]);
        check(initials, &[("First Try", "FT")]);
        check(nospace, &[(" h e l l o ", "hello"), ("é", "é")]);
    }

    #[test]
    fn abbreviations_and_wraps() {
        check(
            |source| abbrev(5, source),
            &[("hello world", "he..."), ("hey", "hey")],
        );
        check(
            |source| abbrevboth(5, 10, source),
            &[("1234 5678 9123", "...5678...")],
        );
        check(
            |source| wrap(5, b"", source),
            &[
                ("Hello World", "Hello\nWorld"),
                ("abcdefghij k", "abcde\nfghij\nk"),
            ],
        );
        check(
            |source| wrap(5, b"\t", source),
            &[("Hello World", "Hello\tWorld")],
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(source in proptest::collection::vec(proptest::num::u8::ANY, 0..32), left in -9_i64..40, right in -9_i64..40) {
            for function in [title, untitle, swapcase, nospace, initials, camelcase] {
                function(&source);
            }
            lower_with_connector(&source, '_');
            abbrev(left, &source);
            abbrevboth(left, right, &source);
            let wrapped = wrap(left, b"\n", &source);
            assert!(wrapped.len() <= 2 * source.len() + 1);
        }
    }
}
