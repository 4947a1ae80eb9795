//! Values during evaluation.

use crate::value::Value;

/// A value as Go's `reflect` sees it during evaluation; templates can tell the three apart.
#[derive(Debug, Clone, Default)]
pub(crate) enum Operand {
    /// No value at all: `nil`, or what is left of an interface that holds nothing.
    #[default]
    Invalid,
    /// An interface and what it holds, which may be nothing: an element of a list or map.
    Boxed(Value),
    /// A value of its own type, never a nil.
    Plain(Value),
}

impl Operand {
    /// The result of a function or method, or an element with a type of its own.
    pub(super) fn of(value: Value) -> Self {
        if value.is_nil() {
            Self::Boxed(value)
        } else {
            Self::Plain(value)
        }
    }

    /// What an interface holds, as at the end of each command.
    pub(super) fn lift(self) -> Self {
        match self {
            Self::Boxed(Value::Nil) => Self::Invalid,
            Self::Boxed(value) => Self::Plain(value),
            other => other,
        }
    }

    /// The value, if it is one; a nil interface is.
    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Invalid => None,
            Self::Boxed(value) | Self::Plain(value) => Some(value),
        }
    }

    /// The value, nil for none.
    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Invalid => Value::Nil,
            Self::Boxed(value) | Self::Plain(value) => value,
        }
    }

    pub(super) fn is_true(&self) -> bool {
        self.value().is_some_and(Value::is_true)
    }

    /// Go's name of the type, as it is known before the interface is looked into.
    pub(super) fn static_type(&self) -> &str {
        match self {
            Self::Invalid => "<nil>",
            Self::Boxed(_) => "interface {}",
            Self::Plain(value) => value.type_name(),
        }
    }
}
