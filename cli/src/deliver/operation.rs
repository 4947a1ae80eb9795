//! The sync operation: what Argo CD would call the try that is under way.
//!
//! It is kept in a file while it runs, so that a delivery that was killed goes on under the same
//! name and the hooks know it again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::exit::{CommandError, OrFault as _};

/// A sync operation under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    /// `<first 7 of the revision>-<start in milliseconds>`. Argo CD takes seconds; here two deliveries
    /// may begin within one.
    pub(crate) name: String,
    /// What is being delivered: chart, revision and parameters.
    pub(crate) subject: String,
    /// UID of the Job of each hook.
    pub(crate) jobs: BTreeMap<String, String>,
}

/// The file that holds the operation under way.
#[derive(Debug)]
pub(crate) struct OperationFile {
    path: PathBuf,
}

impl OperationFile {
    /// The operation file in a state folder.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self {
            path: folder.join("operation.json"),
        }
    }

    /// Goes on with the operation under way if it delivers the same, else begins a new one.
    pub(crate) fn begin(&self, revision: &str, subject: &str) -> Result<Operation, CommandError> {
        let under_way = fs::read(&self.path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Operation>(&bytes).ok())
            .filter(|operation| operation.subject == subject);
        if let Some(operation) = under_way {
            return Ok(operation);
        }
        let now = Timestamp::now();
        let short: String = revision.chars().take(7).collect();
        let operation = Operation {
            name: format!("{short}-{}", now.as_millisecond()),
            subject: subject.to_owned(),
            jobs: ["PreSync", "PostSync", "SyncFail"]
                .map(|hook| (hook.to_owned(), format!("{hook}-{}", now.as_nanosecond())))
                .into(),
        };
        self.write(&operation)?;
        Ok(operation)
    }

    /// The operation has ended: the next delivery is another one.
    pub(crate) fn end(&self) -> Result<(), CommandError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)
                .with_context(|| format!("{} cannot be removed", self.path.display()))
                .or_environment(),
            _ => Ok(()),
        }
    }

    fn write(&self, operation: &Operation) -> Result<(), CommandError> {
        let text = serde_json::to_vec_pretty(operation).or_environment()?;
        write_atomically(&self.path, &text)
    }
}

/// Writes a file so that a reader, also after a kill, sees the old or the new content.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<(), CommandError> {
    let temporary = path.with_extension("new");
    fs::write(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("{} cannot be written", path.display()))
        .or_environment()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_operation_goes_on_and_another_subject_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = OperationFile::in_folder(folder.path());
        let first = file.begin("0123456789", "one").unwrap();
        assert!(first.name.starts_with("0123456-"));
        assert_eq!(file.begin("0123456789", "one").unwrap(), first);
        let other = file.begin("0123456789", "two").unwrap();
        assert_ne!(other.jobs, first.jobs);
        file.end().unwrap();
        file.end().unwrap();
        assert_ne!(file.begin("0123456789", "two").unwrap().jobs, other.jobs);
    }

    #[test]
    fn a_damaged_file_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("operation.json"), "{").unwrap();
        OperationFile::in_folder(folder.path())
            .begin("abc", "one")
            .unwrap();
    }
}
