//! A hook from its arguments to its exit code.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use stagelink_delivery::Outcome;
use stagelink_delivery::engine::{Engine, EngineError, Hook, HookEnd, HookIdentity, Options};
use stagelink_delivery::ports::{CallCounter, EventSender, NoCalls, NoEvents, SystemClock};
use stagelink_http::Resolve;
use stagelink_metrics::{Metrics, Settings};
use stagelink_plan::{Plan, PlanError};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::arguments::{Arguments, HookKind};
use crate::export::export;
use crate::links::link;
use crate::operation::Operation;
use crate::report::{Lines, terminate};
use crate::surroundings::{Surroundings, SurroundingsError};

/// Exit code of a hook that was asked to stop, as of any program that SIGTERM ends: its Job starts it
/// again, which it would not after a verdict.
const TERMINATED: u8 = 128 + 15;

/// How long the last events are waited for.
const EVENTS: Duration = Duration::from_secs(2);

/// Why a hook could not be carried out.
#[derive(Debug, thiserror::Error)]
enum HookError {
    #[error("the plan {path} cannot be read: {source}")]
    PlanFile {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: {source}")]
    Plan { path: PathBuf, source: PlanError },
    #[error("{}", chain(.0))]
    Engine(#[from] EngineError),
    #[error("{}", chain(.0))]
    Surroundings(#[from] SurroundingsError),
    #[error("this machine cannot run hooks: {0}")]
    Machine(#[source] std::io::Error),
}

impl HookError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::PlanFile { .. } | Self::Plan { .. } => 2,
            Self::Engine(EngineError::Interrupted) => TERMINATED,
            Self::Engine(_) | Self::Surroundings(_) | Self::Machine(_) => 3,
        }
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

/// One thread is enough: a hook waits, it does not compute.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Runs a hook and says how it ended.
pub(crate) fn run(hook: Hook, arguments: &Arguments) -> ExitCode {
    let ended = runtime().map_err(HookError::Machine).and_then(|runtime| {
        let ended = runtime.block_on(hook_end(hook, arguments));
        // Nothing that still waits for a supervisor must keep an ended hook.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(end) => {
            for noticed in &end.noticed {
                Lines.line(&format!("noticed: {noticed}"));
            }
            let text = sentence(hook, &end);
            Lines.line(&text);
            if end.outcome.goes_on() {
                return ExitCode::SUCCESS;
            }
            terminate(arguments.termination_log.as_deref(), &text);
            ExitCode::from(1)
        }
        Err(error) => {
            Lines.line(&format!("error: {error}"));
            terminate(arguments.termination_log.as_deref(), &error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

/// The last line of a hook.
fn sentence(hook: Hook, end: &HookEnd) -> String {
    let which = format!("delivery {} attempt {}", end.delivery, end.attempt);
    match (&end.reason, end.outcome) {
        (_, Outcome::Pass) if !end.ran => format!("{hook}: pass, {which} had already passed"),
        (_, Outcome::Pass) => format!("{hook}: pass, {which}"),
        (Some(reason), outcome) if !end.ran => {
            format!("{hook}: {outcome}, as {which} before: {reason}")
        }
        (Some(reason), outcome) => format!("{hook}: {outcome}, {which}: {reason}"),
        (None, outcome) => format!("{hook}: {outcome}, {which}"),
    }
}

fn read_plan(arguments: &Arguments) -> Result<Plan, HookError> {
    let path = &arguments.plan;
    let json = fs::read_to_string(path).map_err(|source| HookError::PlanFile {
        path: path.clone(),
        source,
    })?;
    Plan::from_json(&json).map_err(|source| HookError::Plan {
        path: path.clone(),
        source,
    })
}

async fn hook_end(hook: Hook, arguments: &Arguments) -> Result<HookEnd, HookError> {
    let plan = read_plan(arguments)?;
    let mut resolve = Resolve::default();
    for entry in &arguments.resolve {
        resolve.extend(entry.clone());
    }
    let cancel = CancellationToken::new();
    let surroundings = Surroundings::of(arguments, &resolve, &cancel).await?;
    let evaluator = Metrics::new(Settings {
        keptn_namespace: arguments.keptn_namespace.clone(),
        definitions: surroundings.definitions.clone(),
        secrets: surroundings.secrets.clone(),
        resolve,
        ..Settings::default()
    });
    let options = Options {
        again: arguments.again,
        retry_failed: arguments.retry_failed,
    };
    let engine = Engine {
        store: surroundings.store.as_ref(),
        tasks: surroundings.tasks.as_ref(),
        evaluator: &evaluator,
        workloads: surroundings.workloads.as_ref(),
        clock: &SystemClock,
        observer: &Lines,
        events: match &surroundings.events {
            Some(events) => events as &dyn EventSender,
            None => &NoEvents,
        },
        calls: match &surroundings.cluster {
            Some(cluster) => cluster.calls() as &dyn CallCounter,
            None => &NoCalls,
        },
        options: &options,
    };
    let operation = Operation::of(&arguments.operation);
    let identity = HookIdentity {
        operation: operation.name,
        started_at: operation.started_at,
        recurs: operation.recurs,
        job_uid: arguments.job_uid.clone(),
    };
    let end = {
        // Before anything runs: from now on a signal stops the tasks, not this process.
        let mut signals = Signals::listen().map_err(HookError::Machine)?;
        let running = engine.run(hook, &plan, &identity, &cancel);
        tokio::pin!(running);
        tokio::select! {
            end = &mut running => end,
            () = signals.received() => {
                cancel.cancel();
                running.await
            }
        }
    };
    export(surroundings.store.as_ref(), &plan, arguments).await;
    if let Some(cluster) = &surroundings.cluster {
        if let (Ok(end), Some(HookKind::Job)) = (&end, arguments.hook_kind) {
            let trace_url = arguments.trace_url.as_ref();
            link(cluster, &arguments.operation, end, trace_url).await;
        }
        if let Some(events) = surroundings.events
            && let Err(lost) = events.finish(EVENTS).await
        {
            Lines.line(&format!("warning: {lost}"));
        }
        Lines.line(&cluster.calls().to_string());
    }
    Ok(end?)
}

/// SIGTERM, which a pod gets when it must end, and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
