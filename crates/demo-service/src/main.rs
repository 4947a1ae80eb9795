//! The program `demo-service`.

use std::process::ExitCode;

fn main() -> ExitCode {
    stagelink_demo_service::main(std::env::args_os())
}
