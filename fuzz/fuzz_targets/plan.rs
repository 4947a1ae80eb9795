//! Any text as a plan.

#![no_main]

use libfuzzer_sys::fuzz_target;

use stagelink_plan::Plan;

fuzz_target!(|text: &str| {
    if let Ok(plan) = Plan::from_json(text) {
        assert!(plan.to_json().is_ok());
    }
});
