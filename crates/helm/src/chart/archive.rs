//! Reading a packaged chart (`.tgz`).

use super::error::{ChartError, ChartErrorKind};
use super::load::{Budget, without_mark};
use super::{File, MAX_CHART_SIZE, MAX_FILE_SIZE};
use flate2::read::MultiGzDecoder;
use std::io::{BufReader, Read};

/// All files of an archive, without the first element of their paths. Nothing is written anywhere.
pub(super) fn read(
    input: impl Read,
    shown: &str,
    budget: &mut Budget,
) -> Result<Vec<File>, ChartError> {
    let content =
        |message: String, advice| ChartError::new(ChartErrorKind::Content, shown, message, advice);
    let mut input = BufReader::new(input);
    let mut magic = [0; 3];
    let length =
        read_up_to(&mut input, &mut magic).map_err(|error| ChartError::io(shown, &error))?;
    if magic[..length] != [0x1f, 0x8b, 0x08] {
        let message = "file does not appear to be a gzipped archive";
        let advice = "give the directory of a chart, or what `helm package` made";
        return Err(ChartError::new(
            ChartErrorKind::NotAChart,
            shown,
            message,
            advice,
        ));
    }
    let broken = |error: std::io::Error| {
        content(
            format!("the archive cannot be unpacked: {error}"),
            "package the chart again",
        )
    };
    // Room for the headers of many small files, and an end for what is nothing but headers.
    let unpacked = MultiGzDecoder::new(magic.as_slice().chain(input)).take(2 * MAX_CHART_SIZE);
    let mut archive = tar::Archive::new(unpacked);
    let mut files = Vec::new();
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() || kind.is_pax_local_extensions() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = inner_path(&path).map_err(|problem| {
            ChartError::new(
                ChartErrorKind::Escape,
                format!("{shown} ({path:?})"),
                problem,
                "package the chart again",
            )
        })?;
        let size = entry.size();
        if size > MAX_FILE_SIZE {
            let message =
                format!("chart file is larger than the maximum file size {MAX_FILE_SIZE}");
            return Err(ChartError::new(
                ChartErrorKind::Limit,
                name,
                message,
                "make it smaller",
            ));
        }
        budget.take_file(&name, size)?;
        let mut data = Vec::new();
        entry
            .by_ref()
            .take(size)
            .read_to_end(&mut data)
            .map_err(broken)?;
        files.push(File {
            name,
            data: without_mark(data),
        });
    }
    if files.is_empty() {
        return Err(content(
            "no files in chart archive".into(),
            "package the chart again",
        ));
    }
    Ok(files)
}

fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

/// The path within the chart; the errors are Helm's.
fn inner_path(path: &str) -> Result<String, String> {
    // An archive made on Windows may have backslashes.
    let delimiter = if path.contains('\\') { '\\' } else { '/' };
    let mut parts = path.split(delimiter);
    let base = parts.next().unwrap_or_default();
    let rest = parts.collect::<Vec<_>>().join("/");
    if rest.starts_with('/') {
        return Err("chart illegally contains absolute paths".into());
    }
    let mut clean: Vec<&str> = Vec::new();
    for part in rest
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part != ".." {
            clean.push(part);
        } else if clean.pop().is_none() {
            return Err("chart illegally references parent directory".into());
        }
    }
    let name = clean.join("/");
    if name.is_empty() {
        return Err("chart illegally contains content outside the base directory".into());
    }
    if name.starts_with("..") {
        return Err("chart illegally references parent directory".into());
    }
    if matches!(name.as_bytes(), [letter, b':', b'/', ..] if letter.is_ascii_alphabetic()) {
        return Err("chart contains illegally named files".into());
    }
    if base == "Chart.yaml" {
        return Err("chart yaml not in base directory".into());
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, inner) in [
            ("chart/Chart.yaml", Ok("Chart.yaml")),
            ("chart/./templates//a.yaml", Ok("templates/a.yaml")),
            ("chart\\templates\\a.yaml", Ok("templates/a.yaml")),
            ("chart/a/../b", Ok("b")),
            (
                "chart//etc/passwd",
                Err("chart illegally contains absolute paths"),
            ),
            (
                "chart/../../etc/passwd",
                Err("chart illegally references parent directory"),
            ),
            (
                "chart/a/../../b",
                Err("chart illegally references parent directory"),
            ),
            (
                "Chart.yaml",
                Err("chart illegally contains content outside the base directory"),
            ),
            ("chart/c:/x", Err("chart contains illegally named files")),
        ] {
            assert_eq!(
                inner_path(path).as_deref().map_err(String::as_str),
                inner,
                "{path}"
            );
        }
    }
}
