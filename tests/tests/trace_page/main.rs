//! The trace page in a real browser: what a person does with it, with mouse, finger and keyboard.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests, outside of the functions that clippy knows as tests"
)]

mod browser;
mod ledgers;

use std::path::{Path, PathBuf};

use browser::{Browser, Size};
use serde_json::{Value, json};
use stagelink_delivery::Phase;
use stagelink_delivery::identity::SpanPath;
use stagelink_telemetry::view::Traces;

const DESKTOP: Size = Size(1360, 900);
const PHONE: Size = Size(360, 740);

/// The page of the ledgers, as a file that a person can look at afterwards.
fn page(name: &str, ledgers: &[stagelink_delivery::ledger::Ledger]) -> PathBuf {
    let spans = ledgers
        .iter()
        .flat_map(stagelink_telemetry::all_spans)
        .collect();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, Traces::new(spans).to_html()).unwrap();
    path
}

fn open(size: Size) -> Option<Browser> {
    let browser = Browser::start(size)?;
    browser.open(&page("trace.html", &ledgers::story()));
    Some(browser)
}

/// The row of a span of one of the story's first attempts.
fn row(stage: &str, delivery: u64, path: &SpanPath) -> String {
    let ledger = ledgers::story()
        .into_iter()
        .find(|ledger| ledger.stage == stage)
        .unwrap();
    let id = ledger.attempt_id(delivery, 1);
    format!("#span-{}-{}", id.trace_id(), id.span_id(path))
}

fn promotion_of_dev() -> String {
    row("dev", 2, &SpanPath::phase(Phase::PromotionTasks))
}

fn root_of_prod() -> String {
    row("prod", 2, &SpanPath::root())
}

#[test]
fn commit_version_outcome_and_reason_are_seen_at_once() {
    let Some(browser) = open(DESKTOP) else { return };
    let text = browser.text("body");
    for expected in [
        "simple-go v2",
        "commit 9a2d1f0",
        "fail",
        "response-time: value '0.912' did not meet objective '<0.50'",
        "follows PromotionTasks · dev · simple-go v2",
        "post-deployment-loadtests",
    ] {
        assert!(text.contains(expected), "{expected} is not in:\n{text}");
    }
    // In the order of a release: the stages, and in each its deliveries.
    let headings =
        browser.run("return [...document.querySelectorAll('h2')].map(h => h.textContent)");
    assert_eq!(headings, json!(["dev", "prod"]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_click_shows_what_is_known_about_a_span() {
    let Some(browser) = open(DESKTOP) else { return };
    assert!(!browser.is_shown("#details"));
    browser.click(&promotion_of_dev());
    let details = browser.text("#details");
    for expected in [
        "PromotionTasks",
        "Promotion Tasks has succeeded",
        "keptn.deployment.app.name",
        "deployment.environment.name",
        "commitID",
        "followed by prod · simple-go v2",
    ] {
        assert!(
            details.contains(expected),
            "{expected} is not in:\n{details}"
        );
    }
    browser.click("#details .close");
    assert!(!browser.is_shown("#details"));
}

#[test]
fn an_arrow_leads_to_the_linked_span_and_back() {
    let Some(browser) = open(DESKTOP) else { return };
    let arrow = format!(
        "#arrows a[data-link='{} {}']",
        &promotion_of_dev()[1..],
        &root_of_prod()[1..]
    );
    // A line has no middle that could be clicked; its first bend has.
    browser.click_line(&arrow);
    assert_eq!(browser.chosen(), promotion_of_dev());
    assert!(browser.is_in_view(&promotion_of_dev()));
    browser.click_line(&arrow);
    assert_eq!(browser.chosen(), root_of_prod());
    assert!(browser.is_in_view(&root_of_prod()));
    // The chip at the span does the same.
    browser.click(&format!("{} .chip", root_of_prod()));
    assert_eq!(browser.chosen(), promotion_of_dev());
}

#[test]
fn the_keyboard_does_everything() {
    let Some(browser) = open(DESKTOP) else { return };
    let root = row("dev", 2, &SpanPath::root());
    browser.run_on(&root, "element.focus()");
    browser.keys("ArrowDown");
    let tasks = row("dev", 2, &SpanPath::phase(Phase::AppPreDeployTasks));
    assert_eq!(browser.focused(), tasks);
    let outline = browser.run_on(&tasks, "return getComputedStyle(element).outlineStyle");
    assert_eq!(outline, "solid", "the focus is to be seen");

    // Closing hides what lies within.
    let first = row(
        "dev",
        2,
        &SpanPath::phase(Phase::AppPreDeployTasks).item(0, "wait-for-prometheus"),
    );
    assert!(browser.is_shown(&first));
    browser.keys("ArrowLeft");
    assert!(!browser.is_shown(&first));
    browser.keys("ArrowRight");
    assert!(browser.is_shown(&first));
    browser.keys("ArrowRight");
    assert_eq!(browser.focused(), first);
    browser.keys("ArrowLeft");
    assert_eq!(browser.focused(), tasks);

    // Details by Enter, and back by Escape.
    browser.keys("Enter");
    assert!(browser.text("#details h2").contains("AppPreDeployTasks"));
    assert!(browser.run("return document.activeElement.closest('#details') !== null") == true);
    browser.keys("Escape");
    assert!(!browser.is_shown("#details"));
    assert_eq!(browser.focused(), tasks);

    // To the end, and along the link to the next stage.
    browser.keys("End");
    browser.keys("ArrowUp");
    assert_eq!(browser.focused(), promotion_of_dev());
    browser.keys("l");
    assert_eq!(browser.focused(), root_of_prod());
    assert!(browser.is_in_view(&root_of_prod()));

    // What is reached by Tab can be told from what it is called.
    let nameless = browser.run(
        "return [...document.querySelectorAll('a,button,[tabindex=\"0\"]')]
            .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim()))
            .map(e => e.outerHTML)",
    );
    assert_eq!(nameless, json!([]));
}

#[test]
fn a_span_of_a_folded_trace_is_opened_when_it_is_linked_to() {
    let Some(browser) = open(DESKTOP) else { return };
    let trace = promotion_of_dev();
    let trace = trace.split('-').nth(1).unwrap();
    browser.click(&format!("#trace-{trace} .head"));
    assert!(!browser.is_shown(&promotion_of_dev()));
    browser.click(&format!("{} .chip", root_of_prod()));
    assert!(browser.is_in_view(&promotion_of_dev()));
    // The address names the span, so it can be sent to somebody.
    let address = browser.run("return location.hash");
    assert_eq!(address, promotion_of_dev());
}

#[test]
fn a_phone_shows_everything_without_sideways_scrolling() {
    let Some(browser) = open(PHONE) else { return };
    let width = browser.run("return [innerWidth, document.documentElement.scrollWidth]");
    assert_eq!(width, json!([360, 360]));
    browser.click(&promotion_of_dev());
    assert!(browser.text("#details").contains("PromotionTasks"));
    let sheet = browser.run_on(
        "#details",
        "const box = element.getBoundingClientRect(); return [box.left, box.right, box.bottom]",
    );
    assert_eq!(sheet, json!([0, 360, 740]));
    let width = browser.run("return document.documentElement.scrollWidth");
    assert_eq!(width, 360);
    // The sheet does not lie over what it is about.
    let covered = browser.run_on(
        &promotion_of_dev(),
        "const sheet = document.querySelector('#details').getBoundingClientRect();
         const box = element.getBoundingClientRect();
         return box.top < 0 || box.bottom > sheet.top",
    );
    assert_eq!(covered, false);
    // A finger needs room.
    let low = browser.run(
        "return [...document.querySelectorAll('.row')].filter(e => e.offsetHeight && e.offsetHeight < 44).length",
    );
    assert_eq!(low, 0);
}

#[test]
fn dark_is_dark_and_every_text_can_be_read() {
    let Some(browser) = open(DESKTOP) else { return };
    browser.click(&row("dev", 3, &SpanPath::root()));
    for (scheme, dark) in [("light", false), ("dark", true)] {
        browser.colour_scheme(scheme);
        let worst = browser.run(CONTRAST);
        let paper = worst["paper"].as_f64().unwrap();
        assert_eq!(paper < 0.2, dark, "{scheme}: {paper}");
        // WCAG AA asks for 4.5; what is faint on purpose is large or says nothing new.
        let worst = &worst["worst"];
        assert!(worst["ratio"].as_f64().unwrap() >= 4.5, "{scheme}: {worst}");
    }
}

/// The brightness of the page, and the text with the least contrast to what is behind it.
const CONTRAST: &str = r"
const channel = c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
const parse = text => text.match(/[\d.]+/g).map(Number);
const light = ([r, g, b]) => .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
const behind = element => {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] > .99) return colour;
  }
  return [255, 255, 255];
};
let worst = { ratio: 21 };
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const hidden = element.closest('[aria-hidden], script, style, noscript, footer');
  if (!own || hidden || !element.offsetWidth) continue;
  const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  if (ratio < worst.ratio) worst = { ratio, text: element.textContent, class: element.className };
}
return { paper: light(parse(getComputedStyle(document.body).backgroundColor)), worst };
";

#[test]
fn texts_of_spans_are_harmless() {
    let Some(browser) = Browser::start(DESKTOP) else {
        return;
    };
    browser.open(&page("trace-hostile.html", &[ledgers::hostile()]));
    let root = "[role=treeitem]";
    browser.click(root);
    assert!(browser.text("#details").contains("<img src=x onerror="));
    let found = browser.run(
        "return [typeof window.gotcha, document.querySelectorAll('img, iframe, object').length,
            document.scripts.length, document.querySelectorAll('a[href^=\"javascript\" i]').length]",
    );
    assert_eq!(found, json!(["undefined", 0, 2, 0]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // Even what gets past the page's own care is stopped by its policy.
    browser.run(
        "const e = document.createElement('div'); document.body.append(e);
         e.innerHTML = '<img src=\"data:,x\" onerror=\"window.gotcha = 1\"><b onclick=\"window.gotcha = 2\" id=bait>b</b>';
         document.getElementById('bait').click();",
    );
    assert_eq!(browser.run("return typeof window.gotcha"), "undefined");
}

/// The page that the demo leaves, as its user opens it.
#[test]
fn the_demos_page_tells_the_demos_story() {
    let Some(browser) = Browser::start(DESKTOP) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("demo");
    let demo = stagelink_tests::run(&["demo", "--dir", &root.to_string_lossy(), "-o", "json"]);
    assert_eq!(
        demo.status.code(),
        Some(0),
        "{}",
        stagelink_tests::stderr(&demo)
    );
    browser.open(&root.join("trace.html"));
    let titles = browser.run(
        "return [...document.querySelectorAll('.trace')].map(card =>
            [card.getAttribute('aria-label'), card.querySelector('.badge').lastChild.textContent])",
    );
    assert_eq!(
        titles,
        json!([
            ["dev · simple-go v3", "fail"],
            ["dev · simple-go v2", "pass"],
            ["dev · simple-go v1", "pass"],
            ["prod · simple-go v2", "pass"],
            ["prod · simple-go v1", "pass"],
        ])
    );
    let why = browser.text(".trace > .why");
    assert!(why.contains("did not meet objective '<500'"), "{why}");

    // The one link, by its arrow.
    let arrows = browser.run("return document.querySelectorAll('#arrows a').length");
    assert_eq!(arrows, 1);
    browser.click_line("#arrows a");
    assert_eq!(browser.text("#details h2"), "PromotionTasks");
    let place = browser.text("#details .where");
    assert_eq!(place, "dev · simple-go v2 · delivery 2");
    browser.click_line("#arrows a");
    let place = browser.text("#details .where");
    assert_eq!(place, "prod · simple-go v2 · delivery 2");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_page_without_javascript_says_what_to_do() {
    // No browser is needed for this one.
    let path = page("trace-plain.html", &ledgers::story());
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains("<noscript><p>"));
    let data: Value = {
        let start = text.find("id=\"data\">").unwrap() + "id=\"data\">".len();
        let end = start + text[start..].find("</script>").unwrap();
        serde_json::from_str(&text[start..end]).unwrap()
    };
    assert_eq!(data["traces"].as_array().unwrap().len(), 6);
}
