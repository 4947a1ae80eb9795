//! Any ledger makes spans, and a status, without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

use stagelink_delivery::ledger::Ledger;
use stagelink_delivery::status::StageStatus;

fuzz_target!(|text: &[u8]| {
    if let Ok(mut ledger) = serde_json::from_slice::<Ledger>(text) {
        let _ = StageStatus::of(&ledger);
        let _ = stagelink_telemetry::all_spans(&ledger);
        let _ = ledger.compact();
    }
});
