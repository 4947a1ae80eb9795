//! Names of tasks and evaluations, as Keptn makes them (`lifecycle-operator/common/common.go`).

/// A Kubernetes name may have this many bytes.
const MAXIMUM: usize = 253;
/// No part is cut below this, unless there are too many parts.
const MINIMUM_PART: usize = 80;

/// `<check type>-<definition>-<five digits>`, lowercase, `_` as `-`, cut where too long.
pub(crate) fn item_name(check_type: &str, definition: &str, suffix: u32) -> String {
    resource_name(&[check_type, definition, &suffix.to_string()])
}

/// Joins parts with `-`, lowercase, `_` as `-`; when that is too long for Kubernetes, parts are cut
/// from the first on. Keptn names its resources, and after them its spans, in this way.
pub fn resource_name(parts: &[&str]) -> String {
    let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
    let mut minimum = MINIMUM_PART;
    while parts.len() * minimum > MAXIMUM {
        minimum /= 2;
    }
    let separators = parts.len().saturating_sub(1);
    let mut excess =
        (parts.iter().map(String::len).sum::<usize>() + separators).saturating_sub(MAXIMUM);
    for part in &mut parts {
        let cut = excess.min(part.len().saturating_sub(minimum));
        let mut end = part.len() - cut;
        while !part.is_char_boundary(end) {
            end -= 1;
        }
        part.truncate(end);
        excess -= cut;
    }
    parts.join("-").to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_keptns() {
        assert_eq!(item_name("pre", "Check_It", 12345), "pre-check-it-12345");
        let long = item_name("post-eval", &"x".repeat(300), 10000);
        assert_eq!(long.len(), MAXIMUM);
        assert!(long.starts_with("post-eval-xxx") && long.ends_with("x-10000"));
    }
}
