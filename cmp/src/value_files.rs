//! Values files and file parameters: found as Argo CD finds them, never outside of the repository.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::{PluginError, glob};

/// Largest values file, in bytes (5 MiB), as for a file of a chart.
const MAX_FILE_SIZE: u64 = 5 * 1024 * 1024;

/// Most directory entries that one pattern looks at.
const MAX_ENTRIES: usize = 100_000;

/// Deepest directory that `**` looks into.
const MAX_DEPTH: usize = 64;

/// Finds files for parameters.
#[derive(Debug, Clone)]
pub(crate) struct FileFinder {
    chart: PathBuf,
    /// Canonical, and nothing outside of it is read.
    boundary: PathBuf,
}

/// A file that was found and may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundFile {
    /// As the user wrote it, or relative to the chart for a pattern.
    pub shown: String,
    path: PathBuf,
}

impl FileFinder {
    pub(crate) fn new(chart: &Path, boundary: &Path) -> Result<Self, PluginError> {
        let canonical = |path: &Path| {
            std::fs::canonicalize(path).map_err(|error| {
                PluginError::Environment(format!(
                    "{}: {error}; start the plugin in the chart's folder",
                    path.display()
                ))
            })
        };
        let (chart, boundary) = (canonical(chart)?, canonical(boundary)?);
        if !chart.starts_with(&boundary) {
            return Err(PluginError::Environment(format!(
                "the chart {} is not within {}; correct STAGELINK_FILES_ROOT",
                chart.display(),
                boundary.display()
            )));
        }
        Ok(Self { chart, boundary })
    }

    /// The files of a list of values files, in their order: patterns are expanded in place, each
    /// file comes once, and one that is named explicitly keeps its place
    /// (Argo CD's `docs/user-guide/helm.md`, "Glob Patterns in Value Files").
    pub(crate) fn value_files(
        &self,
        entries: &[String],
        ignore_missing: bool,
    ) -> Result<Vec<FoundFile>, PluginError> {
        let mut explicit = BTreeSet::new();
        for entry in entries.iter().filter(|entry| !glob::is_pattern(entry)) {
            if let Some(found) = self.find("values file", entry)? {
                explicit.insert(found.path);
            }
        }
        let mut files: Vec<FoundFile> = Vec::new();
        let mut taken = BTreeSet::new();
        for entry in entries {
            if glob::is_pattern(entry) {
                let matches = self.expand(entry)?;
                if matches.is_empty() && !ignore_missing {
                    return Err(PluginError::input(format!(
                        "values file glob {entry:?} matched no files; correct it, or set ignore-missing-value-files"
                    )));
                }
                for file in matches {
                    if !explicit.contains(&file.path) && taken.insert(file.path.clone()) {
                        files.push(file);
                    }
                }
                continue;
            }
            match self.find("values file", entry)? {
                Some(file) => {
                    if taken.insert(file.path.clone()) {
                        files.push(file);
                    }
                }
                None if ignore_missing => {}
                None => {
                    return Err(PluginError::input(format!(
                        "values file {entry:?} does not exist; correct the path, or set ignore-missing-value-files"
                    )));
                }
            }
        }
        Ok(files)
    }

    /// The file of a file parameter.
    pub(crate) fn parameter_file(&self, name: &str, path: &str) -> Result<FoundFile, PluginError> {
        self.find("file", path)?.ok_or_else(|| {
            PluginError::input(format!(
                "helm-file-parameters {name:?}: file {path:?} does not exist; correct the path"
            ))
        })
    }

    /// Where a path leads; `None` if nothing is there.
    fn find(&self, what: &str, entry: &str) -> Result<Option<FoundFile>, PluginError> {
        let path = self.resolve(what, entry)?;
        let canonical = match std::fs::canonicalize(&path) {
            Ok(canonical) => canonical,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(PluginError::input(format!("{what} {entry:?}: {error}"))),
        };
        if !canonical.starts_with(&self.boundary) {
            return Err(outside(what, entry));
        }
        if !canonical.is_file() {
            return Err(PluginError::input(format!(
                "{what} {entry:?} is not a file; name a file"
            )));
        }
        Ok(Some(FoundFile {
            shown: entry.to_owned(),
            path: canonical,
        }))
    }

    /// A path without `..`, from the chart, or with a leading `/` from the boundary.
    fn resolve(&self, what: &str, entry: &str) -> Result<PathBuf, PluginError> {
        if entry.contains("://") {
            return Err(PluginError::input(format!(
                "{what} {entry:?} is a URL, but the plugin has no network; put the file into the repository"
            )));
        }
        if entry.starts_with('$') {
            return Err(PluginError::input(format!(
                "{what} {entry:?} is in another source, which Argo CD does not send to plugins; put the file into the repository"
            )));
        }
        let mut path = if entry.starts_with('/') {
            self.boundary.clone()
        } else {
            self.chart.clone()
        };
        for component in Path::new(entry).components() {
            match component {
                Component::Normal(part) => path.push(part),
                Component::ParentDir => {
                    path.pop();
                }
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
            if !path.starts_with(&self.boundary) {
                return Err(outside(what, entry));
            }
        }
        Ok(path)
    }

    /// The files that fit a pattern: each directory's own ones before those of its directories, in
    /// the order of their names.
    fn expand(&self, entry: &str) -> Result<Vec<FoundFile>, PluginError> {
        let parts: Vec<&str> = entry.split('/').collect();
        let fixed = parts
            .iter()
            .take_while(|part| !glob::is_pattern(part))
            .count();
        let base = self.resolve("values file glob", &parts[..fixed].join("/"))?;
        // An absolute pattern whose first part is one has lost its slash in the join.
        let base = if entry.starts_with('/') && fixed == 1 {
            self.boundary.clone()
        } else {
            base
        };
        let mut search = Search {
            finder: self,
            entry,
            found: Vec::new(),
            looked_at: 0,
        };
        search.directory(&base, &parts[fixed..], 0)?;
        Ok(search.found)
    }
}

fn outside(what: &str, entry: &str) -> PluginError {
    PluginError::input(format!(
        "{what} {entry:?} leads out of the repository; use one within it"
    ))
}

struct Search<'a> {
    finder: &'a FileFinder,
    entry: &'a str,
    found: Vec<FoundFile>,
    looked_at: usize,
}

impl Search<'_> {
    fn directory(
        &mut self,
        directory: &Path,
        parts: &[&str],
        depth: usize,
    ) -> Result<(), PluginError> {
        let Some((first, rest)) = parts.split_first() else {
            return Ok(());
        };
        if depth > MAX_DEPTH {
            return Err(self.too_much());
        }
        let (files, directories) = self.entries(directory)?;
        if *first == "**" {
            // Zero directories: a last `**` is everything here.
            match rest {
                [] => self.files(directory, &files, "*")?,
                [last] => self.files(directory, &files, last)?,
                _ => self.directory(directory, rest, depth + 1)?,
            }
            for name in directories {
                self.directory(&directory.join(name), parts, depth + 1)?;
            }
            return Ok(());
        }
        if rest.is_empty() {
            return self.files(directory, &files, first);
        }
        for name in directories {
            if glob::part_matches(first, &name) {
                self.directory(&directory.join(name), rest, depth + 1)?;
            }
        }
        Ok(())
    }

    fn files(
        &mut self,
        directory: &Path,
        names: &[String],
        pattern: &str,
    ) -> Result<(), PluginError> {
        for name in names
            .iter()
            .filter(|name| glob::part_matches(pattern, name))
        {
            let path = directory.join(name);
            let Ok(canonical) = std::fs::canonicalize(&path) else {
                continue;
            };
            if !canonical.starts_with(&self.finder.boundary) {
                return Err(outside("values file glob", self.entry));
            }
            let shown = path
                .strip_prefix(&self.finder.chart)
                .or_else(|_| path.strip_prefix(&self.finder.boundary))
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            self.found.push(FoundFile {
                shown,
                path: canonical,
            });
        }
        Ok(())
    }

    /// Names of the files and of the directories in a directory, sorted. Linked directories are not
    /// looked into, linked files are files.
    fn entries(&mut self, directory: &Path) -> Result<(Vec<String>, Vec<String>), PluginError> {
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        let Ok(entries) = std::fs::read_dir(directory) else {
            return Ok((files, directories));
        };
        for entry in entries.flatten() {
            self.looked_at += 1;
            if self.looked_at > MAX_ENTRIES {
                return Err(self.too_much());
            }
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
                continue;
            };
            if kind.is_dir() {
                directories.push(name);
            } else if kind.is_file() || entry.path().is_file() {
                files.push(name);
            }
        }
        files.sort();
        directories.sort();
        Ok((files, directories))
    }

    fn too_much(&self) -> PluginError {
        PluginError::input(format!(
            "values file glob {:?} looks at too many files; make it narrower",
            self.entry
        ))
    }
}

impl FoundFile {
    /// Reads the file.
    pub(crate) fn read(&self) -> Result<Vec<u8>, PluginError> {
        let failed = |problem: String| PluginError::input(format!("{}: {problem}", self.shown));
        let size = std::fs::metadata(&self.path)
            .map_err(|error| failed(error.to_string()))?
            .len();
        if size > MAX_FILE_SIZE {
            return Err(failed(format!(
                "it has {size} bytes; keep it under {MAX_FILE_SIZE}"
            )));
        }
        std::fs::read(&self.path).map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A repository with a chart in `charts/dev`.
    fn repository() -> (tempfile::TempDir, FileFinder) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for file in [
            "repo/common.yaml",
            "repo/charts/dev/Chart.yaml",
            "repo/charts/dev/prod.yaml",
            "repo/charts/dev/envs/z.yaml",
            "repo/charts/dev/envs/a.yaml",
            "repo/charts/dev/envs/nested/c.yaml",
            "repo/charts/dev/envs/nested/prod.yaml",
            "repo/charts/dev/envs/note.txt",
            "secret.yaml",
        ] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        std::os::unix::fs::symlink(
            root.join("secret.yaml"),
            root.join("repo/charts/dev/link.yaml"),
        )
        .unwrap();
        std::os::unix::fs::symlink(
            "../../common.yaml",
            root.join("repo/charts/dev/inside.yaml"),
        )
        .unwrap();
        let finder = FileFinder::new(&root.join("repo/charts/dev"), &root.join("repo")).unwrap();
        (folder, finder)
    }

    fn shown(finder: &FileFinder, entries: &[&str], ignore: bool) -> Result<Vec<String>, String> {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        finder
            .value_files(&entries, ignore)
            .map(|files| files.into_iter().map(|file| file.shown).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn files_are_found_from_chart_and_repository() {
        let (_folder, finder) = repository();
        for entry in [
            "prod.yaml",
            "./envs/../prod.yaml",
            "../../common.yaml",
            "/common.yaml",
            "inside.yaml",
            "/charts/dev/prod.yaml",
        ] {
            assert_eq!(shown(&finder, &[entry], false), Ok(vec![entry.to_owned()]));
        }
    }

    #[test]
    fn patterns_are_expanded_in_argo_cds_order() {
        let (_folder, finder) = repository();
        for (entries, files) in [
            (&["envs/*.yaml"][..], &["envs/a.yaml", "envs/z.yaml"][..]),
            (
                &["envs/**/*.yaml"],
                &[
                    "envs/a.yaml",
                    "envs/z.yaml",
                    "envs/nested/c.yaml",
                    "envs/nested/prod.yaml",
                ],
            ),
            (
                &["envs/*.yaml", "envs/a.yaml"],
                &["envs/z.yaml", "envs/a.yaml"],
            ),
            (
                &["envs/*.yaml", "envs/**/*.yaml"],
                &[
                    "envs/a.yaml",
                    "envs/z.yaml",
                    "envs/nested/c.yaml",
                    "envs/nested/prod.yaml",
                ],
            ),
            (&["envs/*/[a-c].yaml"], &["envs/nested/c.yaml"]),
            (&["/*.yaml"], &["common.yaml"]),
            (&["../../c*.yaml"], &["common.yaml"]),
            (&["prod.yaml", "prod.yaml"], &["prod.yaml"]),
        ] {
            assert_eq!(
                shown(&finder, entries, false).unwrap(),
                files,
                "{entries:?}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_an_error_unless_ignored() {
        let (_folder, finder) = repository();
        assert_eq!(
            shown(&finder, &["none.yaml"], false).unwrap_err(),
            "values file \"none.yaml\" does not exist; correct the path, or set ignore-missing-value-files"
        );
        assert!(
            shown(&finder, &["none/*.yaml"], false)
                .unwrap_err()
                .starts_with("values file glob \"none/*.yaml\" matched no files")
        );
        assert_eq!(
            shown(&finder, &["none.yaml", "none/*.yaml", "prod.yaml"], true).unwrap(),
            ["prod.yaml"]
        );
    }

    #[test]
    fn nothing_leads_out_of_the_repository() {
        let (_folder, finder) = repository();
        for entry in [
            "../../../secret.yaml",
            "link.yaml",
            "l*.yaml",
            "../../../*.yaml",
            "/../secret.yaml",
            "/../*.yaml",
        ] {
            let error = shown(&finder, &[entry], true).unwrap_err();
            assert!(
                error.contains("leads out of the repository"),
                "{entry}: {error}"
            );
        }
        assert!(
            shown(&finder, &["https://example.com/v.yaml"], true)
                .unwrap_err()
                .contains("no network")
        );
        assert!(
            shown(&finder, &["$values/v.yaml"], true)
                .unwrap_err()
                .contains("another source")
        );
        assert!(
            shown(&finder, &["envs"], true)
                .unwrap_err()
                .contains("is not a file")
        );
    }

    #[test]
    fn a_large_file_is_refused() {
        let (folder, finder) = repository();
        let path = folder.path().join("repo/charts/dev/large.yaml");
        fs::File::create(path)
            .unwrap()
            .set_len(MAX_FILE_SIZE + 1)
            .unwrap();
        let file = finder.parameter_file("a", "large.yaml").unwrap();
        assert_eq!(
            file.read().unwrap_err().to_string(),
            "large.yaml: it has 5242881 bytes; keep it under 5242880"
        );
    }
}
