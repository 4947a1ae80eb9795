//! Template functions: those of sprig and Helm.
//!
//! One file per family. Every function has its Go signature in its table entry; the evaluator converts arguments accordingly and
//! words the errors. Behaviour is that of Helm 4.3 (sprig 3.3); what is not there yet fails with its name when it is called.

pub(crate) mod encoding;
pub(crate) mod layout;
pub(crate) mod paths;
pub(crate) mod text;
pub(crate) mod unsupported;

mod checksums;
mod convert;
mod dates;
mod decimal;
mod defaults;
mod dicts;
mod digest;
mod duration;
mod entry;
mod json;
mod lists;
mod numbers;
mod passwords;
mod pattern;
mod random;
mod randoms;
mod regex;
mod strings;
mod url;
mod versions;
mod words;

use std::rc::Rc;

use stagelink_gotemplate::{Function, FunctionTable, Parameter};

use entry::{Arguments, Entry, Run, Type};

pub(crate) use entry::{NIL_STRING_MAP, Surroundings};
pub(crate) use random::Randomness;

/// All functions but those of the engine (`include`, `tpl`, `required`, `fail`, `lookup`).
fn entries() -> impl Iterator<Item = &'static Entry> {
    let families = [
        checksums::FUNCTIONS,
        dates::FUNCTIONS,
        defaults::FUNCTIONS,
        dicts::FUNCTIONS,
        encoding::FUNCTIONS,
        lists::FUNCTIONS,
        numbers::FUNCTIONS,
        passwords::FUNCTIONS,
        randoms::FUNCTIONS,
        regex::FUNCTIONS,
        strings::FUNCTIONS,
        url::FUNCTIONS,
        versions::FUNCTIONS,
    ];
    families.into_iter().flatten()
}

/// Adds the functions to a table.
pub(crate) fn register(table: &mut FunctionTable, surroundings: &Rc<Surroundings>) {
    for name in unsupported::NAMES {
        table.insert(unsupported::function(name));
    }
    for entry in entries() {
        let run = entry.run;
        let surroundings = Rc::clone(surroundings);
        let parameters = entry
            .parameters
            .iter()
            .copied()
            .chain(entry.variadic)
            .map(parameter)
            .collect();
        let is_variadic = entry.variadic.is_some();
        table.insert(Function::dynamic(
            entry.name,
            parameters,
            is_variadic,
            move |_, values| {
                let arguments = Arguments(&values);
                match run {
                    Run::Pure(run) => run(arguments),
                    Run::Within(run) => run(&surroundings, arguments),
                }
            },
        ));
    }
}

fn parameter(of: Type) -> Parameter {
    match of {
        // The evaluator knows no times; the functions check them.
        Type::Any | Type::Time => Parameter::Any,
        Type::Bool => Parameter::Bool,
        Type::Float => Parameter::Float,
        Type::Int => Parameter::Int,
        Type::Map => Parameter::Map,
        Type::Text => Parameter::String,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Functions that Go and the engine bring.
    const ELSEWHERE: [&str; 24] = [
        "and",
        "call",
        "eq",
        "fail",
        "ge",
        "getHostByName",
        "gt",
        "html",
        "include",
        "index",
        "js",
        "le",
        "len",
        "lookup",
        "lt",
        "ne",
        "not",
        "or",
        "print",
        "printf",
        "println",
        "required",
        "tpl",
        "urlquery",
    ];

    #[test]
    fn every_function_of_helm_is_there_or_refused_by_name() {
        let mut names = BTreeSet::new();
        for name in entries()
            .map(|entry| entry.name)
            .chain(unsupported::NAMES)
            .chain(ELSEWHERE)
        {
            assert!(names.insert(name), "{name} is there twice");
        }
        // Helm 4.3.1 has 251; `slice` of Go is overridden by sprig's.
        assert_eq!(names.len(), 251);
    }
}
