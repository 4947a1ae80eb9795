use crate::document::{Document, Entry};
use crate::resolve::{Scalar, resolve_plain, resolve_tagged};
use crate::{Error, MAX_DEPTH, Position};

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarStyle {
    /// `text`
    Plain,
    /// `'text'`
    SingleQuoted,
    /// `"text"`
    DoubleQuoted,
    /// `|` and lines
    Literal,
    /// `>` and lines
    Folded,
}

/// What a [`Node`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A scalar; also the nothing after `key:`.
    Scalar,
    /// A list.
    Sequence,
    /// A map.
    Mapping,
    /// `*anchor`, see [`Node::target`].
    Alias,
}

pub(crate) type Id = usize;

#[derive(Clone, Debug)]
pub(crate) enum Data {
    Scalar {
        value: String,
        tag: Option<String>,
        style: ScalarStyle,
        implicit: bool,
    },
    Sequence {
        items: Vec<Id>,
        flow: bool,
    },
    Mapping {
        entries: Vec<(Id, Id)>,
        flow: bool,
    },
    Alias {
        target: Id,
        anchor: String,
    },
}

/// One node of a [`Document`]. Methods that look inside follow an alias by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Node<'document> {
    pub(crate) document: &'document Document,
    pub(crate) id: Id,
}

impl<'document> Node<'document> {
    fn entry(self) -> Option<&'document Entry> {
        self.document.nodes.get(self.id)
    }

    pub(crate) fn data(self) -> &'document Data {
        const NOTHING: &Data = &Data::Scalar {
            value: String::new(),
            tag: None,
            style: ScalarStyle::Plain,
            implicit: true,
        };
        self.entry().map_or(NOTHING, |entry| &entry.data)
    }

    pub(crate) fn with(self, id: Id) -> Self {
        Self { id, ..self }
    }

    pub(crate) fn id(self) -> Id {
        self.id
    }

    /// Where it begins (of a block mapping: its first key).
    pub fn start(self) -> Position {
        self.entry().map(|entry| entry.start).unwrap_or_default()
    }

    /// After its last character: for a block collection the end of its last child, so without comments that follow. A literal
    /// or folded scalar ends with its last line break.
    pub fn end(self) -> Position {
        self.entry().map(|entry| entry.end).unwrap_or_default()
    }

    /// What it is; an alias is not followed.
    pub fn kind(self) -> NodeKind {
        match self.data() {
            Data::Scalar { .. } => NodeKind::Scalar,
            Data::Sequence { .. } => NodeKind::Sequence,
            Data::Mapping { .. } => NodeKind::Mapping,
            Data::Alias { .. } => NodeKind::Alias,
        }
    }

    /// What an alias names; any other node itself.
    #[must_use]
    pub fn target(self) -> Self {
        match self.data() {
            // An alias always points to a collection or a scalar: an alias cannot have an anchor.
            Data::Alias { target, .. } => self.with(*target),
            _ => self,
        }
    }

    /// The anchor's name of an alias.
    pub fn alias(self) -> Option<&'document str> {
        match self.data() {
            Data::Alias { anchor, .. } => Some(anchor),
            _ => None,
        }
    }

    /// Written as `[a]` or `{a: b}`; false for a scalar.
    pub fn is_flow(self) -> bool {
        matches!(
            self.data(),
            Data::Sequence { flow: true, .. } | Data::Mapping { flow: true, .. }
        )
    }

    /// How a scalar is written; an alias is not followed.
    pub fn style(self) -> Option<ScalarStyle> {
        match self.data() {
            Data::Scalar { style, .. } => Some(*style),
            _ => None,
        }
    }

    /// A scalar's tag as written, `!!str` in its long form.
    pub fn tag(self) -> Option<&'document str> {
        match self.target().data() {
            Data::Scalar { tag, .. } => tag.as_deref(),
            _ => None,
        }
    }

    /// A scalar's text, whatever it means.
    pub fn text(self) -> Option<&'document str> {
        match self.target().data() {
            Data::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// What a scalar means.
    ///
    /// # Errors
    /// A tag that its text contradicts. For a collection the result is [`None`].
    pub fn scalar(self) -> Option<Result<Scalar, Error>> {
        let node = self.target();
        let Data::Scalar {
            value,
            tag,
            implicit,
            ..
        } = node.data()
        else {
            return None;
        };
        Some(match tag {
            None if *implicit => Ok(resolve_plain(value)),
            None => Ok(Scalar::String(value.clone())),
            Some(tag) => resolve_tagged(tag, value).map_err(|problem| Error::Content {
                problem,
                position: node.start(),
            }),
        })
    }

    /// Nothing, `~` or `null`.
    pub fn is_null(self) -> bool {
        matches!(self.scalar(), Some(Ok(Scalar::Null)))
    }

    /// A list's items; empty for everything else.
    pub fn items(self) -> impl ExactSizeIterator<Item = Self> + 'document {
        let items: &[Id] = match self.target().data() {
            Data::Sequence { items, .. } => items,
            _ => &[],
        };
        items.iter().map(move |id| self.with(*id))
    }

    /// A map's entries as written, so with duplicates and merge keys; empty for everything else.
    pub fn entries(
        self,
    ) -> impl DoubleEndedIterator<Item = (Self, Self)> + ExactSizeIterator + 'document {
        let entries: &[(Id, Id)] = match self.target().data() {
            Data::Mapping { entries, .. } => entries,
            _ => &[],
        };
        entries
            .iter()
            .map(move |(key, value)| (self.with(*key), self.with(*value)))
    }

    /// The value of a map's key as Helm sees it: the last one counts, merge keys included.
    pub fn get(self, key: &str) -> Option<Self> {
        self.get_within(key, MAX_DEPTH)
    }

    fn get_within(self, wanted: &str, depth: usize) -> Option<Self> {
        let depth = depth.checked_sub(1)?;
        self.entries().rev().find_map(|(key, value)| {
            if !key.is_merge_key() {
                return (key.key().as_deref() == Some(wanted)).then_some(value);
            }
            match value.target().data() {
                // Earlier maps of a list take precedence.
                Data::Sequence { .. } => {
                    value.items().find_map(|map| map.get_within(wanted, depth))
                }
                _ => value.get_within(wanted, depth),
            }
        })
    }

    /// This node as JSON, in the way of [`crate::to_json`].
    ///
    /// # Errors
    /// As [`Document::to_json`].
    pub fn to_json(self) -> Result<serde_json::Value, Error> {
        crate::json::convert(self)
    }

    /// `<<`, neither quoted nor tagged as something else.
    pub fn is_merge_key(self) -> bool {
        match self.data() {
            Data::Scalar {
                value,
                tag,
                implicit,
                ..
            } => value == "<<" && (*implicit || tag.as_deref() == Some("tag:yaml.org,2002:merge")),
            _ => false,
        }
    }

    /// The text that this node gives as a key in JSON (`yes` gives `true`); [`None`] for what cannot be a key.
    pub fn key(self) -> Option<String> {
        crate::json::key(self).ok()
    }
}
