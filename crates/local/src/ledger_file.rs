//! The ledger in a file: replaced as a whole, never half written, used by one hook at a time.

use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use stagelink_delivery::identity::LedgerId;
use stagelink_delivery::ledger::{LEDGER_VERSION, Ledger};
use stagelink_delivery::ports::{LedgerStore, StoreError, StoreVersion};
use stagelink_plan::Plan;

/// A ledger of a real app has some hundred kilobytes at most; more is no ledger.
const MAXIMUM_SIZE: u64 = 64 * 1024 * 1024;

/// How long a lock is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// A ledger's file, locked as long as this lives.
#[derive(Debug)]
pub struct LedgerFile {
    path: PathBuf,
    /// Holds the lock; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl LedgerFile {
    /// Opens the ledger at a path for one hook; the file itself may not be there yet.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another hook uses it, [`StoreError::Unavailable`] if its folder
    /// cannot be written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock_path = path.with_extension("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| unavailable(path, "written", error))?;
        let start = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => {
                    return Ok(Self {
                        path: path.to_owned(),
                        _lock: lock,
                    });
                }
                // A hook that was killed while it started a task leaves the lock with a process that
                // lets go of it in a moment.
                Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Locked {
                        location: path.display().to_string(),
                    });
                }
                Err(TryLockError::Error(error)) => {
                    return Err(unavailable(path, "written", error));
                }
            }
        }
    }

    /// As [`LedgerFile::open`], with its folder made if it is not there.
    ///
    /// # Errors
    /// As [`LedgerFile::open`].
    pub fn open_or_create(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| unavailable(path, "written", error))?;
        }
        Self::open(path)
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }

    /// The bytes of the file; `None` if there is none.
    fn bytes(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unavailable(&self.path, "read", error)),
        };
        let mut bytes = Vec::new();
        file.take(MAXIMUM_SIZE + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unavailable(&self.path, "read", error))?;
        if bytes.len() as u64 > MAXIMUM_SIZE {
            let detail = format!("it is larger than {MAXIMUM_SIZE} bytes");
            return Err(StoreError::Damaged {
                location: self.location(),
                detail,
            });
        }
        Ok(Some(bytes))
    }

    fn parse(&self, bytes: &[u8]) -> Result<Ledger, StoreError> {
        #[derive(serde::Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |error: serde_json::Error| StoreError::Damaged {
            location: self.location(),
            detail: error.to_string(),
        };
        let Version { version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if version > LEDGER_VERSION {
            return Err(StoreError::Newer {
                location: self.location(),
                found: version,
            });
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    fn encode(&self, ledger: &Ledger) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec_pretty(ledger).map_err(|error| unavailable(&self.path, "written", error))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        // Not synced: a rename survives the end of any process, and a delivery does not outlive the
        // end of its machine.
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

#[async_trait]
impl LedgerStore for LedgerFile {
    async fn load(&self, plan: &Plan) -> Result<(Ledger, StoreVersion), StoreError> {
        if let Some(bytes) = self.bytes()? {
            return Ok((self.parse(&bytes)?, version(&bytes)));
        }
        let id = random_id().map_err(|error| unavailable(&self.path, "written", error))?;
        let ledger = Ledger::new(id, &plan.app, &plan.stage, &plan.namespace);
        // Written at once, so that the id is made only once.
        let bytes = self.encode(&ledger)?;
        self.write(&bytes)
            .map_err(|error| unavailable(&self.path, "written", error))?;
        Ok((ledger, version(&bytes)))
    }

    async fn save(
        &self,
        ledger: &Ledger,
        expected: &StoreVersion,
    ) -> Result<StoreVersion, StoreError> {
        let current = self.bytes()?.map(|bytes| version(&bytes));
        if current.as_ref() != Some(expected) {
            return Err(StoreError::Conflict);
        }
        let bytes = self.encode(ledger)?;
        self.write(&bytes)
            .map_err(|error| unavailable(&self.path, "written", error))?;
        Ok(version(&bytes))
    }
}

fn version(bytes: &[u8]) -> StoreVersion {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    StoreVersion(text)
}

fn unavailable(
    path: &Path,
    action: &'static str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Unavailable {
        location: path.display().to_string(),
        action,
        source: error.into(),
    }
}

/// 128 random bits of the system.
fn random_id() -> io::Result<LedgerId> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut text = String::new();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(LedgerId(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        let digest = format!("sha256:{}", "0".repeat(64));
        let json = format!(
            r#"{{"version":1,"app":"shop","appVersion":"v1","stage":"dev","application":"shop-dev","namespace":"shop","digest":"{digest}"}}"#
        );
        Plan::from_json(&json).unwrap()
    }

    #[tokio::test]
    async fn a_ledger_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/ledger.json");
        let store = LedgerFile::open_or_create(&path).unwrap();
        let (mut ledger, version) = store.load(&plan()).await.unwrap();
        ledger.stage = "changed".to_owned();
        let saved = store.save(&ledger, &version).await.unwrap();
        assert_eq!(store.load(&plan()).await.unwrap(), (ledger.clone(), saved));
        assert!(matches!(
            store.save(&ledger, &version).await,
            Err(StoreError::Conflict)
        ));
    }

    #[tokio::test]
    async fn one_hook_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.json");
        let first = LedgerFile::open(&path).unwrap();
        assert!(matches!(
            LedgerFile::open(&path),
            Err(StoreError::Locked { .. })
        ));
        drop(first);
        LedgerFile::open(&path).unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.json");
        for (content, expected) in [
            ("", "damaged"),
            ("{\"version\": 1, \"id\": \"x\"", "damaged"),
            ("[]", "damaged"),
            ("{\"version\": 99}", "version 99"),
        ] {
            fs::write(&path, content).unwrap();
            let store = LedgerFile::open(&path).unwrap();
            let error = store.load(&plan()).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{content}: {error}");
            assert!(error.contains("ledger.json"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.json");
        let store = LedgerFile::open(&path).unwrap();
        let (ledger, version) = store.load(&plan()).await.unwrap();
        let before = fs::read(&path).unwrap();
        // Nothing can be made in a folder that is gone, as on a disk that is full.
        let moved = folder.path().with_extension("moved");
        fs::rename(folder.path(), &moved).unwrap();
        let error = store.load(&plan()).await.unwrap_err();
        assert!(
            error.to_string().contains("ledger.json cannot be written"),
            "{error}"
        );
        fs::rename(&moved, folder.path()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), before);
        store.save(&ledger, &version).await.unwrap();
    }
}
