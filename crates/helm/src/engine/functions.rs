//! Functions that belong to the engine: `include`, `tpl`, `required`, `fail`, `lookup`, `getHostByName`.

use std::rc::Rc;

use stagelink_gotemplate::{
    FunctionError, FunctionTable, GoString, State, Templates, Value, strconv,
};

use super::{SET_NAME, without_no_value};
use crate::functions::Surroundings;
use crate::functions::text::find;

/// How often a template may be included within itself, as in Helm.
const MAXIMUM_RECURSION: u32 = 1000;

/// Texts of `tpl` that are kept parsed; a chart has few different ones.
const CACHE_LIMIT: usize = 1024;

/// Marks around a message that a template gave itself; Helm looks for them when it words the error.
pub(super) const MESSAGE_START: &str = "HELM_ERR_START";
pub(super) const MESSAGE_END: &str = "HELM_ERR_END";

/// Adds the functions to a table.
pub(crate) fn register(table: &mut FunctionTable, surroundings: &Rc<Surroundings>) {
    let around = Rc::clone(surroundings);
    table.add(
        "include",
        move |state: &mut State<'_>, name: GoString, data: Value| {
            include(&around, state, name, data)
        },
    );
    let around = Rc::clone(surroundings);
    table.add(
        "tpl",
        move |state: &mut State<'_>, text: GoString, data: Value| tpl(&around, state, &text, data),
    );
    table.add("required", |message: GoString, value: Value| {
        let is_missing = value.is_nil() || value.as_string().is_some_and(|text| text.is_empty());
        if is_missing {
            Err(own_message(&message))
        } else {
            Ok(value)
        }
    });
    table.add("fail", |message: GoString| {
        Err::<Value, _>(own_message(&message))
    });
    // There is no cluster to ask, and no network: as Helm answers with neither.
    table.add(
        "lookup",
        |_: GoString, _: GoString, _: GoString, _: GoString| Value::map::<&str>([]),
    );
    table.add("getHostByName", |_: GoString| GoString::default());
}

fn own_message(message: &GoString) -> FunctionError {
    FunctionError::new(format!("{MESSAGE_START}{message}{MESSAGE_END}"))
}

fn include(
    around: &Surroundings,
    state: &mut State<'_>,
    name: GoString,
    data: Value,
) -> Result<Value, FunctionError> {
    {
        let mut includes = around.includes.borrow_mut();
        let count = includes.entry(name.clone()).or_insert(0);
        if *count > MAXIMUM_RECURSION {
            return Err(FunctionError::new(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            )));
        }
        *count += 1;
    }
    let result = state.execute(&name, data);
    if let Some(count) = around.includes.borrow_mut().get_mut(&name) {
        *count -= 1;
    }
    result.map(Value::string)
}

fn tpl(
    around: &Surroundings,
    state: &mut State<'_>,
    text: &GoString,
    data: Value,
) -> Result<Value, FunctionError> {
    // Parsing is what costs here: text without an action is its own result.
    if find(text, b"{{").is_none() {
        state.charge(1 + text.len() as u64 / 1024)?;
        return Ok(Value::string(without_no_value(text.to_vec())));
    }
    let templates = parsed(around, state, text)?;
    let output = state
        .execute_with(&templates, SET_NAME.as_bytes(), data)
        .map_err(|error| {
            error.wrap(format!(
                "error during tpl function execution for {}",
                strconv::quote(text)
            ))
        })?;
    Ok(Value::string(without_no_value(output)))
}

/// The set of the caller with the text added to it; what the text defines is local to it.
fn parsed(
    around: &Surroundings,
    state: &mut State<'_>,
    text: &GoString,
) -> Result<Rc<Templates>, FunctionError> {
    let is_root = around.is_root(state.templates());
    if is_root && let Some(templates) = around.tpl_cache.borrow().get(text) {
        return Ok(Rc::clone(templates));
    }
    state.charge(16 + text.len() as u64 / 64)?;
    let mut templates = state.templates().clone();
    templates.parse(SET_NAME, text).map_err(|error| {
        FunctionError::from(error).wrap(format!("cannot parse template {}", strconv::quote(text)))
    })?;
    let templates = Rc::new(templates);
    if is_root {
        let mut cache = around.tpl_cache.borrow_mut();
        if cache.len() >= CACHE_LIMIT {
            cache.clear();
        }
        cache.insert(text.clone(), Rc::clone(&templates));
    }
    Ok(templates)
}
