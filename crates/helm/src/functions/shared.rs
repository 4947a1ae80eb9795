//! What the families of functions share: the render that they run in, limits, and Go's nil collections.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use stagelink_gotemplate::{FunctionError, GoString, ListKind, MapKind, Templates};

use super::random::Randomness;

/// A `[]interface {}` that is nil in Go; it differs from an empty one in JSON only.
pub(crate) const NIL_LIST: ListKind = ListKind::Named("[]interface {}");
/// A `[]string` that is nil in Go.
pub(crate) const NIL_STRINGS: ListKind = ListKind::Named("[]string");
/// A `map[string]string` that is nil in Go.
pub(crate) const NIL_STRING_MAP: MapKind = MapKind::Named("map[string]string");

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
