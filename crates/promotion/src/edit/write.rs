//! Writing one value into a text.

use serde_json::Value;
use stagelink_yaml::ScalarStyle;

use super::style::{double_quoted, is_plain, single_quoted, written_key};
use super::tree::{Kind, Node};
use super::{Change, EditError, read};
use crate::key::{KeyPath, Segment};

/// A piece of text in place of another.
#[derive(Debug, Clone)]
struct Replacement {
    start: usize,
    end: usize,
    with: String,
}

/// Sets one key. `intended` is what the text has to mean then.
///
/// Where something can be written in several ways, the one nearest to what is there comes first,
/// and the first that means what is intended is taken.
pub(super) fn set(
    text: &str,
    change: &Change,
    intended: &Value,
) -> Result<(String, Vec<String>), EditError> {
    let root = Node::read(text)?;
    let mut writer = Writer {
        text,
        newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
        change,
        removed: Vec::new(),
        notes: Vec::new(),
    };
    let ways = match &root {
        None => writer.append_to_nothing(),
        Some(root) => writer.walk(root)?,
    };
    for way in ways {
        let mut replacements = writer.removed.clone();
        replacements.push(way);
        replacements.sort_by_key(|replacement| replacement.start);
        let written = apply(text, &replacements);
        if read(&written).is_ok_and(|values| values == *intended) {
            return Ok((written, writer.notes));
        }
    }
    let has_anchors = root.as_ref().is_some_and(has_anchors);
    Err(EditError::Unfaithful {
        path: change.path.clone(),
        why: if has_anchors {
            " (the file has anchors, and what they name is used elsewhere)"
        } else {
            ""
        },
    })
}

/// How a value that is no text is written, if it is written in place.
pub(super) fn plain_text(root: &Node, path: &[Segment]) -> Option<String> {
    let mut node = root;
    for segment in path {
        node = match (segment, &node.kind) {
            (Segment::Key(key), Kind::Map { entries, .. }) => {
                &entries.iter().rev().find(|(name, _)| is_key(name, key))?.1
            }
            (Segment::Index(index), Kind::List { items, .. }) => items.get(*index)?,
            _ => return None,
        };
    }
    match &node.kind {
        Kind::Scalar {
            value,
            style: ScalarStyle::Plain,
            tagged: false,
        } if !value.is_empty() => Some(value.clone()),
        _ => None,
    }
}

fn is_key(node: &Node, key: &str) -> bool {
    matches!(&node.kind, Kind::Scalar { value, .. } if value == key)
}

fn has_anchors(node: &Node) -> bool {
    node.anchor.is_some()
        || match &node.kind {
            Kind::Map { entries, .. } => entries
                .iter()
                .any(|(key, value)| has_anchors(key) || has_anchors(value)),
            Kind::List { items, .. } => items.iter().any(has_anchors),
            _ => false,
        }
}

/// The text with pieces of it replaced, which are in order and apart.
fn apply(text: &str, replacements: &[Replacement]) -> String {
    let mut whole = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for replacement in replacements {
        whole.push_str(text.get(at..replacement.start).unwrap_or_default());
        whole.push_str(&replacement.with);
        at = replacement.end;
    }
    whole.push_str(text.get(at..).unwrap_or_default());
    whole
}

struct Writer<'a> {
    text: &'a str,
    newline: &'static str,
    change: &'a Change,
    removed: Vec<Replacement>,
    notes: Vec<String>,
}

impl Writer<'_> {
    /// Goes down to the key as far as it is there; gives the ways to write it.
    fn walk(&mut self, root: &Node) -> Result<Vec<Replacement>, EditError> {
        let path = self.change.path.segments();
        let mut node = root;
        let mut in_flow = false;
        let mut column = 0;
        for (depth, segment) in path.iter().enumerate() {
            let child = match (&node.kind, segment) {
                (Kind::Map { entries, flow }, Segment::Key(key)) => {
                    in_flow |= flow;
                    column = entries.first().map_or(column, |(name, _)| name.column);
                    self.remove_duplicates(entries, key, *flow, depth);
                    let found = entries.iter().rev().find(|(name, _)| is_key(name, key));
                    match found {
                        Some((_, value)) => value,
                        None => return self.add(node, &path[depth..], root),
                    }
                }
                (Kind::List { items, flow }, Segment::Index(index)) => {
                    in_flow |= flow;
                    match items.get(*index) {
                        Some(item) => item,
                        None => {
                            return Err(EditError::NoItem {
                                path: self.path_to(depth + 1),
                            });
                        }
                    }
                }
                // `image:` with nothing behind it becomes a map.
                (Kind::Scalar { .. }, Segment::Key(_)) if depth > 0 && self.is_null(node) => {
                    return self.fill(node, &path[depth..], column, in_flow, root);
                }
                _ if depth == 0 => return Err(EditError::NotAMap { line: node.line }),
                _ => return Err(self.other_shape(node, depth, "a map")),
            };
            node = child;
        }
        match &node.kind {
            Kind::Map { .. } | Kind::List { .. } => {
                Err(self.other_shape(node, path.len(), "a value"))
            }
            _ => Ok(self.replace(node, in_flow)),
        }
    }

    fn path_to(&self, depth: usize) -> KeyPath {
        let segments = self.change.path.segments()[..depth].to_vec();
        KeyPath::from_segments(segments).unwrap_or_else(|| self.change.path.clone())
    }

    fn other_shape(&self, node: &Node, depth: usize, by: &'static str) -> EditError {
        EditError::OtherShape {
            path: self.path_to(depth),
            line: node.line,
            what: match &node.kind {
                Kind::Map { .. } => "a map",
                Kind::List { .. } => "a list",
                Kind::Alias => "an alias",
                Kind::Scalar { .. } => "a single value",
            },
            by,
        }
    }

    fn is_null(&self, node: &Node) -> bool {
        node.is_empty()
            || matches!(
                &node.kind,
                Kind::Scalar { value, style: ScalarStyle::Plain, tagged: false }
                    if matches!(value.as_str(), "" | "~" | "null" | "Null" | "NULL")
            )
    }

    /// Marks all entries of a key but the last for removal.
    fn remove_duplicates(&mut self, entries: &[(Node, Node)], key: &str, flow: bool, depth: usize) {
        let places: Vec<usize> = (0..entries.len())
            .filter(|at| is_key(&entries[*at].0, key))
            .collect();
        let Some((_, earlier)) = places.split_last() else {
            return;
        };
        for at in earlier {
            let (name, value) = &entries[*at];
            // The last is kept, so there is a next one.
            let Some((next, _)) = entries.get(at + 1) else {
                continue;
            };
            let line_start = self.text[..name.start].rfind('\n').map_or(0, |at| at + 1);
            let alone = self.text[line_start..name.start]
                .trim_matches([' ', '\u{feff}'])
                .is_empty();
            let (start, end) = if flow || !alone {
                (name.start, next.start)
            } else {
                let end = value
                    .content_end(self.text)
                    .max(name.content_end(self.text));
                let indent = self.text[line_start..name.start]
                    .find(' ')
                    .unwrap_or(name.start - line_start);
                (line_start + indent, self.after_line(end))
            };
            self.removed.push(Replacement {
                start,
                end,
                with: String::new(),
            });
            self.notes.push(format!(
                "removed a duplicate of {} (line {}); the last one counts",
                self.path_to(depth + 1),
                name.line
            ));
        }
    }

    /// The ways to put the value in place of a scalar or an alias.
    fn replace(&self, node: &Node, in_flow: bool) -> Vec<Replacement> {
        let start = node.content_start(self.text);
        let end = node.content_end(self.text);
        let style = match &node.kind {
            Kind::Scalar { style, .. } => *style,
            _ => ScalarStyle::Plain,
        };
        // What follows the `|` on its line, for example a comment.
        let behind = if node.is_block_scalar() {
            let header = self.text[start..end].lines().next().unwrap_or_default();
            let indicators = header.find([' ', '\t']).unwrap_or(header.len());
            header[indicators..].trim_end().to_owned()
        } else {
            String::new()
        };
        let mut ways = Vec::new();
        for written in self.ways_to_write(style, in_flow) {
            let with = format!("{}{written}{behind}", self.gap(node));
            ways.push(Replacement { start, end, with });
        }
        if start > node.start {
            // A tag (`!!str`) that does not go with the new value.
            let anchor = node
                .anchor
                .as_ref()
                .map(|name| format!("&{name} "))
                .unwrap_or_default();
            for written in self.ways_to_write(style, in_flow) {
                ways.push(Replacement {
                    start: node.start,
                    end,
                    with: format!("{anchor}{written}{behind}"),
                });
            }
        }
        ways
    }

    /// What has to come between a key and a value that was not written until now.
    fn gap(&self, node: &Node) -> &'static str {
        let before = &self.text[..node.start];
        if !node.is_empty() || before.ends_with([' ', '\t', '\n']) {
            ""
        } else if before.ends_with(':') {
            " "
        } else {
            // `{key}`
            ": "
        }
    }

    /// The ways to write the value, the one that keeps the style first.
    fn ways_to_write(&self, style: ScalarStyle, in_flow: bool) -> Vec<String> {
        let value = &self.change.value;
        let Value::String(text) = &value.value else {
            return value
                .written
                .iter()
                .cloned()
                .chain([value.value.to_string()])
                .collect();
        };
        let double = double_quoted(text);
        let plain = is_plain(text, in_flow).then(|| text.clone());
        let single = single_quoted(text);
        match style {
            ScalarStyle::DoubleQuoted => vec![double],
            ScalarStyle::SingleQuoted => single.into_iter().chain([double]).collect(),
            _ => plain.into_iter().chain([double]).collect(),
        }
    }

    /// The ways to add what is missing to a map.
    fn add(
        &self,
        map: &Node,
        missing: &[Segment],
        root: &Node,
    ) -> Result<Vec<Replacement>, EditError> {
        let keys = self.keys(missing)?;
        let Kind::Map { entries, flow } = &map.kind else {
            return Ok(Vec::new());
        };
        let last = entries.last();
        if *flow {
            let (at, separator) = match last {
                Some((key, value)) => (
                    key.content_end(self.text).max(value.content_end(self.text)),
                    ", ",
                ),
                None => (map.content_start(self.text) + 1, ""),
            };
            return Ok(self
                .ways_to_write(ScalarStyle::Plain, true)
                .into_iter()
                .map(|written| Replacement {
                    start: at,
                    end: at,
                    with: format!("{separator}{}", in_braces(&keys, &written)),
                })
                .collect());
        }
        let indent = last.map_or(map.column, |(key, _)| key.column);
        let step = indentation(root);
        Ok(self
            .ways_to_write(ScalarStyle::Plain, false)
            .into_iter()
            .map(|written| {
                let lines = self.lines(&keys, &written, indent, step);
                match map.kept_lines_end(self.text) {
                    Some(at) if self.text[..at].ends_with('\n') => Replacement {
                        start: at,
                        end: at,
                        with: format!("{lines}{}", self.newline),
                    },
                    _ => self.after_node(map, &lines),
                }
            })
            .collect())
    }

    /// The ways to make a map of a null.
    fn fill(
        &self,
        null: &Node,
        missing: &[Segment],
        column: usize,
        in_flow: bool,
        root: &Node,
    ) -> Result<Vec<Replacement>, EditError> {
        let keys = self.keys(missing)?;
        let mut ways = Vec::new();
        if null.is_empty() && !in_flow {
            let step = indentation(root);
            for written in self.ways_to_write(ScalarStyle::Plain, false) {
                let lines = self.lines(&keys, &written, column + step, step);
                ways.push(self.after_node(null, &lines));
            }
        }
        let start = null.content_start(self.text);
        for written in self.ways_to_write(ScalarStyle::Plain, true) {
            ways.push(Replacement {
                start,
                end: null.content_end(self.text),
                with: format!("{}{{{}}}", self.gap(null), in_braces(&keys, &written)),
            });
        }
        Ok(ways)
    }

    /// The ways to write the value into a text that has none.
    fn append_to_nothing(&self) -> Vec<Replacement> {
        let Ok(keys) = self.keys(self.change.path.segments()) else {
            return Vec::new();
        };
        let at = self.text.len();
        let before =
            if self.text.trim_start_matches('\u{feff}').is_empty() || self.text.ends_with('\n') {
                ""
            } else {
                self.newline
            };
        self.ways_to_write(ScalarStyle::Plain, false)
            .into_iter()
            .map(|written| Replacement {
                start: at,
                end: at,
                with: format!(
                    "{before}{}{}",
                    self.lines(&keys, &written, 0, 2),
                    self.newline
                ),
            })
            .collect()
    }

    /// The keys that are missing, as they are written.
    fn keys(&self, missing: &[Segment]) -> Result<Vec<String>, EditError> {
        missing
            .iter()
            .map(|segment| match segment {
                Segment::Key(key) => Ok(written_key(key)),
                Segment::Index(_) => Err(EditError::NoItem {
                    path: self.change.path.clone(),
                }),
            })
            .collect()
    }

    /// One line for each key, each deeper than the one before, the value on the last.
    fn lines(&self, keys: &[String], written: &str, indent: usize, step: usize) -> String {
        let mut lines = String::new();
        for (depth, key) in keys.iter().enumerate() {
            if depth > 0 {
                lines.push_str(self.newline);
            }
            lines.push_str(&" ".repeat(indent + depth * step));
            lines.push_str(key);
            lines.push(':');
        }
        lines.push(' ');
        lines.push_str(written);
        lines
    }

    /// New lines after the line on which a node ends, its comment included.
    fn after_node(&self, node: &Node, lines: &str) -> Replacement {
        let content_end = node.content_end(self.text);
        let rest = &self.text[content_end..];
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let at = content_end + line.trim_end_matches('\r').len();
        Replacement {
            start: at,
            end: at,
            with: format!("{}{lines}", self.newline),
        }
    }

    /// Where the line after the one with `at` begins.
    fn after_line(&self, at: usize) -> usize {
        self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |line| at + line + 1)
    }
}

/// `key: value`, or `key: {key: value}`.
fn in_braces(keys: &[String], written: &str) -> String {
    format!(
        "{}: {written}{}",
        keys.join(": {"),
        "}".repeat(keys.len() - 1)
    )
}

/// How far the file indents the maps in its maps; 2 if it has none.
fn indentation(root: &Node) -> usize {
    fn first(node: &Node) -> Option<usize> {
        let Kind::Map {
            entries,
            flow: false,
        } = &node.kind
        else {
            return None;
        };
        entries.iter().find_map(|(key, value)| match &value.kind {
            Kind::Map {
                entries,
                flow: false,
            } => {
                let inner = entries.first()?.0.column;
                inner
                    .checked_sub(key.column)
                    .filter(|step| (1..=8).contains(step))
            }
            _ => None,
        })
    }
    first(root).unwrap_or(2)
}
