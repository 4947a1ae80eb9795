//! `stagelink-cmp`: see the library.

fn main() -> std::process::ExitCode {
    stagelink_cmp::run(std::env::args_os())
}
