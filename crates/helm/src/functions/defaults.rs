//! Choices and types: `default`, `empty`, `coalesce`, `ternary`, and what a value is (`typeOf`, `kindIs`, …).

use stagelink_gotemplate::Value;

use super::convert::is_empty;
use super::entry::Type::{Any, Bool, Text};
use super::entry::{Arguments, Entry, Outcome, pure, text, variadic};

pub(super) const FUNCTIONS: &[Entry] = &[
    variadic("all", &[], Any, |call| {
        Ok(Value::Bool(!call.rest(0).iter().any(is_empty)))
    }),
    variadic("any", &[], Any, |call| {
        Ok(Value::Bool(!call.rest(0).iter().all(is_empty)))
    }),
    variadic("coalesce", &[], Any, |call| {
        Ok(call
            .rest(0)
            .iter()
            .find(|value| !is_empty(value))
            .cloned()
            .unwrap_or_default())
    }),
    pure("deepEqual", &[Any, Any], |call| {
        Ok(Value::Bool(call.any(0).deep_equal(call.any(1))))
    }),
    variadic("default", &[Any], Any, default),
    pure("empty", &[Any], |call| {
        Ok(Value::Bool(is_empty(call.any(0))))
    }),
    pure("kindIs", &[Text, Any], |call| {
        Ok(Value::Bool(*call.text(0)? == *call.any(1).kind().as_str()))
    }),
    pure("kindOf", &[Any], |call| text(call.any(0).kind().as_str())),
    pure("ternary", &[Any, Any, Bool], |call| {
        Ok(call.any(usize::from(!call.bool(2)?)).clone())
    }),
    pure("typeIs", &[Text, Any], |call| {
        Ok(Value::Bool(*call.text(0)? == *call.any(1).type_name()))
    }),
    pure("typeIsLike", &[Text, Any], |call| {
        let name = call.any(1).type_name();
        let wanted = call.text(0)?;
        Ok(Value::Bool(
            *wanted == *name || name.strip_prefix('*').is_some_and(|name| *wanted == *name),
        ))
    }),
    pure("typeOf", &[Any], |call| text(call.any(0).type_name())),
];

fn default(call: Arguments<'_>) -> Outcome {
    let given = call.rest(1).first().filter(|given| !is_empty(given));
    Ok(given.unwrap_or_else(|| call.any(0)).clone())
}
