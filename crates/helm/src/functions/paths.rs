//! Slash-separated paths, as Go's `path` (and `path/filepath` on Unix, which behaves the same there).

/// `path.Base`.
pub(crate) fn base(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return b".";
    }
    let end = path.len() - path.iter().rev().take_while(|byte| **byte == b'/').count();
    if end == 0 {
        return b"/";
    }
    let start = path[..end]
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |slash| slash + 1);
    &path[start..end]
}

/// `path.Dir`.
pub(crate) fn dir(path: &[u8]) -> Vec<u8> {
    let end = path
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(0, |slash| slash + 1);
    clean(&path[..end])
}

/// `path.Ext`.
pub(crate) fn ext(path: &[u8]) -> &[u8] {
    for (index, byte) in path.iter().enumerate().rev() {
        match byte {
            b'/' => break,
            b'.' => return &path[index..],
            _ => {}
        }
    }
    b""
}

/// `path.Clean`: without `.`, `..` and doubled slashes; the empty path is `.`.
pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = is_abs(path);
    let mut kept: Vec<&[u8]> = Vec::new();
    for element in path.split(|byte| *byte == b'/') {
        match element {
            b"" | b"." => {}
            b".." => match kept.last() {
                Some(&last) if last != b".." => _ = kept.pop(),
                _ if rooted => {}
                _ => kept.push(element),
            },
            element => kept.push(element),
        }
    }
    let joined = kept.join(b"/".as_slice());
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/".as_slice(), &joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// `path.IsAbs`.
pub(crate) fn is_abs(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go() {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        for (path, expected_base, expected_dir, expected_ext, expected_clean) in [
            ("", ".", ".", "", "."),
            ("/", "/", "/", "", "/"),
            ("a/b.txt", "b.txt", "a", ".txt", "a/b.txt"),
            ("/a//b/../c/", "c", "/a/c", "", "/a/c"),
            ("../../x.d/y", "y", "../../x.d", "", "../../x.d/y"),
            ("/..", "..", "/", ".", "/"),
        ] {
            let path = path.as_bytes();
            let found = (
                text(base(path)),
                text(&dir(path)),
                text(ext(path)),
                text(&clean(path)),
            );
            assert_eq!(
                found,
                (
                    expected_base.into(),
                    expected_dir.into(),
                    expected_ext.into(),
                    expected_clean.into()
                )
            );
        }
    }
}
