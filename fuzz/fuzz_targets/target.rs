//! Any text as an evaluation target, a duration, or an entry of --resolve.

#![no_main]

use libfuzzer_sys::fuzz_target;

use stagelink_http::Resolve;
use stagelink_keptn::{EvaluationTarget, GoDuration};

fuzz_target!(|text: &str| {
    let _ = text.parse::<EvaluationTarget>();
    let _ = text.parse::<Resolve>();
    if let Ok(duration) = text.parse::<GoDuration>() {
        assert_eq!(duration.to_string().parse(), Ok(duration));
    }
});
