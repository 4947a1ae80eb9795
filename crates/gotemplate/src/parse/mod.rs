//! From a template's text to its tree. Follows Go 1.26's `text/template/parse`.

mod expression;
mod lexer;
pub(crate) mod node;
mod parser;
mod token;
mod variables;

pub(crate) use lexer::decode;
pub(crate) use parser::{Definition, is_blank, parse};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::node::Node;
    use super::parse;

    /// The first action of a text as it is printed.
    fn printed(text: &str) -> Option<String> {
        let definitions = parse("any", text.as_bytes(), &|name| Some((name.into(), 0))).ok()?;
        let nodes = definitions
            .into_iter()
            .find(|each| each.name == "any")?
            .nodes;
        nodes.iter().find_map(|node| match node {
            Node::Action(pipeline) => Some(format!("{{{{{pipeline}}}}}")),
            Node::Template(call) => Some(call.to_string()),
            _ => None,
        })
    }

    fn operand() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just(".".to_owned()),
            Just("nil".to_owned()),
            Just("true".to_owned()),
            "[.][a-z]{1,3}([.][a-z]{1,2}){0,2}",
            "[$]([.][a-z]{1,2}){0,2}",
            "[1-9][0-9]{0,4}([.][0-9]{1,3})?",
            "0x[0-9a-f]{1,4}",
            "'[a-z]'",
            "\"[a-z{} |]{0,5}\"",
            "`[a-z\"]{0,5}`",
            "[a-z]{1,4}x",
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let command = proptest::collection::vec(inner, 0..3)
                .prop_map(|operands| format!("call {}", operands.join(" ")));
            let pipeline = proptest::collection::vec(command, 1..3)
                .prop_map(|commands| format!("({})", commands.join("|")));
            (pipeline, "([.][a-z]{1,2}){0,2}").prop_map(|(pipeline, fields)| pipeline + &fields)
        })
    }

    proptest! {
        /// What is printed in errors is the same template again.
        #[test]
        fn printing_is_stable(
            operands in proptest::collection::vec(operand(), 1..4),
            start in prop_oneof![Just("f "), Just(" $x := f "), Just("template \"t\" f ")],
        ) {
            let text = format!("{{{{{start}{}}}}}", operands.join("  "));
            let once = printed(&text);
            prop_assert!(once.is_some(), "{}", text);
            let twice = once.as_deref().and_then(printed);
            prop_assert_eq!(once, twice);
        }
    }
}
