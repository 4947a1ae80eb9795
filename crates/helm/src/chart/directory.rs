//! Reading a chart's directory.

use super::error::{ChartError, ChartErrorKind};
use super::ignore::IgnoreRules;
use super::load::{Budget, without_mark};
use super::{File, MAX_FILE_SIZE};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Deepest nesting of directories.
const MAX_DEPTH: usize = 64;

/// All files of a directory that `.helmignore` leaves, in Helm's order. Links are followed as long as they stay below
/// `boundary`, which Helm does not ask for; what is not a regular file is refused, as by Helm.
pub(super) fn read(
    root: &Path,
    boundary: &Path,
    budget: &mut Budget,
) -> Result<Vec<File>, ChartError> {
    let canonical = |path: &Path| {
        fs::canonicalize(path).map_err(|error| ChartError::io(path.display().to_string(), &error))
    };
    let (root, boundary) = (canonical(root)?, canonical(boundary)?);
    let rules = match fs::read_to_string(root.join(".helmignore")) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(ChartError::io(".helmignore", &error)),
    };
    let rules = IgnoreRules::parse(&rules).map_err(|(line, problem)| {
        let file = format!(".helmignore:{line}");
        ChartError::new(
            ChartErrorKind::Content,
            file,
            problem,
            "correct the pattern",
        )
    })?;
    let mut walk = Walk {
        root: &root,
        boundary,
        rules,
        budget,
        files: Vec::new(),
    };
    walk.directory(&root, "", &mut Vec::new())?;
    Ok(walk.files)
}

struct Walk<'chart> {
    root: &'chart Path,
    boundary: PathBuf,
    rules: IgnoreRules,
    budget: &'chart mut Budget,
    files: Vec<File>,
}

impl Walk<'_> {
    /// `above` are the real paths of the directories around this one.
    fn directory(
        &mut self,
        path: &Path,
        name: &str,
        above: &mut Vec<PathBuf>,
    ) -> Result<(), ChartError> {
        let io = |error: &std::io::Error| {
            ChartError::io(if name.is_empty() { "." } else { name }, error)
        };
        let real = fs::canonicalize(path).map_err(|error| io(&error))?;
        if above.len() >= MAX_DEPTH || above.contains(&real) {
            let message =
                "the link leads to a directory around it, or directories are nested too deeply";
            return Err(ChartError::new(
                ChartErrorKind::Escape,
                name,
                message,
                "remove the link",
            ));
        }
        let entries = fs::read_dir(path).map_err(|error| io(&error))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| io(&error))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        above.push(real);
        for entry in names {
            let child = if name.is_empty() {
                entry.clone()
            } else {
                format!("{name}/{entry}")
            };
            self.entry(&path.join(&entry), &child, above)?;
        }
        above.pop();
        Ok(())
    }

    fn entry(
        &mut self,
        path: &Path,
        name: &str,
        above: &mut Vec<PathBuf>,
    ) -> Result<(), ChartError> {
        let io = |error: std::io::Error| ChartError::io(name, &error);
        let is_link = fs::symlink_metadata(path).map_err(io)?.is_symlink();
        let metadata = fs::metadata(path).map_err(|error| match is_link {
            true => {
                let message = format!("error evaluating symlink: {error}");
                ChartError::new(
                    ChartErrorKind::Io,
                    name,
                    message,
                    "repair or remove the link",
                )
            }
            false => io(error),
        })?;
        if self.rules.ignores(name, metadata.is_dir()) {
            return Ok(());
        }
        if is_link {
            let target = fs::canonicalize(path).map_err(io)?;
            if !target.starts_with(self.root) && !target.starts_with(&self.boundary) {
                let message = "the link leads out of the chart";
                let advice = "copy the file into the chart, or name it in .helmignore";
                return Err(ChartError::new(
                    ChartErrorKind::Escape,
                    name,
                    message,
                    advice,
                ));
            }
        }
        if metadata.is_dir() {
            return self.directory(path, name, above);
        }
        if !metadata.is_file() {
            let message = "cannot load irregular file as it has file mode type bits set";
            return Err(ChartError::new(
                ChartErrorKind::Content,
                name,
                message,
                "remove it, or name it in .helmignore",
            ));
        }
        let mut data = Vec::new();
        let file = fs::File::open(path).map_err(io)?;
        // One byte more than allowed tells a file that has grown meanwhile.
        file.take(MAX_FILE_SIZE + 1)
            .read_to_end(&mut data)
            .map_err(io)?;
        let size = metadata.len().max(data.len() as u64);
        if size > MAX_FILE_SIZE {
            let message =
                format!("chart file is larger than the maximum file size {MAX_FILE_SIZE}");
            return Err(ChartError::new(
                ChartErrorKind::Limit,
                name,
                message,
                "name it in .helmignore, or make it smaller",
            ));
        }
        self.budget.take_file(name, size)?;
        self.files.push(File {
            name: name.to_owned(),
            data: without_mark(data),
        });
        Ok(())
    }
}
