//! Any text after --set.

#![no_main]

use libfuzzer_sys::fuzz_target;

use stagelink_helm::values::{SetKind, set};

fuzz_target!(|text: &str| {
    for kind in [SetKind::Typed, SetKind::Text, SetKind::Json, SetKind::Literal] {
        let values = stagelink_gotemplate::Map::new(Default::default());
        let _ = set(kind, text, &values);
    }
});
