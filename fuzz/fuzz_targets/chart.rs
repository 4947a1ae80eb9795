//! A chart of two files with any content: loaded, and rendered if that is possible.

#![no_main]

use libfuzzer_sys::fuzz_target;

use stagelink_helm::chart::File;
use stagelink_helm::{Chart, Limits, ParsedChart, RenderInput};

fuzz_target!(|texts: (&[u8], &[u8])| {
    let file = |name: &str, data: &[u8]| File { name: name.into(), data: data.into() };
    let chart = Chart::from_files(vec![
        file("Chart.yaml", b"name: fuzz\nversion: 0.1.0\n"),
        file("values.yaml", texts.0),
        file("templates/fuzz.yaml", texts.1),
    ]);
    if let Ok(chart) = chart {
        let limits = Limits { steps: 20_000, output: 1 << 20, depth: 50, ..Limits::default() };
        let _ = ParsedChart::new(chart).render(&RenderInput { limits, ..RenderInput::default() });
    }
});
