//! The texts of a promotion: branch, commit message, title and body, as Handlebars templates.
//!
//! Strict: a name that does not exist is an error, not an empty place. Bounded: templates are at
//! most 4 KiB, what they render at most 64 KiB, and what could run for ever (partials, decorators,
//! loops in loops in loops) is refused before anything is rendered.

use std::io;

use handlebars::Handlebars;
use serde::Serialize;

/// The longest template, in bytes.
const MAX_TEMPLATE: usize = 4 * 1024;
/// The longest rendered text, in bytes.
const MAX_RENDERED: usize = 64 * 1024;
/// The most blocks that a template may open; a parser's stack is finite.
const MAX_BLOCKS: usize = 32;
/// The most loops in a template: three loops over a hundred changes end, thirty do not.
const MAX_LOOPS: usize = 3;
/// The most brackets in the tags of a template, for the same reason as blocks.
const MAX_BRACKETS: usize = 32;

/// Default of [`Texts::branch`]: the same for every promotion of an app to a stage.
pub const DEFAULT_BRANCH: &str = "promotion/{{app}}/{{targetStage}}";
/// Default of [`Texts::commit`], and the first line of every other text.
pub const DEFAULT_TITLE: &str = "Promote {{app}} from {{sourceStage}} to {{targetStage}}";
/// Default of [`Texts::commit`].
pub const DEFAULT_COMMIT: &str = "\
Promote {{app}} from {{sourceStage}} to {{targetStage}}

{{#each changes}}
- {{key}}: {{from}} -> {{to}}
{{/each}}";
/// Default of [`Texts::body`]: Markdown, as forges show it.
pub const DEFAULT_BODY: &str = "\
Carries {{app}} from {{sourceStage}} to {{targetStage}}{{#if file}}, in `{{file}}`{{/if}}.

{{#if changes}}
| key | now | then |
| --- | --- | --- |
{{#each changes}}
| `{{key}}` | {{from}} | {{to}} |
{{/each}}

{{/if}}
{{#if revision}}
Promoted-From-Revision: {{revision}}
{{/if}}
{{#if traceParent}}
Stagelink-Traceparent: {{traceParent}}
{{/if}}";

/// The templates. The names that each can use are those of [`Names`]; the branch only has `app`,
/// `sourceStage` and `targetStage`, so that a repeated promotion finds its own branch again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// Name of the branch that the change is proposed on.
    pub branch: String,
    /// Commit message, without the trailers: those are always added.
    pub commit: String,
    /// Title of the change, one line.
    pub title: String,
    /// Description of the change.
    pub body: String,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            branch: DEFAULT_BRANCH.to_owned(),
            commit: DEFAULT_COMMIT.to_owned(),
            title: DEFAULT_TITLE.to_owned(),
            body: DEFAULT_BODY.to_owned(),
        }
    }
}

/// What the templates can name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Names {
    /// The app.
    pub app: String,
    /// The stage that the app passed.
    pub source_stage: String,
    /// The stage that it goes to.
    pub target_stage: String,
    /// The revision that passed; empty if unknown.
    pub revision: String,
    /// The delivery, `<number>.<attempt>`; empty if unknown.
    pub delivery: String,
    /// The traceparent of the promotion's span; empty if unknown.
    pub trace_parent: String,
    /// The file that is changed, in the repository; empty when a workflow changes it.
    pub file: String,
    /// What is changed; empty when a workflow changes it.
    pub changes: Vec<NamedChange>,
}

/// One changed key, as the templates see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedChange {
    /// The key.
    pub key: String,
    /// The value until now; empty if there was none.
    pub from: String,
    /// The new value.
    pub to: String,
}

/// Why a text cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template of the {text} {problem}")]
pub struct TextError {
    text: &'static str,
    problem: String,
}

/// Renders the template of the branch.
///
/// # Errors
/// [`TextError`] if it is no template, names something else than app and stages, or grows too big.
pub fn render_branch(template: &str, names: &Names) -> Result<String, TextError> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct BranchNames<'a> {
        app: &'a str,
        source_stage: &'a str,
        target_stage: &'a str,
    }
    render(
        "branch",
        template,
        &BranchNames {
            app: &names.app,
            source_stage: &names.source_stage,
            target_stage: &names.target_stage,
        },
    )
}

/// Renders another text; `text` names it in errors.
///
/// # Errors
/// [`TextError`] if it is no template, names something unknown, or grows too big.
pub fn render_text(text: &'static str, template: &str, names: &Names) -> Result<String, TextError> {
    render(text, template, names)
}

fn render(text: &'static str, template: &str, names: &impl Serialize) -> Result<String, TextError> {
    let failed = |problem: String| TextError { text, problem };
    bounded(template).map_err(|problem| failed(problem.to_owned()))?;
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(handlebars::no_escape);
    let mut rendered = Bounded(Vec::new());
    match registry.render_template_to_write(template, names, &mut rendered) {
        Ok(()) => String::from_utf8(rendered.0)
            .map_err(|_| failed("renders bytes that are not text".to_owned())),
        Err(_) if rendered.0.len() >= MAX_RENDERED => Err(failed(format!(
            "renders more than {} KiB",
            MAX_RENDERED / 1024
        ))),
        Err(error) => {
            let where_ = match (error.line_no, error.column_no) {
                (Some(line), Some(column)) => format!(" (line {line}, column {column})"),
                _ => String::new(),
            };
            let reason = error.reason().to_string();
            let reason = reason.lines().next().unwrap_or_default();
            Err(failed(format!("cannot be rendered{where_}: {reason}")))
        }
    }
}

/// Refuses a template that could take too much of anything.
fn bounded(template: &str) -> Result<(), &'static str> {
    if template.len() > MAX_TEMPLATE {
        return Err("is longer than 4 KiB");
    }
    let (mut blocks, mut loops, mut brackets) = (0, 0, 0);
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        let tag = rest[at..].trim_start_matches(['{', '~']);
        let inside = &tag[..tag.find("}}").unwrap_or(tag.len())];
        let (block, name) = match inside.strip_prefix(['#', '^']) {
            Some(after) => (true, after.trim_start()),
            None => (false, inside.trim_start()),
        };
        if name.starts_with(['>', '*']) {
            return Err("has a partial or a decorator, which the texts of a promotion cannot have");
        }
        blocks += usize::from(block || name.starts_with("else"));
        loops += usize::from(block && name.starts_with("each"));
        brackets += inside.chars().filter(|c| "([{".contains(*c)).count();
        rest = tag;
    }
    if loops > MAX_LOOPS {
        Err("has more than 3 loops")
    } else if blocks > MAX_BLOCKS {
        Err("has more than 32 blocks")
    } else if brackets > MAX_BRACKETS {
        Err("has more than 32 brackets")
    } else {
        Ok(())
    }
}

/// Takes up to [`MAX_RENDERED`] bytes.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MAX_RENDERED - self.0.len();
        if bytes.len() > room {
            self.0.resize(MAX_RENDERED, b' ');
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A commit message: the text, and after it the trailers.
///
/// A trailer with an empty value is left out. Lines at the end of the text are not taken for
/// trailers by git, since an empty line always separates the two.
pub fn with_trailers(message: &str, trailers: &[(&str, String)]) -> String {
    let mut whole = message.trim().to_owned();
    whole.push_str("\n\n");
    for (name, value) in trailers {
        if !value.is_empty() {
            whole.push_str(name);
            whole.push_str(": ");
            whole.push_str(value);
            whole.push('\n');
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            app: "simple-go".into(),
            source_stage: "dev".into(),
            target_stage: "prod".into(),
            revision: "abc".into(),
            file: "prod/values.yaml".into(),
            changes: vec![NamedChange {
                key: "serviceVersion".into(),
                from: "v1".into(),
                to: "v2 <&>".into(),
            }],
            ..Names::default()
        }
    }

    #[test]
    fn the_defaults_render() {
        let texts = Texts::default();
        assert_eq!(
            render_branch(&texts.branch, &names()).unwrap(),
            "promotion/simple-go/prod"
        );
        assert_eq!(
            render_text("commit message", &texts.commit, &names()).unwrap(),
            "Promote simple-go from dev to prod\n\n- serviceVersion: v1 -> v2 <&>\n"
        );
        let body = render_text("body", &texts.body, &names()).unwrap();
        assert_eq!(
            body,
            "Carries simple-go from dev to prod, in `prod/values.yaml`.\n\n\
             | key | now | then |\n| --- | --- | --- |\n| `serviceVersion` | v1 | v2 <&> |\n\n\
             Promoted-From-Revision: abc\n"
        );
        // A workflow finds out for itself what it changes.
        let mut nothing_known = names();
        nothing_known.file.clear();
        nothing_known.changes.clear();
        assert_eq!(
            render_text("body", &texts.body, &nothing_known).unwrap(),
            "Carries simple-go from dev to prod.\n\nPromoted-From-Revision: abc\n"
        );
    }

    #[test]
    fn what_cannot_be_rendered_says_why() {
        let long = "x".repeat(MAX_TEMPLATE + 1);
        let blocks = "{{#if app}}{{/if}}".repeat(33);
        let brackets = format!("{{{{app {}}}}}", "(".repeat(40));
        for (template, why) in [
            ("{{nobody}}", "nobody"),
            ("{{#if app}}", "cannot be rendered"),
            ("{{", "cannot be rendered"),
            (long.as_str(), "longer than 4 KiB"),
            (blocks.as_str(), "32 blocks"),
            (brackets.as_str(), "32 brackets"),
            ("{{> own}}", "partial"),
            ("{{~> own}}", "partial"),
            ("{{#> own}}{{/own}}", "partial"),
            ("{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}", "decorator"),
            ("{{# *inline \"a\"}}{{/inline}}", "decorator"),
            (
                "{{#each a}}{{#each a}}{{#each a}}{{#each a}}{{/each}}{{/each}}{{/each}}{{/each}}",
                "3 loops",
            ),
        ] {
            let error = render_text("title", template, &names())
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("the template of the title "), "{error}");
            assert!(error.contains(why), "{template}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn a_text_does_not_grow_without_end() {
        let mut names = names();
        names.revision = "x".repeat(MAX_RENDERED / 2);
        let error = render_text("body", "{{revision}}{{revision}}x", &names).unwrap_err();
        assert!(error.to_string().contains("more than 64 KiB"), "{error}");
    }

    #[test]
    fn a_branch_cannot_depend_on_what_changes_with_every_promotion() {
        for name in ["revision", "traceParent", "delivery"] {
            assert!(render_branch(&format!("{{{{{name}}}}}"), &names()).is_err());
        }
    }

    #[test]
    fn trailers_follow_the_text() {
        let trailers = [
            ("A", "1".to_owned()),
            ("B", String::new()),
            ("C", "2".to_owned()),
        ];
        let message = with_trailers("Subject\n\nText\n\n", &trailers);
        assert_eq!(message, "Subject\n\nText\n\nA: 1\nC: 2\n");
    }
}
