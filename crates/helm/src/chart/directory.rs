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
/// Most links that are followed: links to directories with links multiply.
const MAX_LINKS: usize = 1000;

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
    let rules = read_rules(&root, &boundary)?;
    let mut walk = Walk {
        root: &root,
        boundary,
        rules,
        budget,
        files: Vec::new(),
        links: 0,
    };
    walk.directory(&root, "", root.clone(), &mut Vec::new())?;
    Ok(walk.files)
}

/// The rules of the chart's `.helmignore`, which is held to the same limits as all files.
fn read_rules(root: &Path, boundary: &Path) -> Result<IgnoreRules, ChartError> {
    const NAME: &str = ".helmignore";
    let path = root.join(NAME);
    let data = if path.exists() {
        check_link(&path, NAME, root, boundary)?;
        let metadata = fs::metadata(&path).map_err(|error| ChartError::io(NAME, &error))?;
        read_file(&path, NAME, &metadata)?
    } else {
        Vec::new()
    };
    IgnoreRules::parse(&String::from_utf8_lossy(&data)).map_err(|(line, problem)| {
        let file = format!("{NAME}:{line}");
        ChartError::new(
            ChartErrorKind::Content,
            file,
            problem,
            "correct the pattern",
        )
    })
}

/// The content of a regular file, from which it was made sure that it is no link that leads out.
fn read_file(path: &Path, name: &str, metadata: &fs::Metadata) -> Result<Vec<u8>, ChartError> {
    let io = |error: std::io::Error| ChartError::io(name, &error);
    if !metadata.is_file() {
        let message = "cannot load irregular file as it has file mode type bits set";
        let advice = "remove it, or name it in .helmignore";
        return Err(ChartError::new(
            ChartErrorKind::Content,
            name,
            message,
            advice,
        ));
    }
    // With room for the byte after the end, which is looked for.
    let size = metadata.len().min(MAX_FILE_SIZE) + 1;
    let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // One byte more than allowed tells that there is more, also of a file that is growing.
    let file = fs::File::open(path).map_err(io)?;
    file.take(MAX_FILE_SIZE + 1)
        .read_to_end(&mut data)
        .map_err(io)?;
    if data.len() as u64 > MAX_FILE_SIZE {
        let message = format!("chart file is larger than the maximum file size {MAX_FILE_SIZE}");
        let advice = "name it in .helmignore, or make it smaller";
        return Err(ChartError::new(
            ChartErrorKind::Limit,
            name,
            message,
            advice,
        ));
    }
    Ok(data)
}

fn check_link(path: &Path, name: &str, root: &Path, boundary: &Path) -> Result<(), ChartError> {
    let io = |error: std::io::Error| ChartError::io(name, &error);
    if !fs::symlink_metadata(path).map_err(io)?.is_symlink() {
        return Ok(());
    }
    let target = fs::canonicalize(path).map_err(io)?;
    if target.starts_with(root) || target.starts_with(boundary) {
        return Ok(());
    }
    let message = "the link leads out of the chart";
    let advice = "copy the file into the chart, or name it in .helmignore";
    Err(ChartError::new(
        ChartErrorKind::Escape,
        name,
        message,
        advice,
    ))
}

struct Walk<'chart> {
    root: &'chart Path,
    boundary: PathBuf,
    rules: IgnoreRules,
    budget: &'chart mut Budget,
    files: Vec<File>,
    links: usize,
}

impl Walk<'_> {
    /// `real` is where the directory is; `above` are those around it.
    fn directory(
        &mut self,
        path: &Path,
        name: &str,
        real: PathBuf,
        above: &mut Vec<PathBuf>,
    ) -> Result<(), ChartError> {
        let io = |error: &std::io::Error| {
            ChartError::io(if name.is_empty() { "." } else { name }, error)
        };
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
        let own = fs::symlink_metadata(path).map_err(io)?;
        let is_link = own.is_symlink();
        self.links += usize::from(is_link);
        if self.links > MAX_LINKS {
            let message =
                format!("the chart has more than {MAX_LINKS} links, counted where they lead");
            let advice = "copy what they lead to into the chart";
            return Err(ChartError::new(
                ChartErrorKind::Limit,
                name,
                message,
                advice,
            ));
        }
        let metadata = if is_link {
            fs::metadata(path).map_err(|error| {
                let message = format!("error evaluating symlink: {error}");
                let advice = "repair or remove the link";
                ChartError::new(ChartErrorKind::Io, name, message, advice)
            })?
        } else {
            own
        };
        if self.rules.ignores(name, metadata.is_dir()) {
            return Ok(());
        }
        if is_link {
            check_link(path, name, self.root, &self.boundary)?;
        }
        if metadata.is_dir() {
            let real = match (is_link, above.last(), path.file_name()) {
                (false, Some(around), Some(last)) => around.join(last),
                _ => fs::canonicalize(path).map_err(io)?,
            };
            return self.directory(path, name, real, above);
        }
        let data = read_file(path, name, &metadata)?;
        self.budget.take_file(name, data.len() as u64)?;
        self.files.push(File {
            name: name.to_owned(),
            data: without_mark(data),
        });
        Ok(())
    }
}
