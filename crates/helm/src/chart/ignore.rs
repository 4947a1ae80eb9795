//! `.helmignore`: which files of a directory do not belong to the chart.

/// The rules of a `.helmignore`, with Helm's default one at the end.
#[derive(Clone, Debug)]
pub(crate) struct IgnoreRules {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    negated: bool,
    directories_only: bool,
    whole_path: bool,
}

impl IgnoreRules {
    /// Reads a `.helmignore`; the error is a line's number and what is wrong there.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut rules = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            rules.extend(Rule::parse(line).map_err(|problem| (index + 1, problem))?);
        }
        rules.extend(Rule::parse("templates/.?*").ok().flatten());
        Ok(Self { rules })
    }

    /// Whether a path (relative to the chart, with `/`) is left out. Rules are tried in order, the first that says something
    /// decides; a negated rule says "leave out" about everything that it does not match, which is Helm's way.
    pub(crate) fn ignores(&self, path: &str, is_directory: bool) -> bool {
        for rule in &self.rules {
            let matches = rule.matches(path);
            if rule.negated {
                if !matches || rule.directories_only && !is_directory {
                    return true;
                }
            } else if matches && (is_directory || !rule.directories_only) {
                return true;
            }
        }
        false
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Option<Self>, String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if line.contains("**") {
            return Err("double-star (**) syntax is not supported".into());
        }
        let (pattern, negated) = line
            .strip_prefix('!')
            .map_or((line, false), |rest| (rest, true));
        let (pattern, directories_only) = pattern
            .strip_suffix('/')
            .map_or((pattern, false), |rest| (rest, true));
        let whole_path = pattern.contains('/');
        let pattern: String = pattern.strip_prefix('/').unwrap_or(pattern).into();
        matches(&pattern, "abc").ok_or("syntax error in pattern")?;
        Ok(Some(Self {
            pattern,
            negated,
            directories_only,
            whole_path,
        }))
    }

    fn matches(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        matches(&self.pattern, if self.whole_path { path } else { name }).unwrap_or(false)
    }
}

/// Go's `filepath.Match`: `*` and `?` do not match `/`; nothing for a malformed pattern.
fn matches(pattern: &str, name: &str) -> Option<bool> {
    let pattern = compile(pattern)?;
    let name: Vec<char> = name.chars().collect();
    // The places in the pattern that can be reached after each letter.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    let skip_stars = |reached: &mut Vec<bool>| {
        for (index, item) in pattern.iter().enumerate() {
            if reached[index] && matches!(item, Item::Star) {
                reached[index + 1] = true;
            }
        }
    };
    skip_stars(&mut reached);
    for letter in name {
        let mut next = vec![false; pattern.len() + 1];
        for (index, item) in pattern
            .iter()
            .enumerate()
            .filter(|(index, _)| reached[*index])
        {
            match item {
                Item::Star => next[index] |= letter != '/',
                _ => next[index + 1] |= item.takes(letter),
            }
        }
        reached = next;
        skip_stars(&mut reached);
    }
    Some(reached[pattern.len()])
}

enum Item {
    Star,
    Any,
    Letter(char),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Item {
    fn takes(&self, letter: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => letter != '/',
            Self::Letter(wanted) => *wanted == letter,
            Self::Class { negated, ranges } => {
                *negated
                    != ranges
                        .iter()
                        .any(|(low, high)| (*low..=*high).contains(&letter))
            }
        }
    }
}

fn compile(pattern: &str) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        items.push(match letter {
            '*' => Item::Star,
            '?' => Item::Any,
            '\\' => Item::Letter(letters.next()?),
            '[' => {
                let negated = letters.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                loop {
                    if !ranges.is_empty() && letters.next_if_eq(&']').is_some() {
                        break;
                    }
                    let mut end = || match letters.next()? {
                        '\\' => letters.next(),
                        '-' | ']' => None,
                        letter => Some(letter),
                    };
                    let low = end()?;
                    let high = if letters.next_if_eq(&'-').is_some() {
                        match letters.next()? {
                            '\\' => letters.next()?,
                            '-' | ']' => return None,
                            letter => letter,
                        }
                    } else {
                        low
                    };
                    ranges.push((low, high));
                }
                Item::Class { negated, ranges }
            }
            letter => Item::Letter(letter),
        });
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_in_helm() {
        for (rules, path, directory, ignored) in [
            ("helm.txt", "foo/bar/helm.txt", false, true),
            ("/helm.txt", "foo/helm.txt", false, false),
            ("*.txt", "a/b.txt", false, true),
            ("a/*.txt", "a/b.txt", false, true),
            ("a/*.txt", "a/b/c.txt", false, false),
            ("docs/", "docs", true, true),
            ("docs/", "docs", false, false),
            ("a[a-d]c", "abc", false, true),
            ("a[^b]c", "abc", false, false),
            ("# x\n\n.git", ".git", true, true),
            ("", "templates/.hidden", false, true),
            ("", "templates/_helpers.tpl", false, false),
            ("!keep.txt", "other.txt", false, true),
            ("!keep.txt", "keep.txt", false, false),
        ] {
            let parsed = IgnoreRules::parse(rules).expect(rules);
            assert_eq!(parsed.ignores(path, directory), ignored, "{rules:?} {path}");
        }
        assert_eq!(IgnoreRules::parse("a\n**/b").expect_err("star").0, 2);
        assert!(IgnoreRules::parse("a[").is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(pattern in "[a-c*?\\[\\]^\\\\!/-]{0,20}", path in "[a-c/.]{0,20}") {
            if let Ok(rules) = IgnoreRules::parse(&pattern) {
                let _ = rules.ignores(&path, false);
            }
        }
    }
}
