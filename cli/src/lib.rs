//! The stagelink command line: demo, template, deliver, lint, status, trace
