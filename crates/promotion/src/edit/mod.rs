//! Editing chosen keys of a values file, every other byte kept.

use crate::key::{KeyPath, KeyPathError};
use crate::promotion::Values;
use crate::text::NamedChange;

/// A key and the value that it is to have.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The key.
    pub path: KeyPath,
    /// The value.
    pub value: String,
}

impl Change {
    /// A change to a text.
    pub fn text(path: KeyPath, text: impl Into<String>) -> Self {
        Self {
            path,
            value: text.into(),
        }
    }
}

/// What came of an edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    /// The whole text.
    pub text: String,
    /// What is different now.
    pub changes: Vec<NamedChange>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Why a values file cannot be edited.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// Not built yet.
    #[error("this build cannot edit values files")]
    NotBuilt,
    /// A path.
    #[error(transparent)]
    Path(#[from] KeyPathError),
}

/// Edits.
///
/// # Errors
/// [`EditError`].
pub fn edit(_text: &str, _changes: &[Change]) -> Result<Edited, EditError> {
    Err(EditError::NotBuilt)
}

/// Which of two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The source stage's.
    #[allow(dead_code, reason = "constructed once the editor is in")]
    Source,
    /// The target stage's.
    Target,
}

/// An edited target file.
pub(crate) type Carried = Edited;

pub(crate) fn carry(
    _values: &Values,
    _source: &str,
    target: &str,
    _trace_parent: Option<&str>,
) -> Result<Carried, (Side, EditError)> {
    edit(target, &[]).map_err(|error| (Side::Target, error))
}

pub(crate) fn text_at(_text: &str, _key: &KeyPath) -> Option<String> {
    None
}
