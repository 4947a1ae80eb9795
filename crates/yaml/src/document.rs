use crate::build::Builder;
use crate::node::{Data, Id, Node, ScalarStyle};
use crate::{Error, Position};
use std::collections::HashMap;

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) data: Data,
    pub(crate) start: Position,
    pub(crate) end: Position,
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
    pub(crate) nodes: Vec<Entry>,
    pub(crate) root: Id,
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
    /// No YAML, an unknown anchor, or a limit ([`MAX_DEPTH`](crate::MAX_DEPTH), [`MAX_INPUT`](crate::MAX_INPUT)) passed.
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
