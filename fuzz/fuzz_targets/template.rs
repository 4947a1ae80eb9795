//! Parses and executes any bytes as a template: it ends, without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

use stagelink_gotemplate::{FunctionTable, Limits, Templates, Value};

fuzz_target!(|source: &[u8]| {
    let mut templates = Templates::new("fuzz", FunctionTable::builtin());
    if templates.parse("fuzz", source).is_ok() {
        let data = Value::map([("a", Value::list(["b".into(), Value::Float(1.5)]))]);
        let limits = Limits { steps: 20_000, output: 1 << 20, depth: 50, ..Limits::default() };
        let _ = templates.execute("fuzz", data, &limits);
    }
});
