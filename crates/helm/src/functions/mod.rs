//! Template functions: those of sprig and Helm.
//!
//! One file per family, whose `register` adds ordinary typed functions to the table: the evaluator converts arguments by their
//! types and words the errors. Behaviour is that of Helm 4.3 (sprig 3.3); what is not there yet fails with its name when it is called.

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
mod json;
mod lists;
mod numbers;
mod passwords;
mod pattern;
mod random;
mod randoms;
mod regex;
mod shared;
mod strings;
mod url;
mod versions;
mod words;

use std::rc::Rc;

use stagelink_gotemplate::FunctionTable;

pub(crate) use random::Randomness;
pub(crate) use shared::{NIL_STRING_MAP, Surroundings};

/// Adds all functions but those of Go itself and of the engine (`include`, `tpl`, `required`, `fail`, `lookup`).
pub(crate) fn register(table: &mut FunctionTable, surroundings: &Rc<Surroundings>) {
    checksums::register(table);
    dates::register(table, surroundings);
    defaults::register(table);
    dicts::register(table);
    encoding::register(table);
    lists::register(table);
    numbers::register(table);
    passwords::register(table, surroundings);
    randoms::register(table, surroundings);
    regex::register(table);
    strings::register(table);
    unsupported::register(table);
    url::register(table);
    versions::register(table);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_helm_is_there_or_refused_by_name() {
        let mut table = FunctionTable::builtin();
        let surroundings = Rc::new(Surroundings::default());
        register(&mut table, &surroundings);
        crate::engine::register(&mut table, &surroundings);
        // Helm 4.3.1 has 251; `slice` of Go is overridden by sprig's.
        assert_eq!(table.names().len(), 251);
    }
}
