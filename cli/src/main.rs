//! The `stagelink` command: for people, and for continuous integration.
//!
//! It plays Argo CD on one machine. The plugin, the hooks and the demo's service are separate
//! programs; this executable holds them all and calls itself.

mod arguments;
mod chart;
mod deliver;
mod demo;
mod exit;
mod lint;
mod output;
mod programs;
mod progress;
mod stage;
mod status;
mod stop;
mod summary;
mod template;
mod trace;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Command, Words};
use exit::{CommandError, End, exit_code};

fn main() -> ExitCode {
    match Arguments::parse_from(words(std::env::args_os())).command {
        Command::Demo(arguments) => exit_code(demo::run(&arguments)),
        Command::Template(arguments) => exit_code(template::run(&arguments)),
        Command::Deliver(arguments) => exit_code(stage::run(&arguments)),
        Command::Lint(arguments) => exit_code(lint::run(&arguments)),
        Command::Status(arguments) => exit_code(status::run(&arguments)),
        Command::Trace(arguments) => exit_code(trace::run(&arguments)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "stagelink", &mut script);
            let text = String::from_utf8_lossy(&script);
            exit_code(output::text(&text).map(|()| End::Passed))
        }
        Command::Cmp(words) => stagelink_cmp::run(words.named("stagelink-cmp")),
        Command::Hook(words) => hook(&words),
        Command::Task(words) => stagelink_hooks::task(words.named("stagelink-task")),
        Command::Askpass(words) => askpass(&words),
        Command::DemoService(words) => stagelink_demo_service::main(words.named("demo-service")),
    }
}

/// The command line, also where this executable is called by the name of one of its programs: an
/// image has it once, and links to it.
fn words(mut given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let program = given.next().unwrap_or_default();
    let name = Path::new(&program).file_name().and_then(OsStr::to_str);
    let words: &[&str] = match name {
        Some("stagelink-cmp") => &["cmp"],
        Some("stagelink-presync") => &["hook", "presync"],
        Some("stagelink-postsync") => &["hook", "postsync"],
        Some("stagelink-syncfail") => &["hook", "syncfail"],
        Some("stagelink-task") => &["task"],
        Some("stagelink-askpass") => &["askpass"],
        Some("demo-service") => &["demo-service"],
        _ => &[],
    };
    std::iter::once(program)
        .chain(words.iter().map(OsString::from))
        .chain(given)
        .collect()
}

/// Runs one of the hooks: `presync`, `postsync` or `syncfail`.
fn hook(words: &Words) -> ExitCode {
    use stagelink_hooks::Hook;
    let hook = match words.words.first().and_then(|word| word.to_str()) {
        Some("presync") => Hook::PreSync,
        Some("postsync") => Hook::PostSync,
        Some("syncfail") => Hook::SyncFail,
        _ => {
            return exit_code(Err(CommandError::input(anyhow::anyhow!(
                "name a hook: presync, postsync or syncfail"
            ))));
        }
    };
    stagelink_hooks::main(hook, words.words.clone())
}

/// Answers git's question for a user name or a password.
fn askpass(words: &Words) -> ExitCode {
    let question = words.words.first().and_then(|word| word.to_str());
    let answer = stagelink_promotion::git::askpass(question.unwrap_or_default(), |name| {
        std::env::var(name).ok()
    });
    match answer {
        Some(answer) => exit_code(output::text(&format!("{answer}\n")).map(|()| End::Passed)),
        // Git then says that it was not let in.
        None => ExitCode::FAILURE,
    }
}

impl Words {
    /// The words after a program's name.
    fn named(&self, program: &str) -> Vec<OsString> {
        let mut words = vec![OsString::from(program)];
        words.extend(self.words.iter().cloned());
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_links_name_chooses_the_program() {
        for (given, expected) in [
            (&["stagelink", "demo"][..], &["stagelink", "demo"][..]),
            (
                &["/bin/stagelink-task", "load"],
                &["/bin/stagelink-task", "task", "load"],
            ),
            (
                &["stagelink-presync"],
                &["stagelink-presync", "hook", "presync"],
            ),
            (
                &["./demo-service", "--help"],
                &["./demo-service", "demo-service", "--help"],
            ),
            (&[], &[""]),
        ] {
            assert_eq!(words(given.iter().map(OsString::from)), expected);
        }
    }
}
