//! What a person sees while something runs: a moving line on a terminal, plain lines elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::deliver::Progress;

/// Shows progress on stderr.
#[derive(Debug)]
pub(crate) struct Display {
    bar: Option<ProgressBar>,
    title: String,
    begun: Instant,
    verbose: bool,
}

impl Display {
    /// A display that fits where stderr goes. Elsewhere than on a terminal, `verbose` also prints
    /// the details of each step.
    pub(crate) fn new(verbose: bool) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) =
                ProgressStyle::with_template("{spinner:.cyan} {prefix:.bold} {wide_msg:.dim}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self {
            bar,
            title: String::new(),
            begun: Instant::now(),
            verbose,
        }
    }

    /// A part of the whole begins.
    pub(crate) fn begin(&mut self, title: &str) {
        title.clone_into(&mut self.title);
        self.begun = Instant::now();
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(title.to_owned());
                bar.set_message("");
            }
            None => self.print(title),
        }
    }

    /// A part of the whole has ended; `mark` is `✓`, `✗` or `·`.
    pub(crate) fn end(&mut self, mark: &str, text: &str) {
        let line = format!(
            "{mark} {} ({:.1} s): {text}",
            self.title,
            self.begun.elapsed().as_secs_f64()
        );
        match &self.bar {
            Some(bar) => bar.println(line),
            None => self.print(&line),
        }
    }

    /// Nothing more will be shown.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn print(&self, line: &str) {
        // Nobody is there to be told if stderr is closed.
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

impl Progress for Display {
    fn step(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => self.print(&format!("  {text}")),
        }
    }

    fn detail(&mut self, text: &str) {
        let is_warning = text.starts_with("warning: ");
        match &self.bar {
            Some(bar) if is_warning => bar.println(text),
            None if is_warning => self.print(text),
            Some(bar) => bar.set_message(text.to_owned()),
            None if self.verbose => self.print(&format!("    {text}")),
            None => {}
        }
    }
}
