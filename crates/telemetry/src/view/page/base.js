"use strict";
// What the page's scripts have in common. They draw the traces that the page carries; texts of spans
// are only ever set as text. The files are put together in the order of `page.rs`.

const data = JSON.parse(document.getElementById("data").textContent);
const traces = data.traces;
const main = document.getElementById("main");
const details = document.getElementById("details");
const page = main.parentElement;

const SIGNS = { pass: "✓", warn: "!", fail: "✕", error: "⚠", inconclusive: "?", running: "…", unknown: "·" };
const WORDS = {
  pass: "passed", warn: "passed with a warning", fail: "failed", error: "error",
  inconclusive: "inconclusive", running: "running", unknown: "no outcome",
};
/** So many traces are open at first; more would only be scrolled over. */
const OPEN_AT_FIRST = 12;
const MAX_DEPTH = 12;

// Small helpers.
function element(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") node.className = value;
    else if (key === "text") node.textContent = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function shape(tag, properties, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(properties ?? {})) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const known = (outcome) => (Object.hasOwn(SIGNS, outcome) ? outcome : "unknown");
const sign = (outcome) =>
  element("span", { class: `sign ${known(outcome)}`, "aria-hidden": "true", text: SIGNS[known(outcome)] });
const words = (...parts) => parts.filter((part) => part !== "" && part !== null && part !== undefined);

function duration(milliseconds) {
  if (milliseconds <= 0) return "0 ms";
  if (milliseconds < 0.95) return "<1 ms";
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 59950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} m`;
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
function when(milliseconds) {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? "" : clock.format(date);
}

const commit = (text) => (/^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(text) ? text.slice(0, 7) : text);
const title = (trace) => words(trace.app, trace.version).join(" ") || trace.name;
const place = (trace) => words(trace.stage, title(trace)).join(" · ");
const anchor = (traceId, spanId) => `span-${traceId}-${spanId}`;

// What is where.
/** By anchor: the span, its trace, and links from and to it. */
const index = new Map();
for (const trace of traces) {
  trace.spans.forEach((span, position) => {
    index.set(anchor(trace.traceId, span.id), { trace, span, position, follows: [], followed: [] });
  });
}
/** Links between spans that are both here. */
const links = [];
for (const [id, entry] of index) {
  for (const link of entry.span.links) {
    const target = anchor(link.traceId, link.spanId);
    entry.follows.push({ id: target, link });
    const other = index.get(target);
    if (other) {
      other.followed.push({ id, link });
      links.push({ from: target, to: id, relation: link.relation });
    }
  }
}
/** Says why only where nothing within says it. */
function saysWhy(entry) {
  const { trace, span, position } = entry;
  if (!span.reason || ["pass", "running"].includes(span.outcome)) return false;
  const next = trace.spans[position + 1];
  return position > 0 && !(next && next.depth > span.depth && reasonWithin(trace, position));
}
function reasonWithin(trace, position) {
  const depth = trace.spans[position].depth;
  for (let i = position + 1; i < trace.spans.length && trace.spans[i].depth > depth; i++) {
    if (trace.spans[i].reason && trace.spans[i].outcome !== "pass") return true;
  }
  return false;
}

/** In the order of a release: as links lead, else by time. */
const stages = [...new Set(traces.map((trace) => trace.stage))];
for (let turn = 0; turn < stages.length; turn++) {
  for (const link of links) {
    const [before, after] = [link.from, link.to].map((id) => stages.indexOf(index.get(id).trace.stage));
    if (before > after) stages.splice(after, 0, ...stages.splice(before, 1));
  }
}
