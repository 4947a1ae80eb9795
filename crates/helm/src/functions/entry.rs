//! How one template function is described here, and how its arguments are read.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use stagelink_gotemplate::{
    FunctionError, GoString, List, ListKind, Map, MapKind, Templates, Value,
};

use super::random::Randomness;

/// What a function gives; the text of an error is what Go's function would have returned or panicked with.
pub(crate) type Outcome = Result<Value, FunctionError>;

/// A `[]interface {}` that is nil in Go; it differs from an empty one in JSON only.
pub(crate) const NIL_LIST: ListKind = ListKind::Named("[]interface {}");
/// A `[]string` that is nil in Go.
pub(crate) const NIL_STRINGS: ListKind = ListKind::Named("[]string");
/// A `map[string]string` that is nil in Go.
pub(crate) const NIL_STRING_MAP: MapKind = MapKind::Named("map[string]string");

/// Type of a parameter in the Go function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// `interface {}`
    Any,
    /// `bool`
    Bool,
    /// `float64`
    Float,
    /// `int`
    Int,
    /// `map[string]interface {}`
    Map,
    /// `string`
    Text,
    /// `time.Time`
    Time,
}

/// What runs.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// A pure function of its arguments.
    Pure(fn(Arguments<'_>) -> Outcome),
    /// A function that also needs the render it runs in.
    Within(fn(&Surroundings, Arguments<'_>) -> Outcome),
}

/// One template function.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// Name in templates.
    pub(crate) name: &'static str,
    /// Types of the fixed parameters.
    pub(crate) parameters: &'static [Type],
    /// Type of the remaining arguments, if it takes any.
    pub(crate) variadic: Option<Type>,
    /// What runs.
    pub(crate) run: Run,
}

/// A pure function with fixed parameters.
pub(crate) const fn pure(
    name: &'static str,
    parameters: &'static [Type],
    run: fn(Arguments<'_>) -> Outcome,
) -> Entry {
    Entry {
        name,
        parameters,
        variadic: None,
        run: Run::Pure(run),
    }
}

/// A pure function that takes any number of further arguments.
pub(crate) const fn variadic(
    name: &'static str,
    parameters: &'static [Type],
    rest: Type,
    run: fn(Arguments<'_>) -> Outcome,
) -> Entry {
    Entry {
        name,
        parameters,
        variadic: Some(rest),
        run: Run::Pure(run),
    }
}

/// A function that needs the render it runs in.
pub(crate) const fn within(
    name: &'static str,
    parameters: &'static [Type],
    run: fn(&Surroundings, Arguments<'_>) -> Outcome,
) -> Entry {
    Entry {
        name,
        parameters,
        variadic: None,
        run: Run::Within(run),
    }
}

/// What functions share within one render.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// Source of random texts.
    pub(crate) randomness: RefCell<Randomness>,
    /// How often each template is being included at the moment.
    pub(crate) includes: RefCell<HashMap<GoString, u32>>,
    /// Texts of `tpl` that were parsed within the root set.
    pub(crate) tpl_cache: RefCell<HashMap<GoString, Rc<Templates>>>,
    /// Password hashes made so far; each takes some 50 ms.
    pub(crate) password_hashes: Cell<u32>,
    /// Set once a function has read the clock.
    pub(crate) clock_was_read: Cell<bool>,
    /// Where the root set is while it runs; compared only, never followed.
    root: Cell<usize>,
}

impl Surroundings {
    /// A new render begins.
    pub(crate) fn start(&self, randomness: Randomness, root: &Templates) {
        self.randomness.replace(randomness);
        self.includes.borrow_mut().clear();
        self.password_hashes.set(0);
        self.clock_was_read.set(false);
        self.root.set(std::ptr::from_ref(root).addr());
    }

    /// The next file begins.
    pub(crate) fn enter(&self, template: &str) {
        self.randomness.borrow().enter(template);
        self.includes.borrow_mut().clear();
    }

    /// True if this is the set of all files, and not one within `tpl`.
    pub(crate) fn is_root(&self, templates: &Templates) -> bool {
        self.root.get() == std::ptr::from_ref(templates).addr()
    }
}

/// The largest text that one function may make, in bytes.
pub(crate) const MAXIMUM_TEXT: u64 = 32 << 20;
/// The most elements that one function may make.
pub(crate) const MAXIMUM_ITEMS: u64 = 1 << 20;

/// Refuses what would fill the memory, as `repeat 1000000000 "x"`.
pub(crate) fn check_text(length: u64) -> Result<(), FunctionError> {
    if length > MAXIMUM_TEXT {
        return Err(FunctionError::Limit(format!(
            "a text of {length} bytes is more than the {MAXIMUM_TEXT} that are allowed"
        )));
    }
    Ok(())
}

/// Refuses what would fill the memory, as `until 1000000000`.
pub(crate) fn check_items(count: u64) -> Result<(), FunctionError> {
    if count > MAXIMUM_ITEMS {
        return Err(FunctionError::Limit(format!(
            "a list of {count} elements is more than the {MAXIMUM_ITEMS} that are allowed"
        )));
    }
    Ok(())
}

/// The arguments of one call. The engine has checked their number and converted them to the parameters' types.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a>(pub(crate) &'a [Value]);

impl<'a> Arguments<'a> {
    fn wrong(self, index: usize, wanted: &str) -> String {
        let found = self.0.get(index).map_or("nothing", Value::type_name);
        format!("argument {} should be {wanted} but is {found}", index + 1)
    }

    /// The argument as it is.
    pub(crate) fn any(self, index: usize) -> &'a Value {
        self.0.get(index).unwrap_or(&Value::Nil)
    }

    /// A text.
    pub(crate) fn text(self, index: usize) -> Result<&'a GoString, String> {
        self.any(index)
            .as_string()
            .ok_or_else(|| self.wrong(index, "string"))
    }

    /// An integer.
    pub(crate) fn int(self, index: usize) -> Result<i64, String> {
        self.any(index)
            .as_integer()
            .ok_or_else(|| self.wrong(index, "int"))
    }

    /// A truth value.
    pub(crate) fn bool(self, index: usize) -> Result<bool, String> {
        match self.any(index) {
            Value::Bool(value) => Ok(*value),
            _ => Err(self.wrong(index, "bool")),
        }
    }

    /// A map; nil is an empty one.
    pub(crate) fn map(self, index: usize) -> Result<Map, String> {
        match self.any(index) {
            Value::Map(map) => Ok(map.clone()),
            Value::Nil => Ok(Map::new(BTreeMap::new())),
            _ => Err(self.wrong(index, "map")),
        }
    }

    /// The arguments from this one on.
    pub(crate) fn rest(self, from: usize) -> &'a [Value] {
        self.0.get(from..).unwrap_or_default()
    }

    /// Number of arguments.
    pub(crate) fn len(self) -> usize {
        self.0.len()
    }
}

/// A text value.
pub(crate) fn text(value: impl Into<GoString>) -> Outcome {
    Ok(Value::string(value))
}

/// A `[]interface {}`.
pub(crate) fn list(items: Vec<Value>) -> Outcome {
    Ok(Value::List(List::new(items)))
}
