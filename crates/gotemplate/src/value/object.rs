//! Values of the host program.

use std::any::Any;
use std::fmt;

use super::{Kind, Value};
use crate::function::Parameter;

/// A value of the host program, with fields and methods that templates can use.
pub trait Object: fmt::Debug {
    /// Go's name of the type, as `%T` prints it.
    fn type_name(&self) -> &str;

    /// For [`Value::downcast`].
    fn as_any(&self) -> &dyn Any;

    /// The kind that `kindOf` and error texts name.
    fn kind(&self) -> Kind {
        Kind::Struct
    }

    /// The value of a field.
    fn field(&self, name: &str) -> Option<Value> {
        let _ = name;
        None
    }

    /// True if there is a method of this name.
    fn has_method(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// The types of a method's parameters, for the evaluator to check and convert arguments; `None`
    /// leaves that to [`Object::call`].
    fn parameters(&self, name: &str) -> Option<&'static [Parameter]> {
        let _ = name;
        None
    }

    /// Calls a method; `None` if there is none of this name.
    ///
    /// The text of an error is what Go's method would have returned as error.
    fn call(&self, name: &str, arguments: &[Value]) -> Option<Result<Value, String>> {
        let _ = (name, arguments);
        None
    }

    /// Entries for `range`, `len` and `index`; `None` if the value cannot be ranged over.
    fn entries(&self) -> Option<Vec<(Value, Value)>> {
        None
    }

    /// What `{{ . }}` prints; `verb` is the letter of the format.
    fn print(&self, verb: char) -> Vec<u8> {
        let _ = verb;
        format!("{self:?}").into_bytes()
    }

    /// Whether `if` takes the value as true. Structs always are.
    fn is_true(&self) -> bool {
        true
    }

    /// True if the other is an equal value of the same type.
    fn is_equal(&self, other: &dyn Object) -> bool {
        // Identity is all that can be told in general.
        std::ptr::addr_eq(std::ptr::from_ref(self), std::ptr::from_ref(other))
    }
}
