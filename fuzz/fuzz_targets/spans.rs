//! Any bytes as a file of spans.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = stagelink_telemetry::read_spans(bytes) {
        let traces = stagelink_telemetry::view::Traces::new(read.spans);
        let _ = traces.to_html();
        let _ = traces.to_tree(false);
    }
});
