use crate::resolve::{Scalar, resolve_plain, resolve_tagged};
use crate::scan::{Event, EventKind, Events};
use crate::{Error, MAX_DEPTH, MAX_INPUT, Position};
use std::collections::HashMap;

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

#[derive(Clone, Debug)]
struct Entry {
    data: Data,
    start: Position,
    end: Position,
}

/// One YAML document as a tree that knows its places. Nothing is expanded: an alias points to what it names.
///
/// ```
/// use stagelink_yaml::Document;
/// let documents = Document::parse_all("a: 1\n---\nb: [x, y]\n")?;
/// let item = documents[1].at("/b/1").unwrap();
/// assert_eq!((item.text(), item.start().to_string().as_str()), (Some("y"), "3:8"));
/// # Ok::<(), stagelink_yaml::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    nodes: Vec<Entry>,
    root: Id,
}

/// A key that a mapping has twice. Helm takes the last one and says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The key.
    pub key: String,
    /// Where it stands first.
    pub first: Position,
    /// Where it stands again.
    pub again: Position,
}

impl Document {
    /// Reads the first document of a text, and like Helm nothing behind it. A text without any document is one null.
    ///
    /// # Errors
    /// No YAML, an unknown anchor, or a limit ([`MAX_DEPTH`], [`MAX_INPUT`]) passed.
    pub fn parse<I: AsRef<[u8]> + ?Sized>(text: &I) -> Result<Self, Error> {
        let mut builder = Builder::new(text.as_ref())?;
        Ok(builder.next()?.unwrap_or_else(Self::empty))
    }

    /// Reads all documents of a text; empty documents are nulls, a text with only comments has none.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse_all<I: AsRef<[u8]> + ?Sized>(text: &I) -> Result<Vec<Self>, Error> {
        let mut builder = Builder::new(text.as_ref())?;
        let mut documents = Vec::new();
        while let Some(document) = builder.next()? {
            documents.push(document);
        }
        Ok(documents)
    }

    fn empty() -> Self {
        let place = Position {
            offset: 0,
            line: 1,
            column: 1,
        };
        let data = Data::Scalar {
            value: String::new(),
            tag: None,
            style: ScalarStyle::Plain,
            implicit: true,
        };
        Self {
            nodes: vec![Entry {
                data,
                start: place,
                end: place,
            }],
            root: 0,
        }
    }

    /// The outermost node.
    pub fn root(&self) -> Node<'_> {
        Node {
            document: self,
            id: self.root,
        }
    }

    /// The node at a JSON pointer (`/spec/tasks/0`, with `~1` for `/` and `~0` for `~`); aliases and merge keys are followed.
    pub fn at(&self, pointer: &str) -> Option<Node<'_>> {
        let (node, rest) = self.nearest(pointer);
        rest.is_empty().then_some(node)
    }

    /// The deepest node on the way to a JSON pointer, and what of the pointer does not exist: for findings about what is missing.
    ///
    /// ```
    /// let document = stagelink_yaml::Document::parse("spec:\n  tasks: []\n")?;
    /// let (node, missing) = document.nearest("/spec/tasks/0/name");
    /// assert_eq!((node.start().line, missing), (2, "/0/name"));
    /// # Ok::<(), stagelink_yaml::Error>(())
    /// ```
    pub fn nearest<'pointer>(&self, pointer: &'pointer str) -> (Node<'_>, &'pointer str) {
        let (mut node, mut rest) = (self.root(), pointer);
        while let Some(path) = rest.strip_prefix('/') {
            let (step, after) = path.split_at(path.find('/').unwrap_or(path.len()));
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match node.target().data() {
                Data::Mapping { .. } => node.get(&step),
                Data::Sequence { items, .. } => step
                    .parse()
                    .ok()
                    .and_then(|index: usize| items.get(index))
                    .map(|id| node.with(*id)),
                _ => None,
            };
            let Some(next) = next else { break };
            (node, rest) = (next, after);
        }
        (node, rest)
    }

    /// The keys that stand twice in a mapping, in the order of the text.
    ///
    /// ```
    /// let document = stagelink_yaml::Document::parse("a: 1\nb: {c: 1, c: 2}\n")?;
    /// let twice = document.duplicate_keys();
    /// assert_eq!((twice.len(), twice[0].key.as_str(), twice[0].again.line), (1, "c", 2));
    /// # Ok::<(), stagelink_yaml::Error>(())
    /// ```
    pub fn duplicate_keys(&self) -> Vec<DuplicateKey> {
        let mut duplicates = Vec::new();
        for entry in &self.nodes {
            let Data::Mapping { entries, .. } = &entry.data else {
                continue;
            };
            let mut seen = HashMap::with_capacity(entries.len());
            for (key, _) in entries {
                let node = self.root().with(*key);
                let Some(key) = node.key().filter(|_| !node.is_merge_key()) else {
                    continue;
                };
                let again = node.start();
                match seen.get(&key) {
                    Some(first) => duplicates.push(DuplicateKey {
                        key,
                        first: *first,
                        again,
                    }),
                    None => _ = seen.insert(key, again),
                }
            }
        }
        duplicates.sort_by_key(|duplicate| duplicate.again);
        duplicates
    }

    /// As JSON, in the way of `sigs.k8s.io/yaml`: see [`crate::to_json`].
    ///
    /// # Errors
    /// What JSON cannot hold, or an alias inside of what it names, or too many of them.
    pub fn to_json(&self) -> Result<serde_json::Value, Error> {
        self.root().to_json()
    }
}

/// One node of a [`Document`]. Methods that look inside follow an alias by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Node<'document> {
    document: &'document Document,
    id: Id,
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

struct Builder<'input> {
    events: Events<'input>,
    nodes: Vec<Entry>,
    anchors: HashMap<String, Id>,
}

/// A collection whose end was not met yet; a mapping's children are keys and values in turn.
struct Open {
    id: Id,
    children: Vec<Id>,
}

impl<'input> Builder<'input> {
    fn new(text: &'input [u8]) -> Result<Self, Error> {
        if text.len() > MAX_INPUT {
            let problem = format!("the text has {} bytes, more than {MAX_INPUT}", text.len());
            return Err(Error::Limit {
                problem,
                position: Position::default(),
            });
        }
        Ok(Self {
            events: Events::new(text),
            nodes: Vec::new(),
            anchors: HashMap::new(),
        })
    }

    /// The next document, without recursion.
    fn next(&mut self) -> Result<Option<Document>, Error> {
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        while let Some(event) = self.events.next() {
            let Event { kind, start, end } = event?;
            let finished = match kind {
                EventKind::StreamStart | EventKind::StreamEnd => continue,
                EventKind::DocumentStart { .. } => {
                    self.nodes.clear();
                    self.anchors.clear();
                    continue;
                }
                EventKind::DocumentEnd { .. } => {
                    let nodes = std::mem::take(&mut self.nodes);
                    return Ok(root.map(|root| Document { nodes, root }));
                }
                EventKind::Alias { anchor } => {
                    let Some(target) = self.anchors.get(&anchor).copied() else {
                        let problem = format!("unknown anchor '{anchor}' referenced");
                        return Err(Error::Content {
                            problem,
                            position: start,
                        });
                    };
                    self.add(Data::Alias { target, anchor }, None, start, end)
                }
                EventKind::Scalar {
                    anchor,
                    tag,
                    value,
                    style,
                    implicit,
                } => self.add(
                    Data::Scalar {
                        value,
                        tag,
                        style,
                        implicit,
                    },
                    anchor,
                    start,
                    end,
                ),
                EventKind::SequenceStart { anchor, flow } => {
                    let id = self.add(
                        Data::Sequence {
                            items: Vec::new(),
                            flow,
                        },
                        anchor,
                        start,
                        end,
                    );
                    self.enter(&mut open, id)?;
                    continue;
                }
                EventKind::MappingStart { anchor, flow } => {
                    let id = self.add(
                        Data::Mapping {
                            entries: Vec::new(),
                            flow,
                        },
                        anchor,
                        start,
                        end,
                    );
                    self.enter(&mut open, id)?;
                    continue;
                }
                EventKind::SequenceEnd | EventKind::MappingEnd => {
                    let Some(done) = open.pop() else { continue };
                    self.close(&done, end);
                    done.id
                }
            };
            match open.last_mut() {
                Some(parent) => parent.children.push(finished),
                None => root = Some(finished),
            }
        }
        Ok(None)
    }

    fn add(&mut self, data: Data, anchor: Option<String>, start: Position, end: Position) -> Id {
        let id = self.nodes.len();
        self.nodes.push(Entry { data, start, end });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        id
    }

    fn enter(&self, open: &mut Vec<Open>, id: Id) -> Result<(), Error> {
        if open.len() >= MAX_DEPTH {
            let position = self
                .nodes
                .get(id)
                .map(|entry| entry.start)
                .unwrap_or_default();
            return Err(Error::Limit {
                problem: format!("exceeded max depth of {MAX_DEPTH}"),
                position,
            });
        }
        open.push(Open {
            id,
            children: Vec::new(),
        });
        Ok(())
    }

    fn close(&mut self, open: &Open, end: Position) {
        let last = open
            .children
            .last()
            .and_then(|id| self.nodes.get(*id))
            .map(|entry| entry.end);
        let Some(entry) = self.nodes.get_mut(open.id) else {
            return;
        };
        let is_flow = match &mut entry.data {
            Data::Sequence { items, flow } => {
                items.clone_from(&open.children);
                *flow
            }
            Data::Mapping { entries, flow } => {
                *entries = open
                    .children
                    .chunks_exact(2)
                    .map(|pair| (pair[0], pair[1]))
                    .collect();
                *flow
            }
            Data::Scalar { .. } | Data::Alias { .. } => true,
        };
        entry.end = if is_flow {
            end
        } else {
            last.unwrap_or(entry.start)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans<'text>(text: &'text str, pointer: &str) -> &'text str {
        let document = Document::parse(text).expect(text);
        let node = document.at(pointer).expect(pointer);
        &text[node.start().offset..node.end().offset]
    }

    #[test]
    fn nodes_know_their_bytes() {
        let text = "# head\na:\n  b: 1 # one\n  c: [x, 'y']\n\n# tail\nd:\n  - e: \"f\"\n  - g\n";
        assert_eq!(spans(text, "/a"), "b: 1 # one\n  c: [x, 'y']");
        assert_eq!(spans(text, "/a/b"), "1");
        assert_eq!(spans(text, "/a/c"), "[x, 'y']");
        assert_eq!(spans(text, "/a/c/1"), "'y'");
        assert_eq!(spans(text, "/d"), "- e: \"f\"\n  - g");
        assert_eq!(spans(text, "/d/0"), "e: \"f\"");
        assert_eq!(
            spans("x: |-\n  a\n  b\n# c\ny: 1\n", "/x"),
            "|-\n  a\n  b\n"
        );
        assert_eq!(spans("traceParent:\nx: 1\n", "/traceParent"), "");
    }

    #[test]
    fn aliases_and_merge_keys_are_followed() {
        let text = "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\nuse: {a: 0, <<: *base}\nboth:\n  <<: [*base, *more]\n";
        let document = Document::parse(text).expect("yaml");
        let value = |pointer: &str| document.at(pointer).and_then(Node::text);
        // go-yaml v2 goes by the order of the text, so that a merge key behind a key wins.
        assert_eq!(value("/use/a"), Some("1"));
        assert_eq!((value("/both/b"), value("/both/c")), (Some("2"), Some("4")));
        assert_eq!(value("/use/<<"), None);
    }

    #[test]
    fn what_is_missing_points_to_its_parent() {
        let document = Document::parse("a:\n  b: {}\n").expect("yaml");
        assert_eq!(document.nearest("/a/b/c/d").1, "/c/d");
        assert_eq!(document.nearest("").1, "");
        assert!(document.at("/a/x").is_none());
        assert_eq!(
            Document::parse("a/b: {m~n: 1}")
                .expect("yaml")
                .at("/a~1b/m~0n")
                .and_then(Node::text),
            Some("1")
        );
    }

    #[test]
    fn documents_are_counted() {
        let count = |text: &str| Document::parse_all(text).map(|documents| documents.len());
        assert_eq!(count(""), Ok(0));
        assert_eq!(count("# only a comment\n"), Ok(0));
        assert_eq!(count("a: 1\n---\n---\nb: 2\n"), Ok(3));
        assert!(Document::parse("").expect("empty").root().is_null());
        // Only the first document is looked at, like Helm does.
        assert!(Document::parse("a: 1\n---\nb: c: d\n").is_ok());
        assert!(count("a: 1\n---\nb: c: d\n").is_err());
    }

    #[test]
    fn depth_and_unknown_anchors_are_refused() {
        let error = Document::parse(&"[".repeat(100_000)).expect_err("deep");
        assert_eq!(error.to_string(), "yaml: exceeded max depth of 512");
        let error = Document::parse("a: *b").expect_err("anchor");
        assert_eq!(error.to_string(), "yaml: unknown anchor 'b' referenced");
        assert_eq!(error.position().map(|place| place.column), Some(4));
    }

    #[test]
    fn duplicate_keys_are_those_that_json_sees() {
        let document = Document::parse("yes: 1\n'true': 2\n1: a\n1.0: b\n<<: {x: 1}\n<<: {x: 2}\n")
            .expect("yaml");
        let keys: Vec<_> = document
            .duplicate_keys()
            .into_iter()
            .map(|duplicate| duplicate.key)
            .collect();
        assert_eq!(keys, ["true", "1"]);
    }

    proptest! {
        #[test]
        fn places_are_inside_the_text(text in "[-a:?{}\\[\\],&*!|>'\"#\n 0]{0,60}") {
            for document in Document::parse_all(&text).unwrap_or_default() {
                for entry in &document.nodes {
                    prop_assert!(text.get(entry.start.offset..entry.end.offset).is_some());
                }
                let _ = (document.to_json(), document.duplicate_keys());
            }
        }
    }
}
