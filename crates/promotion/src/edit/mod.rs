//! Editing chosen keys of a values file, every other byte kept.
//!
//! Comments, order, quotes, line endings, indentation and a byte order mark stay as they are. A key
//! that is missing is added to the end of its map. Of a key that is there more than once the last
//! is set, since that is the one that YAML readers take, and the others are removed, since the next
//! person who edits the file would look at the first.
//!
//! After each change the text is read again. It must hold just the intended values; else the edit is
//! an error, and nothing of it is used.

mod style;
mod tree;
mod write;

use serde_json::Value;
use stagelink_yaml::Error as YamlError;

use crate::key::{KeyPath, Segment};
use crate::promotion::Values;
use crate::text::NamedChange;

/// The largest text that is edited, in bytes.
pub const MAX_TEXT: usize = 5 * 1024 * 1024;

/// A key and the value that it is to have.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The key.
    pub path: KeyPath,
    /// The value.
    pub value: Scalar,
}

impl Change {
    /// A change to a text.
    pub fn text(path: KeyPath, text: impl Into<String>) -> Self {
        let value = Scalar {
            value: Value::String(text.into()),
            written: None,
        };
        Self { path, value }
    }
}

/// A value that is not a map or list, with its type: `"1.10"` is a text, `1.10` a number.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// What it means.
    value: Value,
    /// How the source writes it, if it is no text: `1.10`, `0x1f`, `~`.
    written: Option<String>,
}

impl Scalar {
    /// What it means.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// For people: texts without quotes, shortened where they are long.
    pub fn shown(&self) -> String {
        shown(&self.value)
    }
}

/// What came of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole text; the same as before if there was nothing to change.
    pub text: String,
    /// What is different now.
    pub changes: Vec<NamedChange>,
    /// What a person should know, for example duplicates that were removed.
    pub notes: Vec<String>,
}

/// Why a values file cannot be read or edited.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// It is not YAML.
    #[error("{}", yaml_problem(.0))]
    Yaml(YamlError),
    /// A values file is one document.
    #[error("line {line}: a second YAML document; a values file has one")]
    SeveralDocuments {
        /// Where it begins.
        line: usize,
    },
    /// Too deep.
    #[error("line {line}: nested more than 100 deep")]
    TooDeep {
        /// Where.
        line: usize,
    },
    /// Too large.
    #[error("larger than 5 MiB")]
    TooLarge,
    /// The key is not there.
    #[error("there is no {path}; correct --key, or add it")]
    Missing {
        /// The key.
        path: KeyPath,
    },
    /// The value is a list, or a map with nothing in it.
    #[error(
        "{path} is {what}; only texts, numbers, true, false and null are carried: choose them with --key"
    )]
    NotCarried {
        /// The key.
        path: KeyPath,
        /// `a list`, `an empty map`.
        what: &'static str,
    },
    /// Two keys go to the same place.
    #[error("{path} is set twice, to different values; correct --key")]
    SetTwice {
        /// The key.
        path: KeyPath,
    },
    /// What is there is of another shape.
    #[error(
        "line {line}: {path} is {what}, and is not replaced by {by}; make the files alike, or correct --key"
    )]
    OtherShape {
        /// The key that is in the way.
        path: KeyPath,
        /// Line of what is there.
        line: usize,
        /// `a map`, `a list`, `an alias`, `a text`.
        what: &'static str,
        /// `a value` or `a map`.
        by: &'static str,
    },
    /// The whole document is not a map.
    #[error("line {line}: a values file is a map of keys and values")]
    NotAMap {
        /// Where it begins.
        line: usize,
    },
    /// The list has no such item.
    #[error("{path} does not exist, and items are not added to lists; add it by hand")]
    NoItem {
        /// The key.
        path: KeyPath,
    },
    /// Setting the key would change something else, or would not do what it should.
    #[error("{path} cannot be set without changing other values{why}; edit the file by hand")]
    Unfaithful {
        /// The key.
        path: KeyPath,
        /// More about it.
        why: &'static str,
    },
}

/// Sets keys of a values file.
///
/// # Errors
/// [`EditError`]; then nothing of the edit is to be used.
pub fn edit(text: &str, changes: &[Change]) -> Result<Edited, EditError> {
    if text.len() > MAX_TEXT {
        return Err(EditError::TooLarge);
    }
    let mut edited = Edited {
        text: text.to_owned(),
        changes: Vec::new(),
        notes: Vec::new(),
    };
    let mut values = read(text)?;
    for (at, change) in changes.iter().enumerate() {
        let twice = changes[..at]
            .iter()
            .any(|other| other.path == change.path && other.value.value != change.value.value);
        if twice {
            return Err(EditError::SetTwice {
                path: change.path.clone(),
            });
        }
        let before = find(&values, change.path.segments());
        if before == Some(&change.value.value) {
            continue;
        }
        edited.changes.push(NamedChange {
            key: change.path.to_string(),
            from: before.map(shown).unwrap_or_default(),
            to: change.value.shown(),
        });
        let mut intended = values;
        // Where this does not work, writing the text says why not.
        put(&mut intended, change.path.segments(), &change.value.value);
        let (text, notes) = write::set(&edited.text, change, &intended)?;
        edited.text = text;
        edited.notes.extend(notes);
        values = intended;
    }
    Ok(edited)
}

/// Reads the values at a path: one, or all that are in a map, each with its whole path.
///
/// # Errors
/// [`EditError`] if there is nothing at the path, or nothing that can be carried.
pub fn values_at(text: &str, path: &KeyPath) -> Result<Vec<Change>, EditError> {
    if text.len() > MAX_TEXT {
        return Err(EditError::TooLarge);
    }
    let values = read(text)?;
    let root = tree::Node::read(text)?;
    let found =
        find(&values, path.segments()).ok_or_else(|| EditError::Missing { path: path.clone() })?;
    let mut leaves = Vec::new();
    collect(found, path, &mut leaves)?;
    for leaf in &mut leaves {
        let written = root
            .as_ref()
            .and_then(|root| write::plain_text(root, leaf.path.segments()));
        leaf.value.written =
            written.filter(|written| read(written).ok().as_ref() == Some(&leaf.value.value));
    }
    Ok(leaves)
}

/// Takes apart what is at a path.
fn collect(found: &Value, path: &KeyPath, leaves: &mut Vec<Change>) -> Result<(), EditError> {
    let not_carried = |what| EditError::NotCarried {
        path: path.clone(),
        what,
    };
    match found {
        Value::Array(_) => Err(not_carried("a list")),
        Value::Object(map) if map.is_empty() => Err(not_carried("an empty map")),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            let path = path
                .child(key)
                .ok_or_else(|| not_carried("nested too deep"))?;
            collect(value, &path, leaves)
        }),
        value => {
            leaves.push(Change {
                path: path.clone(),
                value: Scalar {
                    value: value.clone(),
                    written: None,
                },
            });
            Ok(())
        }
    }
}

/// Which of two files an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The source stage's.
    Source,
    /// The target stage's.
    Target,
}

/// Carries the chosen values of the source's text to the target's, and the traceparent with them:
/// by itself it is no reason to change anything, unless that was asked for.
pub(crate) fn carry(
    values: &Values,
    source: &str,
    target: &str,
    trace_parent: Option<&str>,
) -> Result<Edited, (Side, EditError)> {
    let mut changes = Vec::new();
    for key in &values.keys {
        for mut change in values_at(source, &key.source).map_err(|error| (Side::Source, error))? {
            let below = &change.path.segments()[key.source.segments().len()..];
            let whole = [key.target.segments(), below].concat();
            change.path = KeyPath::from_segments(whole).ok_or_else(|| {
                (
                    Side::Target,
                    EditError::Missing {
                        path: key.target.clone(),
                    },
                )
            })?;
            changes.push(change);
        }
    }
    let on_target = |error| (Side::Target, error);
    let mut edited = edit(target, &changes).map_err(on_target)?;
    if let (Some(key), Some(link)) = (&values.trace_parent_key, trace_parent)
        && (!edited.changes.is_empty() || values.always_trace_parent)
    {
        let linked = edit(&edited.text, &[Change::text(key.clone(), link)]).map_err(on_target)?;
        edited.text = linked.text;
        edited.notes.extend(linked.notes);
    }
    Ok(edited)
}

/// The value at a path; none if there is none, or the text cannot be read.
pub(crate) fn value_at(text: &str, path: &KeyPath) -> Option<Value> {
    find(&read(text).ok()?, path.segments()).cloned()
}

/// The values of a text; an empty one has none.
fn read(text: &str) -> Result<Value, EditError> {
    stagelink_yaml::to_json(text).map_err(EditError::Yaml)
}

/// The value at a path.
fn find<'v>(value: &'v Value, path: &[Segment]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.as_object()?.get(key),
        Segment::Index(index) => value.as_array()?.get(*index),
    })
}

/// Puts a value at a path as far as there are maps, or nothing, on the way.
fn put(value: &mut Value, path: &[Segment], new: &Value) {
    let mut at = value;
    for segment in path {
        if at.is_null() {
            *at = Value::Object(serde_json::Map::new());
        }
        let next = match segment {
            Segment::Key(key) => at
                .as_object_mut()
                .map(|map| map.entry(key.clone()).or_insert(Value::Null)),
            Segment::Index(index) => at.as_array_mut().and_then(|list| list.get_mut(*index)),
        };
        let Some(next) = next else { return };
        at = next;
    }
    *at = new.clone();
}

/// A value for people: not too long, and with nothing in it that a terminal would obey.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 200;
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        match c {
            _ if at == LONGEST => {
                shown.push('…');
                break;
            }
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// What is wrong with the YAML, and where: not with go-yaml's line, which often is another one.
fn yaml_problem(error: &YamlError) -> String {
    let problem = match error {
        YamlError::Syntax { problem, .. }
        | YamlError::Content { problem, .. }
        | YamlError::NotJson { problem, .. }
        | YamlError::Limit { problem, .. } => problem.clone(),
        other => other.to_string(),
    };
    match error.position() {
        Some(position) => format!("line {}: {problem}", position.line),
        None => problem,
    }
}
