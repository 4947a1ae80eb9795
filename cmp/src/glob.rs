//! Patterns for paths as Argo CD has them in value files: `*`, `?`, `[a-z]`, and `**` for any number
//! of directories.

/// True if the text has a character that makes it a pattern.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// True if one part of a path, without `/`, fits one part of a pattern.
///
/// Runs in time proportional to both lengths multiplied: a star never backtracks past the last one.
pub(crate) fn part_matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut position) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while position < text.len() {
        match one(&pattern[at..], text[position]) {
            One::Star => {
                last_star = Some((at + 1, position));
                at += 1;
            }
            One::Fits(width) => {
                at += width;
                position += 1;
            }
            One::Differs => match last_star {
                Some((after, from)) => {
                    at = after;
                    position = from + 1;
                    last_star = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|character| *character == '*')
}

enum One {
    Star,
    /// The character fits; the pattern's element has this many characters.
    Fits(usize),
    Differs,
}

fn one(pattern: &[char], character: char) -> One {
    match pattern {
        [] => One::Differs,
        ['*', ..] => One::Star,
        ['?', ..] => One::Fits(1),
        ['[', rest @ ..] => class(rest, character),
        ['\\', escaped, ..] if *escaped == character => One::Fits(2),
        [plain, ..] if *plain == character => One::Fits(1),
        _ => One::Differs,
    }
}

/// `[abc]`, `[a-z]`, `[!a]` or `[^a]`; one that is not closed fits nothing.
fn class(pattern: &[char], character: char) -> One {
    let negated = matches!(pattern.first(), Some('!' | '^'));
    let start = usize::from(negated);
    let Some(length) = pattern
        .iter()
        .skip(start + 1)
        .position(|close| *close == ']')
    else {
        return One::Differs;
    };
    let end = start + 1 + length;
    let members = &pattern[start..end];
    let mut found = false;
    let mut at = 0;
    while at < members.len() {
        if at + 2 < members.len() && members[at + 1] == '-' {
            found |= (members[at]..=members[at + 2]).contains(&character);
            at += 3;
        } else {
            found |= members[at] == character;
            at += 1;
        }
    }
    if found == negated {
        One::Differs
    } else {
        One::Fits(end + 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_fit_parts_of_paths() {
        for (pattern, text, fits) in [
            ("a.yaml", "a.yaml", true),
            ("*.yaml", "a.yaml", true),
            ("*.yaml", ".yaml", true),
            ("*.yaml", "a.yml", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?", "ä", true),
            ("?", "", false),
            ("values-[0-9].yaml", "values-7.yaml", true),
            ("values-[0-9].yaml", "values-x.yaml", false),
            ("[!a]b", "xb", true),
            ("[^a]b", "ab", false),
            ("[]]", "]", true),
            ("[a", "a", false),
            ("[a-]", "-", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("***", "", true),
        ] {
            assert_eq!(part_matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_without_special_characters_fits_only_itself(text in "[a-z.]{0,8}", other in "[a-z.]{0,8}") {
            prop_assert!(part_matches(&text, &text));
            prop_assert_eq!(part_matches(&text, &other), text == other);
        }

        #[test]
        fn any_pattern_ends(pattern in "[a*?\\[\\]!\\\\-]{0,40}", text in "a{0,200}") {
            let _ = part_matches(&pattern, &text);
        }
    }
}
