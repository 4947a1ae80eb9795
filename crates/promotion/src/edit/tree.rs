//! A YAML document as nodes that know where they stand in the text.
//!
//! Other readers of YAML forget what an editor needs: styles, duplicates, where a value really ends.

use stagelink_yaml::{Event, EventKind, Events, ScalarStyle};

use super::EditError;

/// The deepest nesting that is edited; values files have a handful of levels.
const MAX_DEPTH: usize = 100;

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) anchor: Option<String>,
    /// Where it begins, its anchor and tag included.
    pub(super) start: usize,
    /// Where it ends as the parser has it: for a block, where the next one begins.
    end: usize,
    /// Line of its beginning, from 1.
    pub(super) line: usize,
    /// Characters before it on its line.
    pub(super) column: usize,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    /// A text, a number, nothing …
    Scalar {
        value: String,
        style: ScalarStyle,
        tagged: bool,
    },
    /// Keys and values in their order, duplicates included; `flow` is `{…}`.
    Map {
        entries: Vec<(Node, Node)>,
        flow: bool,
    },
    /// Items; `flow` is `[…]`.
    List { items: Vec<Node>, flow: bool },
    /// `*name`.
    Alias,
}

impl Node {
    /// Reads a text; none if it has no document, or one with nothing in it but comments.
    pub(super) fn read(text: &str) -> Result<Option<Self>, EditError> {
        let mut events = Events::new(text);
        let mut root = None;
        while let Some(event) = events.next().transpose().map_err(EditError::Yaml)? {
            match event.kind {
                EventKind::DocumentStart { .. } if root.is_some() => {
                    return Err(EditError::SeveralDocuments {
                        line: event.start.line,
                    });
                }
                EventKind::StreamStart
                | EventKind::StreamEnd
                | EventKind::DocumentStart { .. }
                | EventKind::DocumentEnd { .. } => {}
                _ => root = Some(Self::build(event, &mut events, 0)?),
            }
        }
        // A text with no document at all has no event for it, or one for nothing.
        Ok(root.filter(|root| !(root.is_empty() && text[root.start..].trim().is_empty())))
    }

    fn build(event: Event, events: &mut Events<'_>, depth: usize) -> Result<Self, EditError> {
        if depth > MAX_DEPTH {
            return Err(EditError::TooDeep {
                line: event.start.line,
            });
        }
        let (start, line, column) = (event.start.offset, event.start.line, event.start.column - 1);
        let mut end = event.end.offset;
        let mut children = |end: &mut usize| -> Result<Vec<Self>, EditError> {
            let mut children = Vec::new();
            loop {
                let event = match events.next() {
                    Some(event) => event.map_err(EditError::Yaml)?,
                    None => return Ok(children),
                };
                if matches!(event.kind, EventKind::MappingEnd | EventKind::SequenceEnd) {
                    *end = event.end.offset;
                    return Ok(children);
                }
                children.push(Self::build(event, events, depth + 1)?);
            }
        };
        let (kind, anchor) = match event.kind {
            EventKind::Scalar {
                anchor,
                tag,
                value,
                style,
                ..
            } => (
                Kind::Scalar {
                    value,
                    style,
                    tagged: tag.is_some(),
                },
                anchor,
            ),
            EventKind::MappingStart { anchor, flow, .. } => {
                let mut entries = Vec::new();
                let mut nodes = children(&mut end)?.into_iter();
                while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
                    entries.push((key, value));
                }
                (Kind::Map { entries, flow }, anchor)
            }
            EventKind::SequenceStart { anchor, flow, .. } => (
                Kind::List {
                    items: children(&mut end)?,
                    flow,
                },
                anchor,
            ),
            _ => (Kind::Alias, None),
        };
        Ok(Self {
            kind,
            anchor,
            start,
            end,
            line,
            column,
        })
    }

    /// True for a value that is not written at all (`key:`), not even with an anchor or a tag.
    pub(super) fn is_empty(&self) -> bool {
        matches!(
            self.kind,
            Kind::Scalar {
                style: ScalarStyle::Plain,
                ..
            }
        ) && self.start == self.end
    }

    /// True for a `|` or `>` scalar.
    pub(super) fn is_block_scalar(&self) -> bool {
        matches!(
            self.kind,
            Kind::Scalar {
                style: ScalarStyle::Literal | ScalarStyle::Folded,
                ..
            }
        )
    }

    /// Where it begins behind its anchor and tag.
    pub(super) fn content_start(&self, text: &str) -> usize {
        let mut at = self.start;
        while let Some('&' | '!') = text[at..self.end].chars().next() {
            let rest = &text[at..self.end];
            let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let space = rest[word..]
                .find(|c: char| !c.is_whitespace())
                .unwrap_or(rest.len() - word);
            at += word + space;
        }
        at
    }

    /// Where its last written character ends: without comments and empty lines that follow.
    pub(super) fn content_end(&self, text: &str) -> usize {
        match &self.kind {
            Kind::Map {
                entries,
                flow: false,
            } => entries.last().map_or(self.end, |(key, value)| {
                key.content_end(text).max(value.content_end(text))
            }),
            Kind::List { items, flow: false } => {
                items.last().map_or(self.end, |item| item.content_end(text))
            }
            _ if self.is_block_scalar() => {
                let written = text[self.start..self.end].trim_end_matches(['\n', '\r', ' ', '\t']);
                self.start + written.len()
            }
            _ => self.end,
        }
    }

    /// Where a line that follows this node has to be put when the empty lines after it are part of
    /// it (`|+`); none if they are not.
    pub(super) fn kept_lines_end(&self, text: &str) -> Option<usize> {
        match &self.kind {
            Kind::Map {
                entries,
                flow: false,
            } => entries
                .last()
                .and_then(|(_, value)| value.kept_lines_end(text)),
            Kind::List { items, flow: false } => {
                items.last().and_then(|item| item.kept_lines_end(text))
            }
            _ if self.is_block_scalar() => {
                let header = text[self.content_start(text)..]
                    .lines()
                    .next()
                    .unwrap_or_default();
                let indicators = header.split([' ', '\t']).next().unwrap_or_default();
                indicators.contains('+').then_some(self.end)
            }
            _ => None,
        }
    }
}
