//! Secrets in a folder: one file per key, `<folder>/<secret>/<key>`, as Kubernetes mounts them.

use std::fs;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use stagelink_delivery::ports::{SecretError, SecretKey, SecretValue, Secrets};

/// A key of a Secret holds a megabyte at most, as in Kubernetes.
const MAXIMUM_SIZE: u64 = 1024 * 1024;

/// Secrets in a folder, or none if no folder is named. Namespaces are not told apart.
#[derive(Debug, Clone)]
pub struct SecretFolder {
    folder: Option<PathBuf>,
}

impl SecretFolder {
    /// The secrets in a folder.
    pub fn new(folder: Option<&Path>) -> Self {
        Self {
            folder: folder.map(Path::to_owned),
        }
    }

    /// The value of a key; none if it is not there.
    ///
    /// # Errors
    /// [`SecretError`] if the file is there and cannot be read.
    pub fn read(&self, name: &str, key: &str) -> Result<Option<SecretValue>, SecretError> {
        let error = |problem: String| SecretError {
            name: name.to_owned(),
            key: key.to_owned(),
            problem,
        };
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let is_plain = |text: &str| {
            !text.is_empty() && !text.contains(['/', '\0']) && text != "." && text != ".."
        };
        if !is_plain(name) || !is_plain(key) {
            return Err(error("its name is not that of a file".to_owned()));
        }
        let path = folder.join(name).join(key);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(other) => return Err(error(format!("{}: {other}", path.display()))),
        };
        if metadata.len() > MAXIMUM_SIZE {
            return Err(error(format!(
                "{} is larger than a megabyte",
                path.display()
            )));
        }
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(SecretValue::new(text.trim_end_matches('\n')))),
            Err(other) => Err(error(format!("{}: {other}", path.display()))),
        }
    }
}

#[async_trait]
impl Secrets for SecretFolder {
    async fn get(&self, key: &SecretKey<'_>) -> Result<Option<SecretValue>, SecretError> {
        self.read(key.name, key.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("token")).unwrap();
        fs::write(folder.path().join("token/SECURE_DATA"), "s3cret\n").unwrap();
        let secrets = SecretFolder::new(Some(folder.path()));
        let value = secrets.read("token", "SECURE_DATA").unwrap().unwrap();
        assert_eq!(value.expose(), "s3cret");
        assert!(secrets.read("token", "other").unwrap().is_none());
        assert!(
            SecretFolder::new(None)
                .read("token", "SECURE_DATA")
                .unwrap()
                .is_none()
        );
        for (name, key) in [
            ("..", "passwd"),
            ("token", "../token"),
            ("", "x"),
            ("a/b", "c"),
        ] {
            assert!(secrets.read(name, key).is_err(), "{name}/{key}");
        }
    }
}
