//! The seed of a chart's random texts, made once for each stage: a delivery that was killed must
//! render the same names and versions when it goes on, or it would be another one.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use tempfile::NamedTempFile;

use crate::exit::{CommandError, OrFault as _};

/// Random bytes in a seed.
const BYTES: usize = 32;

/// The seed that a render uses.
#[derive(Debug)]
pub(super) struct Seed {
    kept: PathBuf,
    /// Not kept yet: a chart that cannot be rendered leaves nothing behind.
    new: Option<NamedTempFile>,
}

impl Seed {
    /// The seed of the stage with this state folder, or a new one.
    pub(super) fn of(state: &Path) -> Result<Self, CommandError> {
        let kept = state.join("seed");
        let new = if kept.exists() {
            None
        } else {
            Some(make().context("a seed cannot be made").or_environment()?)
        };
        Ok(Self { kept, new })
    }

    /// The file to render with.
    pub(super) fn path(&self) -> &Path {
        self.new.as_ref().map_or(&self.kept, NamedTempFile::path)
    }

    /// Keeps the seed in the state folder, which is the caller's alone by now. False if another
    /// delivery has kept its own in the meantime: then that one counts.
    pub(super) fn keep(&mut self) -> Result<bool, CommandError> {
        let Some(new) = self.new.take() else {
            return Ok(true);
        };
        if self.kept.exists() {
            return Ok(false);
        }
        let folder = self.kept.parent().unwrap_or(Path::new("."));
        let written = fs::read(new.path()).and_then(|seed| {
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(&seed)?;
            file.persist(&self.kept)?;
            Ok(())
        });
        written
            .with_context(|| format!("{} cannot be written", self.kept.display()))
            .or_environment()?;
        Ok(true)
    }
}

fn make() -> anyhow::Result<NamedTempFile> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).map_err(|error| anyhow!("{error}"))?;
    let mut text = String::new();
    for byte in random {
        write!(text, "{byte:02x}")?;
    }
    let mut file = NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(seed: &Seed) -> Vec<u8> {
        fs::read(seed.path()).unwrap()
    }

    #[test]
    fn a_seed_is_made_once() {
        let state = tempfile::tempdir().unwrap();
        let mut first = Seed::of(state.path()).unwrap();
        let mut beside = Seed::of(state.path()).unwrap();
        assert_ne!(content(&first), content(&beside));
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);

        let used = content(&first);
        assert!(first.keep().unwrap());
        assert_eq!(content(&first), used);
        assert!(!beside.keep().unwrap());
        assert_eq!(content(&beside), used);
        assert_eq!(content(&Seed::of(state.path()).unwrap()), used);
    }
}
