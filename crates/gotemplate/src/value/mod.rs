//! The value model: Go's values as templates see them.
//!
//! `int`, `int64` and `float64` are different types, maps and lists have reference semantics, and a
//! nil of a known type is not the same as no value at all: templates can tell all of these apart.
//! Source of the rules: Go's `reflect` and `text/template` packages.

mod collections;
mod compare;
mod copy;
mod object;
mod string;

use std::rc::Rc;

pub use collections::{List, ListKind, Map, MapKind};
pub use object::Object;
pub use string::GoString;

/// A value of a template.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// An interface that holds nothing: YAML's null, or a key that a map does not have.
    #[default]
    Nil,
    /// `bool`
    Bool(bool),
    /// `int`: literals of templates and what most functions give.
    Int(i64),
    /// `int64`: `--set` and functions such as `int64`, `add`, `mul`.
    Int64(i64),
    /// `uint64`; rare.
    Uint64(u64),
    /// `float64`: every number of a YAML or JSON document.
    Float(f64),
    /// `string`
    String(GoString),
    /// `[]uint8`
    Bytes(Rc<[u8]>),
    /// A slice.
    List(List),
    /// A map with texts as keys.
    Map(Map),
    /// A value of the host program, with fields and methods.
    Object(Rc<dyn Object>),
}

/// Go's `reflect.Kind`, as far as templates meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No value at all.
    Invalid,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `uint64`
    Uint64,
    /// `float64`
    Float64,
    /// `string`
    String,
    /// A slice.
    Slice,
    /// A map.
    Map,
    /// A struct.
    Struct,
    /// A pointer.
    Pointer,
    /// A function.
    Func,
}

impl Kind {
    /// Go's name of the kind, as sprig's `kindOf` prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint64 => "uint64",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Slice => "slice",
            Self::Map => "map",
            Self::Struct => "struct",
            Self::Pointer => "ptr",
            Self::Func => "func",
        }
    }
}

impl Value {
    /// A text.
    pub fn string(text: impl Into<GoString>) -> Self {
        Self::String(text.into())
    }

    /// A `[]interface {}`.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Self::List(List::new(items.into_iter().collect()))
    }

    /// A `map[string]interface {}`.
    pub fn map<K: Into<GoString>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(Map::new(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        ))
    }

    /// A value of the host program.
    pub fn object(object: impl Object + 'static) -> Self {
        Self::Object(Rc::new(object))
    }

    /// The kind of the value.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Int64(_) => Kind::Int64,
            Self::Uint64(_) => Kind::Uint64,
            Self::Float(_) => Kind::Float64,
            Self::String(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(object) => object.kind(),
        }
    }

    /// Go's name of the type, as `%T` prints it; `<nil>` for no value.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Uint64(_) => "uint64",
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::Bytes(_) => "[]uint8",
            Self::List(list) => list.kind().type_name(),
            Self::Map(map) => map.kind().type_name(),
            Self::Object(object) => object.type_name(),
        }
    }

    /// True for no value.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Whether `if` takes the value as true: not zero, not empty (`text/template`'s `IsTrue`).
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) | Self::Int64(value) => *value != 0,
            Self::Uint64(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object.is_true(),
        }
    }

    /// The text of a string value.
    pub fn as_string(&self) -> Option<&GoString> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The map of a map value.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list of a list value.
    pub fn as_list(&self) -> Option<&List> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The number of an `int`, `int64` or `uint64` that fits.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Int(value) | Self::Int64(value) => Some(*value),
            Self::Uint64(value) => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The host object of this type.
    pub fn downcast<T: Object + 'static>(&self) -> Option<&T> {
        match self {
            Self::Object(object) => object.as_any().downcast_ref(),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from! {
    bool => Bool,
    f64 => Float,
    &str => String,
    String => String,
    GoString => String,
    List => List,
    Map => Map,
}
