//! Functions of templates: a typed Rust function in, a table entry out.
//!
//! A function states what it takes and gives; the conversion of arguments and Go's texts for
//! arguments that do not fit exist once, in the evaluator.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use crate::error::FunctionError;
use crate::execute::{Operand, State};
use crate::value::{GoString, List, Map, Value};

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// `interface {}`: anything, nil too.
    Any,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int64`
    Int64,
    /// `float64`
    Float,
    /// `string`
    String,
    /// `[]interface {}`
    List,
    /// `[]string`
    Strings,
    /// `map[string]interface {}`
    Map,
}

impl Parameter {
    /// Go's name of the type.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Float => "float64",
            Self::String => "string",
            Self::List => "[]interface {}",
            Self::Strings => "[]string",
            Self::Map => "map[string]interface {}",
        }
    }

    /// True if a nil may be passed.
    pub(crate) fn can_be_nil(self) -> bool {
        matches!(self, Self::Any | Self::List | Self::Strings | Self::Map)
    }

    /// True if a value has this type, as Go's `AssignableTo` sees it.
    pub(crate) fn takes(self, value: &Value) -> bool {
        use crate::value::{ListKind, MapKind};
        match self {
            Self::Any => true,
            Self::Bool => matches!(value, Value::Bool(_)),
            Self::Int => matches!(value, Value::Int(_)),
            Self::Int64 => matches!(value, Value::Int64(_)),
            Self::Float => matches!(value, Value::Float(_)),
            Self::String => matches!(value, Value::String(_)),
            Self::List => {
                let name = ListKind::Any.type_name();
                matches!(value, Value::List(list) if list.kind().type_name() == name)
            }
            Self::Strings => matches!(value, Value::List(list) if list.kind() == ListKind::String),
            // A named map type is assignable to the unnamed type that it is made of.
            Self::Map => matches!(value, Value::Map(map) if map.kind() != MapKind::String),
        }
    }
}

/// A Rust type that a parameter can have.
pub trait Argument: Sized {
    /// The parameter's type.
    const PARAMETER: Parameter;

    /// The argument; `None` cannot happen for a value that the parameter takes.
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! argument {
    ($type:ty, $parameter:ident, $pattern:pat => $value:expr) => {
        impl Argument for $type {
            const PARAMETER: Parameter = Parameter::$parameter;

            fn from_value(value: Value) -> Option<Self> {
                match value {
                    $pattern => $value,
                    _ => None,
                }
            }
        }
    };
}

impl Argument for Value {
    const PARAMETER: Parameter = Parameter::Any;

    fn from_value(value: Value) -> Option<Self> {
        Some(value)
    }
}

argument!(bool, Bool, Value::Bool(value) => Some(value));
argument!(i64, Int, Value::Int(value) => Some(value));
argument!(f64, Float, Value::Float(value) => Some(value));
argument!(GoString, String, Value::String(value) => Some(value));

impl Argument for List {
    const PARAMETER: Parameter = Parameter::List;

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::List(list) => Some(list),
            Value::Nil => Some(List::new(Vec::new())),
            _ => None,
        }
    }
}

impl Argument for Map {
    const PARAMETER: Parameter = Parameter::Map;

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Map(map) => Some(map),
            Value::Nil => Some(Map::new(std::collections::BTreeMap::new())),
            _ => None,
        }
    }
}

/// A map that may be nil: writing to a nil map is an error in Go.
impl Argument for Option<Map> {
    const PARAMETER: Parameter = Parameter::Map;

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Map(map) => Some(Some(map)),
            Value::Nil => Some(None),
            _ => None,
        }
    }
}

/// The last parameter of a variadic function.
#[derive(Debug, Clone)]
pub struct Rest<T>(pub Vec<T>);

/// What a function gives.
pub trait IntoResult {
    /// The result as the evaluator wants it.
    fn into_result(self) -> Result<Value, FunctionError>;
}

impl<T: Into<Value>> IntoResult for T {
    fn into_result(self) -> Result<Value, FunctionError> {
        Ok(self.into())
    }
}

impl<T: Into<Value>> IntoResult for Result<T, FunctionError> {
    fn into_result(self) -> Result<Value, FunctionError> {
        self.map(Into::into)
    }
}

impl<T: Into<Value>> IntoResult for Result<T, String> {
    fn into_result(self) -> Result<Value, FunctionError> {
        self.map(Into::into).map_err(FunctionError::Message)
    }
}

type Native = dyn Fn(&mut State<'_>, Vec<Value>) -> Result<Value, FunctionError>;

/// A function of templates.
#[derive(Clone)]
pub struct Function {
    pub(crate) name: Rc<str>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) is_variadic: bool,
    pub(crate) special: Option<Special>,
    pub(crate) native: Rc<Native>,
}

impl Function {
    /// A function whose parameters are known at run time only, as in a table of many.
    ///
    /// The last parameter of a variadic function is the type of all further arguments. Arguments
    /// arrive with their number and types checked.
    pub fn dynamic(
        name: &str,
        parameters: Vec<Parameter>,
        is_variadic: bool,
        native: impl Fn(&mut State<'_>, Vec<Value>) -> Result<Value, FunctionError> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            parameters,
            is_variadic,
            special: None,
            native: Rc::new(native),
        }
    }
}

/// Functions that need more than the values of their arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Special {
    /// Does not evaluate what it does not need.
    And,
    /// Does not evaluate what it does not need.
    Or,
    /// Names its first argument in errors.
    Call,
    /// Tells no value, a nil and an interface apart.
    Reflect(fn(&[Operand]) -> Result<Value, FunctionError>),
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("name", &self.name)
            .field("parameters", &self.parameters)
            .field("is_variadic", &self.is_variadic)
            .finish_non_exhaustive()
    }
}

/// A Rust function that can become a function of templates; `Shape` tells the shapes apart.
pub trait IntoFunction<Shape> {
    /// The function under a name.
    fn into_function(self, name: &str) -> Function;
}

/// Marks functions that take the state of the execution first.
#[derive(Debug)]
pub struct WithState;

fn mismatch() -> FunctionError {
    FunctionError::new("an argument was passed that the function does not take")
}

macro_rules! into_function {
    ($($argument:ident),*) => {
        into_function!(@impl [$($argument),*] [] [] []);
        into_function!(@impl [$($argument),*] [WithState] [&mut State<'_>] [state]);
    };
    (@impl [$($argument:ident),*] [$($marker:ty)?] [$($state:ty)?] [$($name:ident)?]) => {
        impl<Native_, Result_, $($argument,)*>
            IntoFunction<($($marker,)? fn($($argument,)*) -> Result_,)> for Native_
        where
            Native_: Fn($($state,)? $($argument),*) -> Result_ + 'static,
            Result_: IntoResult,
            $($argument: Argument,)*
        {
            #[allow(non_snake_case, unused_mut, unused_variables, reason = "one macro for all arities")]
            fn into_function(self, name: &str) -> Function {
                Function {
                    name: name.into(),
                    parameters: vec![$($argument::PARAMETER),*],
                    is_variadic: false,
                    special: None,
                    native: Rc::new(move |current, values| {
                        let mut values = values.into_iter();
                        $(let $argument = values
                            .next()
                            .and_then($argument::from_value)
                            .ok_or_else(mismatch)?;)*
                        $(let $name = current;)?
                        self($($name,)? $($argument),*).into_result()
                    }),
                }
            }
        }

        impl<Native_, Result_, $($argument,)* Last>
            IntoFunction<($($marker,)? fn($($argument,)* Rest<Last>) -> Result_, Rest<Last>)> for Native_
        where
            Native_: Fn($($state,)? $($argument,)* Rest<Last>) -> Result_ + 'static,
            Result_: IntoResult,
            $($argument: Argument,)*
            Last: Argument,
        {
            #[allow(non_snake_case, unused_mut, unused_variables, reason = "one macro for all arities")]
            fn into_function(self, name: &str) -> Function {
                Function {
                    name: name.into(),
                    parameters: vec![$($argument::PARAMETER,)* Last::PARAMETER],
                    is_variadic: true,
                    special: None,
                    native: Rc::new(move |current, values| {
                        let mut values = values.into_iter();
                        $(let $argument = values
                            .next()
                            .and_then($argument::from_value)
                            .ok_or_else(mismatch)?;)*
                        let rest: Option<Vec<Last>> = values.map(Last::from_value).collect();
                        let rest = Rest(rest.ok_or_else(mismatch)?);
                        $(let $name = current;)?
                        self($($name,)? $($argument,)* rest).into_result()
                    }),
                }
            }
        }
    };
}

into_function!();
into_function!(A);
into_function!(A, B);
into_function!(A, B, C);
into_function!(A, B, C, D);
into_function!(A, B, C, D, E);

/// The functions that templates may use.
#[derive(Debug, Clone, Default)]
pub struct FunctionTable {
    functions: Vec<Function>,
    index: HashMap<Rc<str>, usize>,
}

impl FunctionTable {
    /// A table without functions, not even Go's own.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds a function, or replaces the one of this name.
    ///
    /// ```
    /// use stagelink_gotemplate::{FunctionTable, GoString};
    ///
    /// let mut table = FunctionTable::builtin();
    /// table.add("shout", |text: GoString| format!("{text}!"));
    /// ```
    pub fn add<Shape>(&mut self, name: &str, function: impl IntoFunction<Shape>) {
        self.insert(function.into_function(name));
    }

    /// Adds a function, or replaces the one of its name.
    pub fn insert(&mut self, function: Function) {
        match self.index.get(&function.name) {
            Some(index) => self.functions[*index] = function,
            None => {
                self.index
                    .insert(Rc::clone(&function.name), self.functions.len());
                self.functions.push(function);
            }
        }
    }

    /// The names of all functions, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.index.keys().map(|name| &**name).collect();
        names.sort_unstable();
        names
    }

    /// A function's name and its place.
    pub(crate) fn find(&self, name: &str) -> Option<(Rc<str>, usize)> {
        let (name, place) = self.index.get_key_value(name)?;
        Some((Rc::clone(name), *place))
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Function> {
        self.functions.get(index)
    }
}
