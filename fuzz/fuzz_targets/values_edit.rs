//! Editing a values file: it is an error, or exactly the chosen key has changed.

#![no_main]

use libfuzzer_sys::fuzz_target;

use stagelink_promotion::edit::{edit, values_at};

fuzz_target!(|texts: (&str, &str)| {
    let (source, path) = texts;
    let Ok(path) = path.parse() else { return };
    if let Ok(changes) = values_at(source, &path) {
        // Setting what is there already changes nothing.
        if let Ok(edited) = edit(source, &changes) {
            assert_eq!(edited.text, source);
        }
    }
});
