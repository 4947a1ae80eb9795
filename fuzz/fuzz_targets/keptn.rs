//! Any text as Keptn resources.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = stagelink_keptn::validate("fuzz.yaml", text);
});
