//! The one place with unsafe code: libyaml's event parser (the Rust translation `unsafe-libyaml-norway`) as a safe iterator.
#![allow(
    unsafe_code,
    reason = "libyaml's event interface is made of raw pointers; all of them stay in this file"
)]

use crate::{Error, Position, ScalarStyle};
use std::ffi::CStr;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, addr_of_mut};
#[allow(
    clippy::unsafe_removed_from_name,
    reason = "`sys::` reads better on every line; the file says what it is"
)]
use unsafe_libyaml_norway as sys;

/// What the parser met, and from where to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it is.
    pub kind: EventKind,
    /// Its first character.
    pub start: Position,
    /// After its last character. A block collection ends where the next token begins, so after its trailing comments.
    pub end: Position,
}

/// Kinds of [`Event`], as libyaml has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The first event.
    StreamStart,
    /// The last event.
    StreamEnd,
    /// A document begins.
    DocumentStart {
        /// With `---`.
        explicit: bool,
    },
    /// A document ends.
    DocumentEnd {
        /// With `...`.
        explicit: bool,
    },
    /// `*anchor`.
    Alias {
        /// The anchor's name.
        anchor: String,
    },
    /// A scalar.
    Scalar {
        /// `&anchor`.
        anchor: Option<String>,
        /// The tag, in its long form (`tag:yaml.org,2002:str`) or as written (`!custom`).
        tag: Option<String>,
        /// The text after unquoting, unfolding and unescaping.
        value: String,
        /// How it is written.
        style: ScalarStyle,
        /// A plain scalar without a tag (or with `!`): its text decides its type.
        implicit: bool,
    },
    /// A sequence begins.
    SequenceStart {
        /// `&anchor`.
        anchor: Option<String>,
        /// `[a, b]` and not one item per line.
        flow: bool,
    },
    /// A sequence ends.
    SequenceEnd,
    /// A mapping begins.
    MappingStart {
        /// `&anchor`.
        anchor: Option<String>,
        /// `{a: b}` and not one entry per line.
        flow: bool,
    },
    /// A mapping ends.
    MappingEnd,
}

/// The events of a text, one after the other; ends after [`EventKind::StreamEnd`] or the first error.
///
/// ```
/// use stagelink_yaml::{EventKind, Events};
/// let scalars = Events::new("a: [1, 'two']").filter(|event| matches!(event, Ok(event) if matches!(event.kind, EventKind::Scalar { .. })));
/// assert_eq!(scalars.count(), 3);
/// ```
pub struct Events<'input> {
    /// Owned; on the heap, because libyaml keeps a pointer to the parser inside the parser.
    parser: NonNull<sys::yaml_parser_t>,
    /// Bytes of a UTF-8 byte order mark, which libyaml skips without counting.
    skipped: usize,
    length: usize,
    done: bool,
    /// libyaml reads the input through a raw pointer for as long as the parser lives.
    input: PhantomData<&'input [u8]>,
}

impl<'input> Events<'input> {
    /// Begins to read `input`; nothing is read before the first event is asked for.
    pub fn new<I: AsRef<[u8]> + ?Sized>(input: &'input I) -> Self {
        let input = input.as_ref();
        let length = input.len();
        // go-yaml reads an empty text as one line break.
        let input = if input.is_empty() { b"\n" } else { input };
        let memory =
            Box::into_raw(Box::<sys::yaml_parser_t>::new_uninit()).cast::<sys::yaml_parser_t>();
        // SAFETY: `memory` is a live, exclusively owned allocation of the right size. `yaml_parser_initialize` writes all of
        // it (it fails only by aborting when memory runs out, and leaves a zeroed parser otherwise). `input` outlives the
        // parser because of 'input.
        let parser = unsafe {
            let _ = sys::yaml_parser_initialize(memory);
            sys::yaml_parser_set_input_string(memory, input.as_ptr(), input.len() as u64);
            NonNull::new_unchecked(memory)
        };
        let skipped = if input.starts_with(b"\xEF\xBB\xBF") {
            3
        } else {
            0
        };
        Self {
            parser,
            skipped,
            length,
            done: false,
            input: PhantomData,
        }
    }

    fn place(&self, mark: sys::yaml_mark_t) -> Position {
        Position {
            offset: usize::try_from(mark.index)
                .map_or(self.length, |index| self.length.min(index + self.skipped)),
            line: usize::try_from(mark.line).unwrap_or(usize::MAX) + 1,
            column: usize::try_from(mark.column).unwrap_or(usize::MAX) + 1,
        }
    }

    /// The parser's error in go-yaml's words: it takes the line of the problem, counted from 0 except for scanner errors,
    /// else that of the context, and prints none when both are the first line.
    fn error(&self) -> Error {
        // SAFETY: the parser is initialised and lives; `problem` is null or a static C string of libyaml.
        let (problem, scanner, mark, context) = unsafe {
            let parser = self.parser.as_ref();
            let problem = NonNull::new(parser.problem.cast_mut());
            let problem = problem.map(|text| {
                CStr::from_ptr(text.as_ptr().cast())
                    .to_string_lossy()
                    .into_owned()
            });
            (
                problem,
                parser.error == sys::yaml_error_type_t::YAML_SCANNER_ERROR,
                parser.problem_mark,
                parser.context_mark,
            )
        };
        let line = match (mark.line, context.line) {
            (0, context) => context,
            (line, _) => line + u64::from(scanner),
        };
        Error::Syntax {
            problem: problem.unwrap_or_else(|| "unknown problem parsing YAML content".into()),
            line: usize::try_from(line).unwrap_or(usize::MAX),
            position: self.place(if mark.line == 0 && mark.index == 0 {
                context
            } else {
                mark
            }),
        }
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let mut event = MaybeUninit::<sys::yaml_event_t>::uninit();
        // SAFETY: the parser is initialised and exclusively borrowed. On success libyaml has filled `event`, which is read
        // and then deleted exactly once; on failure it holds nothing that would have to be freed.
        let converted = unsafe {
            if sys::yaml_parser_parse(self.parser.as_ptr(), event.as_mut_ptr()).fail {
                None
            } else {
                let event = event.assume_init_mut();
                let converted = convert(event).map(|kind| (kind, event.start_mark, event.end_mark));
                sys::yaml_event_delete(addr_of_mut!(*event));
                converted
            }
        };
        let Some((kind, start, end)) = converted else {
            self.done = true;
            return Some(Err(self.error()));
        };
        self.done = kind == EventKind::StreamEnd;
        Some(Ok(Event {
            kind,
            start: self.place(start),
            end: self.place(end),
        }))
    }
}

impl Drop for Events<'_> {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`, deleted only here; the memory came from a Box of the same type.
        unsafe {
            sys::yaml_parser_delete(self.parser.as_ptr());
            drop(Box::from_raw(
                self.parser
                    .as_ptr()
                    .cast::<MaybeUninit<sys::yaml_parser_t>>(),
            ));
        }
    }
}

/// Copies what an event holds.
///
/// # Safety
/// `event` was filled by a successful `yaml_parser_parse` and not deleted since.
unsafe fn convert(event: &sys::yaml_event_t) -> Option<EventKind> {
    // SAFETY: the union's field is the one that the type names; strings are null or null-terminated, and a scalar's value
    // has `length` bytes.
    unsafe {
        let data = &event.data;
        Some(match event.type_ {
            sys::yaml_event_type_t::YAML_STREAM_START_EVENT => EventKind::StreamStart,
            sys::yaml_event_type_t::YAML_STREAM_END_EVENT => EventKind::StreamEnd,
            sys::yaml_event_type_t::YAML_DOCUMENT_START_EVENT => EventKind::DocumentStart {
                explicit: !data.document_start.implicit,
            },
            sys::yaml_event_type_t::YAML_DOCUMENT_END_EVENT => EventKind::DocumentEnd {
                explicit: !data.document_end.implicit,
            },
            sys::yaml_event_type_t::YAML_ALIAS_EVENT => EventKind::Alias {
                anchor: string(data.alias.anchor).unwrap_or_default(),
            },
            sys::yaml_event_type_t::YAML_SCALAR_EVENT => {
                let length = usize::try_from(data.scalar.length).unwrap_or(0);
                let value = if data.scalar.value.is_null() {
                    &[]
                } else {
                    std::slice::from_raw_parts(data.scalar.value, length)
                };
                EventKind::Scalar {
                    anchor: string(data.scalar.anchor),
                    tag: string(data.scalar.tag),
                    value: String::from_utf8_lossy(value).into_owned(),
                    style: match data.scalar.style {
                        sys::yaml_scalar_style_t::YAML_SINGLE_QUOTED_SCALAR_STYLE => {
                            ScalarStyle::SingleQuoted
                        }
                        sys::yaml_scalar_style_t::YAML_DOUBLE_QUOTED_SCALAR_STYLE => {
                            ScalarStyle::DoubleQuoted
                        }
                        sys::yaml_scalar_style_t::YAML_LITERAL_SCALAR_STYLE => ScalarStyle::Literal,
                        sys::yaml_scalar_style_t::YAML_FOLDED_SCALAR_STYLE => ScalarStyle::Folded,
                        _ => ScalarStyle::Plain,
                    },
                    implicit: data.scalar.plain_implicit,
                }
            }
            sys::yaml_event_type_t::YAML_SEQUENCE_START_EVENT => EventKind::SequenceStart {
                anchor: string(data.sequence_start.anchor),
                flow: data.sequence_start.style
                    == sys::yaml_sequence_style_t::YAML_FLOW_SEQUENCE_STYLE,
            },
            sys::yaml_event_type_t::YAML_SEQUENCE_END_EVENT => EventKind::SequenceEnd,
            sys::yaml_event_type_t::YAML_MAPPING_START_EVENT => EventKind::MappingStart {
                anchor: string(data.mapping_start.anchor),
                flow: data.mapping_start.style
                    == sys::yaml_mapping_style_t::YAML_FLOW_MAPPING_STYLE,
            },
            sys::yaml_event_type_t::YAML_MAPPING_END_EVENT => EventKind::MappingEnd,
            _ => return None,
        })
    }
}

/// A C string of libyaml, or nothing for null.
///
/// # Safety
/// `text` is null or points to a null-terminated string.
unsafe fn string(text: *const u8) -> Option<String> {
    // SAFETY: by the caller's promise.
    (!text.is_null()).then(|| {
        unsafe { CStr::from_ptr(text.cast()) }
            .to_string_lossy()
            .into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn places(text: &str) -> Vec<(&str, usize, usize)> {
        Events::new(text)
            .map(|event| event.expect(text))
            .filter(|event| matches!(event.kind, EventKind::Scalar { .. }))
            .map(|event| {
                (
                    &text[event.start.offset..event.end.offset],
                    event.start.line,
                    event.start.column,
                )
            })
            .collect()
    }

    #[test]
    fn scalars_know_their_bytes() {
        assert_eq!(
            places("a: ü # c\n\"b\": 'x y'\n"),
            [("a", 1, 1), ("ü", 1, 4), ("\"b\"", 2, 1), ("'x y'", 2, 6)]
        );
        assert_eq!(places("\u{feff}a: b\n"), [("a", 1, 1), ("b", 1, 4)]);
        assert_eq!(
            places("ä: ö\né: z"),
            [("ä", 1, 1), ("ö", 1, 4), ("é", 2, 1), ("z", 2, 4)]
        );
        assert_eq!(
            places("a:\nb: |\n  x\n  y\nc: 1\n")[3..],
            [("|\n  x\n  y\n", 2, 4), ("c", 5, 1), ("1", 5, 4)]
        );
        assert_eq!(places("a:\nb: 1\n")[1], ("", 1, 3));
    }

    #[test]
    fn errors_carry_go_yamls_line() {
        for (text, message) in [
            (
                "a: b: c",
                "yaml: mapping values are not allowed in this context",
            ),
            (
                "x: 1\na: b: c",
                "yaml: line 2: mapping values are not allowed in this context",
            ),
            (
                "a:\n- b\n  c: d\n",
                "yaml: line 3: mapping values are not allowed in this context",
            ),
            (
                "a: [1\nb: 2\n",
                "yaml: line 1: did not find expected ',' or ']'",
            ),
            ("a: \"x\n", "yaml: line 2: found unexpected end of stream"),
            (
                "\tx: 1",
                "yaml: found character that cannot start any token",
            ),
            ("a: 1\nb\n", "yaml: line 3: could not find expected ':'"),
        ] {
            let error = Events::new(text).find_map(Result::err).expect(text);
            assert_eq!(error.to_string(), message, "{text:?}");
        }
    }

    #[test]
    fn an_error_is_the_last_item() {
        let mut events = Events::new("a: [");
        assert!(events.by_ref().any(|event| event.is_err()));
        assert!(events.next().is_none());
        // A parser that is given up early frees what it holds.
        drop(Events::new("a: [b, {c: d}]").nth(4));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Events::new(&bytes).count();
        }

        #[test]
        fn anything_yamlish_ends(text in "[-a:?{}\\[\\],&*!|>'\"%#@ \n\t0.~<]{0,80}") {
            for event in Events::new(&text).map_while(Result::ok) {
                prop_assert!(event.start.offset <= event.end.offset);
                prop_assert!(text.get(event.start.offset..event.end.offset).is_some());
            }
        }
    }
}
