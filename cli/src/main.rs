//! The stagelink command.
fn main() {}
