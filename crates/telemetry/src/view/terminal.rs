//! The tree for the terminal.

use std::fmt::Write as _;

use super::model::{Trace, TraceSpan, Traces};

/// Deeper spans are not indented further.
const MAX_INDENT: usize = 12;

impl Traces {
    /// A tree for the terminal: for each trace what it was, then its spans with how they ended, how
    /// long they took, why they failed and what they follow. Texts of spans cannot move the cursor
    /// or colour anything: control characters are shown as `�`.
    pub fn to_tree(&self, colours: bool) -> String {
        let paint = Paint(colours);
        let mut text = String::new();
        if self.left_out > 0 {
            line(
                &mut text,
                &format!("({} earlier traces are left out)\n", self.left_out),
            );
        }
        for (index, trace) in self.traces.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            self.trace(&mut text, paint, trace);
        }
        text
    }

    fn trace(&self, text: &mut String, paint: Paint, trace: &Trace) {
        let title = [&*trace.stage, &*trace.app, &*trace.version].map(plain);
        let title: Vec<&str> = title
            .iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        let mut facts = vec![if title.is_empty() {
            paint.bold(&plain(&trace.name))
        } else {
            paint.bold(&title.join(" "))
        }];
        facts.push(paint.outcome(&trace.outcome, &trace.outcome));
        if !trace.commit.is_empty() {
            facts.push(format!("commit {}", short_commit(&plain(&trace.commit))));
        }
        if let Some(delivery) = trace.delivery {
            facts.push(format!("delivery {delivery}"));
        }
        if let Some(attempt) = trace.attempt.filter(|attempt| *attempt > 1) {
            facts.push(format!("attempt {attempt}"));
        }
        facts.push(duration(trace.end - trace.start));
        line(text, &facts.join(" · "));
        if !trace.reason.is_empty() {
            let reason = format!("  {}", plain(&trace.reason));
            line(text, &paint.outcome(&trace.outcome, &reason));
        }
        line(text, &paint.faint(&format!("  trace {}", trace.trace_id)));

        let names = lead(&trace.spans);
        let width = names
            .iter()
            .zip(&trace.spans)
            .map(|(lead, span)| lead.chars().count() + plain(&span.name).chars().count())
            .max()
            .unwrap_or_default()
            .min(70);
        for (lead, span) in names.iter().zip(&trace.spans) {
            let name = plain(&span.name);
            let used = lead.chars().count() + name.chars().count();
            let fill = " ".repeat(width.saturating_sub(used));
            let end = span.end.unwrap_or(trace.end);
            let icon = paint.outcome(&span.outcome, icon(&span.outcome));
            line(
                text,
                &format!(
                    "  {}{name}{fill}  {icon} {:>8}",
                    paint.faint(lead),
                    duration(end - span.start)
                ),
            );
            // The root's is said above, and what lies within says it for what is around it.
            if !span.parent && !span.reason.is_empty() {
                let indent = " ".repeat(lead.chars().count() + 4);
                let reason = paint.outcome(&span.outcome, &plain(&span.reason));
                line(text, &format!("{indent}{reason}"));
            }
            for link in &span.links {
                let indent = " ".repeat(lead.chars().count() + 4);
                let (arrow, target) = match self.find(&link.trace_id, &link.span_id) {
                    Some((other, linked)) => (
                        "follows",
                        format!("{} of {} {}", linked.name, other.stage, other.version),
                    ),
                    None => (
                        "follows",
                        format!("span {} of trace {}", link.span_id, link.trace_id),
                    ),
                };
                let what = format!("{indent}↳ {arrow} {}", plain(target.trim_end()));
                line(text, &paint.link(&what));
            }
        }
    }
}

fn line(text: &mut String, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", content.trim_end());
}

/// What stands before each name.
fn lead(spans: &[TraceSpan]) -> Vec<String> {
    // For each depth whether more follows there.
    let mut open: Vec<bool> = Vec::new();
    spans
        .iter()
        .map(|span| {
            open.truncate(span.depth.min(MAX_INDENT));
            let mut lead = String::new();
            for more in open.iter().skip(1) {
                lead.push_str(if *more { "│  " } else { "   " });
            }
            if span.depth > 0 {
                lead.push_str(if span.last { "└─ " } else { "├─ " });
            }
            if open.len() < MAX_INDENT {
                open.push(!span.last);
            }
            lead
        })
        .collect()
}

pub(super) fn short_commit(commit: &str) -> &str {
    let hex =
        matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex { &commit[..7] } else { commit }
}

/// A duration in milliseconds in words: `850 ms`, `12.3 s`, `4 m 05 s`, `2 h 10 m`.
fn duration(milliseconds: f64) -> String {
    let seconds = milliseconds / 1000.0;
    if milliseconds < 0.95 {
        return if milliseconds <= 0.0 { "0 ms" } else { "<1 ms" }.to_owned();
    }
    if milliseconds < 999.5 {
        return format!("{milliseconds:.0} ms");
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    // Rounded first, so that there is no "60 s".
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{} m {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} m", whole / 3600, whole % 3600 / 60)
    }
}

fn icon(outcome: &str) -> &'static str {
    match outcome {
        "pass" => "✓",
        "warn" => "!",
        "fail" => "✗",
        "error" => "⚠",
        "inconclusive" => "?",
        "running" => "…",
        _ => "·",
    }
}

fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() => '�',
            // They turn the direction of what follows.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '�',
            c => c,
        })
        .collect()
}

/// ANSI colours, or not.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn link(self, text: &str) -> String {
        self.with("36", text)
    }

    fn outcome(self, outcome: &str, text: &str) -> String {
        match outcome {
            "pass" => self.with("32", text),
            "warn" | "inconclusive" => self.with("33", text),
            "fail" | "error" => self.with("31", text),
            _ => self.with("34", text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::tree::all_spans;

    #[test]
    fn the_tree_shows_what_happened_and_why_not() {
        let spans = [samples::passed(), samples::promoted(), samples::failed()]
            .iter()
            .flat_map(all_spans)
            .filter(|span| !span.name.contains("/Workload"))
            .collect();
        let traces = Traces::new(spans);
        let tree = traces.to_tree(false);
        let [id_dev, id_old, id_new, id_prod] =
            [0, 1, 2, 3].map(|index: usize| traces.traces[index].trace_id.clone());
        let expected = format!(
            "\
dev simple-go v2 · pass · commit 9a2d1f0 · delivery 1 · 12.0 s
  trace {id_dev}
  simple-go-v2-6b86b273                ✓   12.0 s
  ├─ AppPreDeployTasks                 ✓    1.0 s
  │  └─ pre-wait-11111                 ✓    1.0 s
  ├─ AppPreDeployEvaluations           ✓     0 ms
  ├─ AppDeploy                         ✓    5.0 s
  │  └─ simple-go-service-v2           ✓    5.0 s
  ├─ AppPostDeployTasks                ✓    3.0 s
  │  ├─ post-load-44444                ✓    3.0 s
  │  └─ post-load-backend-55555        ✓    3.0 s
  ├─ AppPostDeployEvaluations          ✓    2.0 s
  │  └─ post-eval-response-time-22222  ✓    2.0 s
  └─ PromotionTasks                    ✓    1.0 s
     └─ promotion-promote-33333        ✓    1.0 s
  post-wait-66666                      ✓    2.0 s

dev simple-go v3 · error · commit 9a2d1f0 · delivery 2 · 20.0 s
  the sync was terminated
  trace {id_old}
  simple-go-v3-d4735e3a  ⚠   20.0 s
  ├─ AppPreDeployTasks   ✓    1.0 s
  └─ AppDeploy           ⚠   19.0 s
       the delivery ended before this did

dev simple-go v3 · fail · commit 9a2d1f0 · delivery 2 · attempt 2 · 9.0 s
  response-time: value '0.91' did not meet objective '<0.50'
  trace {id_new}
  simple-go-v3-d4735e3a                ✗    9.0 s
    ↳ follows simple-go-v3-d4735e3a of dev v3
  ├─ AppPreDeployTasks                 ✓    1.0 s
  ├─ AppDeploy                         ✓    6.0 s
  └─ AppPostDeployEvaluations          ✗    2.0 s
     └─ post-eval-response-time-22222  ✗    2.0 s
          response-time: value '0.91' did not meet objective '<0.50'

prod simple-go v2 · pass · commit 9a2d1f0 · delivery 1 · 3.0 s
  trace {id_prod}
  simple-go-v2-6b86b273  ✓    3.0 s
    ↳ follows PromotionTasks of dev v2
  └─ AppDeploy           ✓    3.0 s
"
        );
        assert_eq!(tree, expected);
        // With colours it is the same text.
        let mut coloured = traces.to_tree(true);
        for code in ["0", "1", "2", "31", "32", "33", "34", "36"] {
            coloured = coloured.replace(&format!("\u{1b}[{code}m"), "");
        }
        let trimmed = |text: &str| {
            text.lines()
                .map(str::trim_end)
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(trimmed(&coloured), trimmed(&expected));
    }

    #[test]
    fn texts_cannot_take_over_the_terminal() {
        let mut spans = all_spans(&samples::failed());
        for span in &mut spans {
            span.name = "\u{1b}]0;gotcha\u{7}\n\u{202e}name".to_owned();
            span.attributes
                .set("stagelink.reason", "\u{1b}[2J\r\u{9b}31m");
            span.attributes.set("commitID", "\u{1b}[5m");
            span.attributes.set("stagelink.stage", "\u{8}");
        }
        let tree = Traces::new(spans).to_tree(false);
        assert!(
            tree.chars().all(|c| c == '\n' || !c.is_control()),
            "{tree:?}"
        );
        assert!(!tree.contains('\u{202e}'));
    }

    #[test]
    fn durations_are_read_at_a_glance() {
        for (milliseconds, text) in [
            (-5.0, "0 ms"),
            (0.0, "0 ms"),
            (0.4, "<1 ms"),
            (999.4, "999 ms"),
            (999.6, "1.0 s"),
            (59_960.0, "1 m 00 s"),
            (245_000.0, "4 m 05 s"),
            (7_800_000.0, "2 h 10 m"),
        ] {
            assert_eq!(duration(milliseconds), text, "{milliseconds}");
        }
    }

    #[test]
    fn only_commits_are_shortened() {
        assert_eq!(short_commit(samples::COMMIT), "9a2d1f0");
        assert_eq!(short_commit("1.2.3"), "1.2.3");
        assert_eq!(short_commit("é".repeat(20).as_str()), "é".repeat(20));
    }
}
