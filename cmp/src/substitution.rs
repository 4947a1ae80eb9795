//! `$ARGOCD_APP_…` in parameters, as Argo CD substitutes it in its own Helm source.

/// Replaces `$name` and `${name}` as Argo CD does (`Env.Envsubst`, which is Go's `os.Expand`):
/// `$$` is a dollar, an unknown variable is empty, a dollar before anything else stays.
///
/// ```
/// let lookup = |name: &str| (name == "ARGOCD_APP_NAME").then(|| "shop".to_owned());
/// assert_eq!(stagelink_cmp::substitute("$ARGOCD_APP_NAME-${NOTHING}x, 5$$", lookup), "shop-x, 5$");
/// ```
pub fn substitute(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        result.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if after.is_empty() {
            // A dollar at the very end stays.
            rest = &rest[dollar..];
            break;
        }
        let (name, width) = name_at(after);
        match (name, width) {
            ("", 0) => result.push('$'),
            // Go eats `${}` and an unclosed `${`.
            ("", _) => {}
            ("$", _) => result.push('$'),
            (name, _) => result.push_str(&lookup(name).unwrap_or_default()),
        }
        rest = &after[width..];
    }
    result.push_str(rest);
    result
}

/// The variable's name behind a dollar, and how many bytes it takes there.
fn name_at(text: &str) -> (&str, usize) {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'{') => match text.find('}') {
            Some(1) => ("", 2),
            Some(end) => (&text[1..end], end + 1),
            None => ("", 1),
        },
        Some(first) if is_special(*first) => (&text[..1], 1),
        _ => {
            let end = bytes
                .iter()
                .position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'))
                .unwrap_or(bytes.len());
            (&text[..end], end)
        }
    }
}

/// The shell's one-character variables.
fn is_special(byte: u8) -> bool {
    matches!(
        byte,
        b'*' | b'#' | b'$' | b'@' | b'!' | b'?' | b'-' | b'0'..=b'9'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expand(text: &str) -> String {
        substitute(text, |name| match name {
            "ARGOCD_APP_NAME" => Some("shop".to_owned()),
            "ARGOCD_APP_REVISION" => Some("0123abc".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn variables_are_replaced_as_by_go() {
        for (text, result) in [
            ("", ""),
            ("plain", "plain"),
            ("$ARGOCD_APP_NAME", "shop"),
            ("${ARGOCD_APP_NAME}x", "shopx"),
            ("$ARGOCD_APP_NAMEx", ""),
            ("a-$ARGOCD_APP_NAME.b", "a-shop.b"),
            ("$ARGOCD_APP_NAME$ARGOCD_APP_REVISION", "shop0123abc"),
            ("$UNKNOWN", ""),
            ("${UNKNOWN}", ""),
            ("$$ARGOCD_APP_NAME", "$ARGOCD_APP_NAME"),
            ("${$}x", "$x"),
            ("100$", "100$"),
            ("$", "$"),
            ("$.x", "$.x"),
            ("$ä", "$ä"),
            ("${}", ""),
            ("a${", "a"),
            ("a${b", "ab"),
            ("$1x", "x"),
            ("$-x", "x"),
        ] {
            assert_eq!(expand(text), result, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_text_without_dollars_stays(text in "[^$]*") {
            prop_assert_eq!(expand(&text), text);
        }

        #[test]
        fn doubled_dollars_become_single_ones(text in "\\PC*") {
            prop_assert_eq!(expand(&text.replace('$', "$$")), text);
        }
    }
}
