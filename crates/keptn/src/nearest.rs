//! "Did you mean …?"

/// The known name that is most like `name`, if one is like it: at most one edit for every three
/// characters, upper and lower case the same.
///
/// ```
/// assert_eq!(stagelink_keptn::nearest("promot", ["promote", "test"]), Some("promote"));
/// assert_eq!(stagelink_keptn::nearest("xyz", ["promote", "test"]), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer names are not compared: the work grows with the square of their length.
    const LONGEST: usize = 128;
    let length = name.chars().count();
    if length > LONGEST {
        return None;
    }
    known
        .into_iter()
        .filter(|candidate| candidate.chars().count() <= LONGEST)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= (length / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, with two swapped neighbours as one edit.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().flat_map(char::to_lowercase).collect();
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for line in 1..=left.len() {
        let mut next = vec![line];
        for column in 1..=right.len() {
            let same = left[line - 1] == right[column - 1];
            let mut edits = (row[column - 1] + usize::from(!same))
                .min(row[column] + 1)
                .min(next[column - 1] + 1);
            let swapped = line > 1
                && column > 1
                && left[line - 1] == right[column - 2]
                && left[line - 2] == right[column - 1];
            if swapped {
                edits = edits.min(before[column - 2] + 1);
            }
            next.push(edits);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_edits() {
        for (left, right, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("spanlinks", "spanLinks", 0),
            ("flaw", "lawn", 2),
            ("wiat", "wait", 1),
            ("ab", "ba", 1),
        ] {
            assert_eq!(distance(left, right), edits);
            assert_eq!(distance(right, left), edits);
        }
    }
}
