//! The ledger in a file: replaced as a whole, never half written, used by one hook at a time.

use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
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
    /// What a power failure leaves at least.
    durable: Mutex<Option<Milestone>>,
}

/// How far a ledger has come: numbers of the delivery and attempt that ended last, if any did.
type Milestone = Option<(u64, u64)>;

fn milestone(ledger: &Ledger) -> Milestone {
    ledger.deliveries.iter().rev().find_map(|delivery| {
        let mut attempts = delivery.attempts.iter().rev();
        let ended = attempts.find(|attempt| attempt.outcome.is_some())?;
        Some((delivery.number, ended.number))
    })
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
                    // Only so that another hook can say who it waits for.
                    let _ = lock
                        .set_len(0)
                        .and_then(|()| write!(&lock, "{}", std::process::id()));
                    return Ok(Self {
                        path: path.to_owned(),
                        _lock: lock,
                        durable: Mutex::new(None),
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
                        holder: holder(&lock_path),
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

    /// Replaces the file.
    fn write(&self, bytes: &[u8], ledger: &Ledger) -> io::Result<()> {
        // Always the same name, so that a killed process leaves one such file at most; the lock keeps
        // others away from it.
        let new = self.path.with_extension("new");
        let written = self
            .write_new(&new, bytes, ledger)
            .and_then(|()| fs::rename(&new, &self.path));
        if written.is_err() {
            // It may not be there.
            let _ = fs::remove_file(&new);
        }
        written
    }

    fn write_new(&self, new: &Path, bytes: &[u8], ledger: &Ledger) -> io::Result<()> {
        let mut file = File::create(new)?;
        file.write_all(bytes)?;
        // A rename survives the end of any process. The end of the machine must not undo a verdict,
        // or the ledger's id; a sync after each step would cost more than many a task.
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = Some(milestone(ledger));
        if *durable != reached {
            file.sync_data()?;
            *durable = reached;
        }
        Ok(())
    }
}

/// Who has written their number into a lock.
fn holder(lock: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(lock).ok()?;
    file.take(20).read_to_string(&mut text).ok()?;
    let number: u32 = text.trim().parse().ok()?;
    Some(format!("process {number}"))
}

#[async_trait]
impl LedgerStore for LedgerFile {
    async fn load(&self, plan: &Plan) -> Result<(Ledger, StoreVersion), StoreError> {
        if let Some(bytes) = self.bytes()? {
            let ledger = self.parse(&bytes)?;
            *self.durable.lock().unwrap_or_else(PoisonError::into_inner) = Some(milestone(&ledger));
            return Ok((ledger, version(&bytes)));
        }
        let id = random_id().map_err(|error| unavailable(&self.path, "written", error))?;
        let ledger = Ledger::new(id, &plan.app, &plan.stage, &plan.namespace);
        // Written at once, so that the id is made only once.
        let bytes = self.encode(&ledger)?;
        self.write(&bytes, &ledger)
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
        self.write(&bytes, ledger)
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
        let error = LedgerFile::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
        let holder = format!("(process {})", std::process::id());
        assert!(error.to_string().contains(&holder), "{error}");
        drop(first);
        LedgerFile::open(&path).unwrap();
    }

    #[tokio::test]
    async fn what_a_killed_write_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.json");
        let store = LedgerFile::open(&path).unwrap();
        let (mut ledger, version) = store.load(&plan()).await.unwrap();
        fs::write(folder.path().join("ledger.new"), "{\"version\": 1, \"id").unwrap();
        ledger.stage = "changed".to_owned();
        let version = store.save(&ledger, &version).await.unwrap();
        assert_eq!(store.load(&plan()).await.unwrap(), (ledger, version));
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["ledger.json", "ledger.lock"]);
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
