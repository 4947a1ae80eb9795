//! Any text as a traceparent: what is taken is shown as it was read.

#![no_main]

use libfuzzer_sys::fuzz_target;

use stagelink_plan::TraceParent;

fuzz_target!(|text: &str| {
    if let Ok(parsed) = text.parse::<TraceParent>() {
        assert_eq!(parsed.to_string().parse(), Ok(parsed));
    }
});
