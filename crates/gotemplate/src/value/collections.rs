//! Lists and maps: shared when cloned, as Go's slices and maps are.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use super::{GoString, Value};

/// The element type of a slice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// `[]interface {}`
    #[default]
    Any,
    /// `[]string`
    String,
    /// `[]int`
    Int,
    /// A type of the host program with this name; its elements are strings.
    Named(&'static str),
}

impl ListKind {
    /// Go's name of the slice's type.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Any => "[]interface {}",
            Self::String => "[]string",
            Self::Int => "[]int",
            Self::Named(name) => name,
        }
    }
}

/// A slice. Clones share the elements.
#[derive(Clone)]
pub struct List {
    items: Rc<RefCell<Vec<Value>>>,
    kind: ListKind,
}

impl List {
    /// A `[]interface {}`.
    pub fn new(items: Vec<Value>) -> Self {
        Self::with_kind(items, ListKind::Any)
    }

    /// A slice of this type.
    pub fn with_kind(items: Vec<Value>, kind: ListKind) -> Self {
        Self {
            items: Rc::new(RefCell::new(items)),
            kind,
        }
    }

    /// A `[]string`.
    pub fn of_strings<S: Into<GoString>>(items: impl IntoIterator<Item = S>) -> Self {
        let items = items
            .into_iter()
            .map(|item| Value::String(item.into()))
            .collect();
        Self::with_kind(items, ListKind::String)
    }

    /// The element type.
    pub fn kind(&self) -> ListKind {
        self.kind
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.items.borrow().len()
    }

    /// True if there is no element.
    pub fn is_empty(&self) -> bool {
        self.items.borrow().is_empty()
    }

    /// The element at an index from 0.
    pub fn get(&self, index: usize) -> Option<Value> {
        self.items.borrow().get(index).cloned()
    }

    /// The elements, for reading. No change may happen meanwhile.
    pub fn items(&self) -> Ref<'_, Vec<Value>> {
        self.items.borrow()
    }

    /// The elements, for changing. Nothing else may be read meanwhile.
    pub fn items_mut(&self) -> RefMut<'_, Vec<Value>> {
        self.items.borrow_mut()
    }

    /// A copy of the elements.
    pub fn to_vec(&self) -> Vec<Value> {
        self.items.borrow().clone()
    }

    /// True if both are the same slice.
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.items, &other.items)
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.items.try_borrow() {
            Ok(items) => f.debug_list().entries(items.iter()).finish(),
            Err(_) => f.write_str("[…]"),
        }
    }
}

impl Drop for List {
    /// Takes deeply nested values apart one by one: each level would take a piece of the stack.
    fn drop(&mut self) {
        if let Some(items) = Rc::get_mut(&mut self.items) {
            take_apart(items.get_mut().drain(..));
        }
    }
}

impl Drop for Map {
    /// As for a list.
    fn drop(&mut self) {
        if let Some(entries) = Rc::get_mut(&mut self.entries) {
            take_apart(std::mem::take(entries.get_mut()).into_values());
        }
    }
}

fn take_apart(values: impl Iterator<Item = Value>) {
    let mut open: Vec<Value> = values
        .filter(|value| matches!(value, Value::List(_) | Value::Map(_)))
        .collect();
    while let Some(mut value) = open.pop() {
        match &mut value {
            Value::List(list) => {
                if let Some(items) = Rc::get_mut(&mut list.items) {
                    open.append(items.get_mut());
                }
            }
            Value::Map(map) => {
                if let Some(entries) = Rc::get_mut(&mut map.entries) {
                    open.extend(std::mem::take(entries.get_mut()).into_values());
                }
            }
            _ => {}
        }
    }
}

/// The type of a map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum MapKind {
    /// `map[string]interface {}`
    #[default]
    Any,
    /// `map[string]string`
    String,
    /// A type of the host program with this name; its values are interfaces.
    Named(&'static str),
}

impl MapKind {
    /// Go's name of the map's type.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Any => "map[string]interface {}",
            Self::String => "map[string]string",
            Self::Named(name) => name,
        }
    }
}

/// A map with texts as keys, sorted. Clones share the entries.
#[derive(Clone)]
pub struct Map {
    entries: Rc<RefCell<BTreeMap<GoString, Value>>>,
    kind: MapKind,
}

impl Map {
    /// A `map[string]interface {}`.
    pub fn new(entries: BTreeMap<GoString, Value>) -> Self {
        Self::with_kind(entries, MapKind::Any)
    }

    /// A map of this type.
    pub fn with_kind(entries: BTreeMap<GoString, Value>, kind: MapKind) -> Self {
        Self {
            entries: Rc::new(RefCell::new(entries)),
            kind,
        }
    }

    /// The same entries under another type, as a conversion in Go gives them.
    #[must_use]
    pub fn as_kind(&self, kind: MapKind) -> Self {
        Self {
            entries: Rc::clone(&self.entries),
            kind,
        }
    }

    /// The map's type.
    pub fn kind(&self) -> MapKind {
        self.kind
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// True if there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.borrow().is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.entries.borrow().get(key.as_ref()).cloned()
    }

    /// True if the key is there, whatever its value.
    pub fn contains_key(&self, key: impl AsRef<[u8]>) -> bool {
        self.entries.borrow().contains_key(key.as_ref())
    }

    /// Sets the value of a key; gives the one before.
    pub fn insert(&self, key: impl Into<GoString>, value: Value) -> Option<Value> {
        self.entries.borrow_mut().insert(key.into(), value)
    }

    /// Removes a key; gives its value.
    pub fn remove(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.entries.borrow_mut().remove(key.as_ref())
    }

    /// The entries, for reading. No change may happen meanwhile.
    pub fn entries(&self) -> Ref<'_, BTreeMap<GoString, Value>> {
        self.entries.borrow()
    }

    /// The entries, for changing. Nothing else may be read meanwhile.
    pub fn entries_mut(&self) -> RefMut<'_, BTreeMap<GoString, Value>> {
        self.entries.borrow_mut()
    }

    /// A copy of the entries, in order.
    pub fn to_vec(&self) -> Vec<(GoString, Value)> {
        self.entries
            .borrow()
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// True if both are the same map.
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.entries, &other.entries)
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entries.try_borrow() {
            Ok(entries) => f.debug_map().entries(entries.iter()).finish(),
            Err(_) => f.write_str("{…}"),
        }
    }
}
