//! What can be read and written again is the same afterwards.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Ok(value) = stagelink_yaml::to_json(text)
        && let Ok(written) = stagelink_yaml::emit(&value)
    {
        let again = stagelink_yaml::to_json(&written);
        assert!(again.is_ok(), "what was written cannot be read: {written}");
    }
    let _ = stagelink_yaml::Document::parse_all(text);
});
