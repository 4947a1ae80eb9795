//! Running the built-in tasks inside a hook.

use std::time::Duration;

use clap::Parser as _;
use clap::error::ErrorKind;
use stagelink_delivery::Outcome;
use stagelink_delivery::ports::ItemEnd;
use stagelink_keptn::{Container, EnvironmentVariable, GoDuration};
use tokio_util::sync::CancellationToken;

use crate::report::reason;
use crate::{Command, CommandLine, Environment, load, promote, wait};

/// A task whose definition sets no limit ends after this, as nothing else would end it.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Stagelink's task image, without tag and digest.
pub const IMAGE: &str = "ghcr.io/stagelink/stagelink-task";
/// The environment variable that names another image.
pub const IMAGE_VARIABLE: &str = "STAGELINK_TASK_IMAGE";
/// The program in the image; a container may also call it by name.
const PROGRAM: &str = "stagelink-task";

/// Why the arguments of a built-in task are wrong. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the arguments of the built-in task are wrong: {0}")]
pub struct ParseError(String);

/// The built-in task that a container stands for, or none if it runs another image or program.
///
/// `$(NAME)` in the arguments stands for the container's own variable, as in a pod.
///
/// # Errors
/// [`ParseError`] if it is our image, with arguments that no built-in task takes.
pub fn parse(container: &Container) -> Result<Option<CommandLine>, ParseError> {
    let ours = std::env::var(IMAGE_VARIABLE)
        .ok()
        .filter(|image| !image.is_empty());
    parse_for(&ours.unwrap_or_else(|| IMAGE.to_owned()), container)
}

fn parse_for(ours: &str, container: &Container) -> Result<Option<CommandLine>, ParseError> {
    let ours = Container {
        image: Some(ours.to_owned()),
        ..Container::default()
    };
    if container.image.is_none() || container.image_repository() != ours.image_repository() {
        return Ok(None);
    }
    let given = match container.command.split_first() {
        None => &[],
        Some((program, given)) if program.rsplit('/').next() == Some(PROGRAM) => given,
        Some(_) => return Ok(None),
    };
    let given = given
        .iter()
        .chain(&container.args)
        .map(|text| expand(text, &container.env));
    let line = std::iter::once(PROGRAM.to_owned()).chain(given);
    CommandLine::try_parse_from(line)
        .map(Some)
        .map_err(|error| ParseError(one_line(&error)))
}

/// Replaces `$(NAME)` as Kubernetes does in a container's command and arguments
/// (`third_party/forked/golang/expansion`): `$$` is a dollar sign, and what is unknown stays.
fn expand(text: &str, variables: &[EnvironmentVariable]) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let end = after
            .strip_prefix('(')
            .and_then(|name| name.split_once(')'));
        rest = match (after.strip_prefix('$'), end) {
            (Some(after), _) => {
                expanded.push('$');
                after
            }
            (None, Some((name, after))) => {
                let known = variables
                    .iter()
                    .rev()
                    .find(|variable| variable.name == name);
                match known.and_then(|variable| variable.value.as_deref()) {
                    Some(value) => expanded.push_str(value),
                    None => {
                        expanded.push_str("$(");
                        expanded.push_str(name);
                        expanded.push(')');
                    }
                }
                after
            }
            (None, None) => {
                expanded.push('$');
                after
            }
        };
    }
    expanded.push_str(rest);
    expanded
}

/// Runs a built-in task to its end. Like a [`TaskRunner`](stagelink_delivery::ports::TaskRunner) it
/// never fails; when `cancel` fires it stops and reports what it knows.
pub async fn run(
    line: &CommandLine,
    environment: &Environment,
    cancel: &CancellationToken,
) -> ItemEnd {
    let mut resolve = environment.resolve.clone();
    resolve.extend(line.resolve());
    match &line.command {
        Command::Load(arguments) => load::run(arguments, &resolve, cancel).await,
        Command::WaitForTarget(arguments) => wait::run(arguments, &resolve, cancel).await,
        Command::Promote(arguments) => promote::run(arguments, environment, cancel).await,
    }
}

/// Like [`run`], within the timeout of the task's definition; zero is no limit.
///
/// A task that takes longer is stopped, and what it knows is told beside that.
pub async fn run_within(
    timeout: GoDuration,
    line: &CommandLine,
    environment: &Environment,
    cancel: &CancellationToken,
) -> ItemEnd {
    let limit = match timeout.as_std() {
        Duration::ZERO => LONGEST,
        limit => limit,
    };
    // The task has a token of its own, so that its time can be up without anybody else's.
    let stop = cancel.child_token();
    let run = run(line, environment, &stop);
    tokio::pin!(run);
    tokio::select! {
        end = &mut run => end,
        () = tokio::time::sleep(limit) => {
            stop.cancel();
            let mut report = run.await.report;
            reason::DEADLINE.clone_into(&mut report.reason);
            report.message =
                format!("it took longer than its timeout of {timeout}: {}", report.message);
            ItemEnd { outcome: Outcome::Error, report }
        }
    }
}

/// clap's message without its advice, on one line.
fn one_line(error: &clap::Error) -> String {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return "they ask for help instead of a task".to_owned();
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            return "none are given; the first is load, wait-for-target or promote".to_owned();
        }
        _ => {}
    }
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(image: &str, command: &[&str], arguments: &[&str]) -> Container {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Container {
            image: Some(image.to_owned()),
            command: own(command),
            args: own(arguments),
            ..Container::default()
        }
    }

    fn parse(
        image: &str,
        command: &[&str],
        arguments: &[&str],
    ) -> Result<Option<CommandLine>, ParseError> {
        super::parse(&container(image, command, arguments))
    }

    const LOAD: [&str; 2] = ["load", "--url=http://a.dev/"];

    #[test]
    fn our_image_is_known_with_any_tag_or_digest() {
        for (image, ours) in [
            ("ghcr.io/stagelink/stagelink-task", true),
            ("ghcr.io/stagelink/stagelink-task:1.2", true),
            ("ghcr.io/stagelink/stagelink-task@sha256:00", true),
            ("ghcr.io/stagelink/stagelink-task:1.2@sha256:00", true),
            ("ghcr.io/stagelink/stagelink-tasks:1.2", false),
            ("ghcr.io:443/stagelink/stagelink-task", false),
            ("stagelink-task", false),
            ("", false),
        ] {
            assert_eq!(parse(image, &[], &LOAD).unwrap().is_some(), ours, "{image}");
        }
        assert!(super::parse(&Container::default()).unwrap().is_none());
        let own = container("host:5000/task:2", &[], &LOAD);
        assert!(parse_for("host:5000/task:1", &own).unwrap().is_some());
        assert!(parse_for(IMAGE, &own).unwrap().is_none());
    }

    #[test]
    fn a_container_may_name_the_program() {
        assert!(
            parse(IMAGE, &["/bin/stagelink-task"], &LOAD)
                .unwrap()
                .is_some()
        );
        assert!(
            parse(IMAGE, &["stagelink-task", "load"], &LOAD[1..])
                .unwrap()
                .is_some()
        );
        assert!(parse(IMAGE, &["sh", "-c"], &LOAD).unwrap().is_none());
    }

    #[test]
    fn wrong_arguments_are_an_error_of_one_line() {
        for (arguments, expected) in [
            (&[][..], "none are given"),
            (&["--help"], "ask for help"),
            (&["loud"], "unrecognized subcommand 'loud'"),
            (&["load"], "--url <URL>"),
            (&["load", "--url=x"], "--url"),
            (&["load", "--url=http://a/", "--rate=fast"], "--rate"),
            (
                &["load", "--url=http://a/", "--resolve=x"],
                "HOST:PORT:ADDRESS:PORT",
            ),
            (
                &["load", "--url=http://a/", "--spead=1"],
                "unexpected argument '--spead'",
            ),
            (&["wait-for-target"], "--prometheus"),
        ] {
            let error = parse(IMAGE, &[], arguments).unwrap_err().to_string();
            assert!(error.contains(expected), "{arguments:?}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn variables_in_arguments_are_replaced_as_in_a_pod() {
        let variable = |name: &str, value: Option<&str>| EnvironmentVariable {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            value_from: None,
        };
        let variables = [
            variable("A", Some("1")),
            variable("A", Some("2")),
            variable("S", None),
            variable("D", Some("$(A)")),
        ];
        for (text, expected) in [
            ("x$(A)y$(A)", "x2y2"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$2"),
            ("$(S)$(B)", "$(S)$(B)"),
            ("$(D)", "$(A)"),
            ("$(A", "$(A"),
            ("$A$", "$A$"),
            ("", ""),
        ] {
            assert_eq!(expand(text, &variables), expected, "{text}");
        }
    }
}
