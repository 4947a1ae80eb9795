//! The seed of random texts, from a Secret that is mounted into the sidecar.

use crate::{Environment, PluginError};

/// Names the file with the seed.
pub const SEED_FILE: &str = "STAGELINK_SEED_FILE";

/// Shortest seed, in bytes: a guessable one would make every derived secret guessable.
const SHORTEST: usize = 16;

/// Longest seed, in bytes.
const LONGEST: u64 = 4096;

/// Reads the seed; `None` when none is configured.
///
/// # Errors
/// [`PluginError::Environment`] when the file cannot be read, or is too short or too long.
pub(crate) fn read(environment: &Environment) -> Result<Option<Vec<u8>>, PluginError> {
    let Some(path) = environment.get(SEED_FILE) else {
        return Ok(None);
    };
    let failed =
        |problem: String| PluginError::Environment(format!("{SEED_FILE} {path}: {problem}"));
    let size = std::fs::metadata(path)
        .map_err(|error| failed(format!("{error}; mount the Secret with the seed")))?
        .len();
    if size > LONGEST {
        return Err(failed(format!(
            "the seed has {size} bytes; keep it under {LONGEST}"
        )));
    }
    let seed = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let seed = seed.trim_ascii();
    if seed.len() < SHORTEST {
        return Err(failed(format!(
            "the seed is shorter than {SHORTEST} bytes; use at least 32 random ones"
        )));
    }
    Ok(Some(seed.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seed");
        let environment: Environment = [(SEED_FILE, path.to_str().unwrap())].into_iter().collect();
        assert!(
            read(&environment)
                .unwrap_err()
                .to_string()
                .contains("mount the Secret")
        );
        std::fs::write(&path, "short\n").unwrap();
        assert!(
            read(&environment)
                .unwrap_err()
                .to_string()
                .contains("shorter than 16 bytes")
        );
        std::fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
        assert_eq!(read(&environment).unwrap().unwrap().len(), 32);
        assert_eq!(read(&Environment::default()).unwrap(), None);
    }
}
