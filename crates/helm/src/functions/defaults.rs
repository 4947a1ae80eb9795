//! Choices and types: `default`, `empty`, `coalesce`, `ternary`, and what a value is (`typeOf`, `kindIs`, …).

use stagelink_gotemplate::{FunctionTable, GoString, Rest, Value};

use super::convert::is_empty;

/// Adds the functions of this family.
pub(super) fn register(table: &mut FunctionTable) {
    table.add("all", |values: Rest<Value>| !values.0.iter().any(is_empty));
    table.add("any", |values: Rest<Value>| !values.0.iter().all(is_empty));
    table.add("coalesce", |values: Rest<Value>| {
        values
            .0
            .into_iter()
            .find(|value| !is_empty(value))
            .unwrap_or_default()
    });
    table.add("deepEqual", |left: Value, right: Value| {
        left.deep_equal(&right)
    });
    table.add("default", |default: Value, given: Rest<Value>| {
        given
            .0
            .into_iter()
            .next()
            .filter(|given| !is_empty(given))
            .unwrap_or(default)
    });
    table.add("empty", |value: Value| is_empty(&value));
    table.add("kindIs", |name: GoString, value: Value| {
        name == value.kind().as_str()
    });
    table.add("kindOf", |value: Value| value.kind().as_str());
    table.add(
        "ternary",
        |yes: Value, no: Value, condition: bool| if condition { yes } else { no },
    );
    table.add("typeIs", |name: GoString, value: Value| {
        name == value.type_name()
    });
    table.add("typeIsLike", |name: GoString, value: Value| {
        let found = value.type_name();
        name == found || found.strip_prefix('*').is_some_and(|found| name == found)
    });
    table.add("typeOf", |value: Value| value.type_name().to_owned());
}
