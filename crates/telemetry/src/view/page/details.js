// What is known about a span; going to it; the keyboard; and the start.

let chosen = null;

const GROUPS = [
  ["Stagelink", /^stagelink\./],
  ["Keptn", /^keptn\./],
  ["OpenTelemetry", /^(cicd|vcs|deployment|error|service|k8s|telemetry)\./],
];

function value(text) {
  if (/^https?:\/\/[^\s]+$/.test(text)) {
    return element("a", { href: text, target: "_blank", rel: "noopener noreferrer", text });
  }
  return text === "" ? element("span", { class: "fact", text: "(empty)" }) : text;
}

function pairs(attributes) {
  return element("dl", {}, ...attributes.map(([key, text]) =>
    element("div", {}, element("dt", { text: key }), element("dd", {}, value(text)))));
}

function draw(entry) {
  const { trace, span } = entry;
  const fact = (name, text) => element("div", {}, element("dt", { text: name }), element("dd", { text }));
  const end = span.end ?? trace.end;
  const parts = [
    element("button", { class: "close", type: "button", "aria-label": "Close", text: "✕", onclick: () => hide(true) }),
    element("h2", { tabindex: "-1", text: span.name }),
    element("p", { class: "where", text: words(place(trace), trace.delivery ? `delivery ${trace.delivery}` : "").join(" · ") }),
    element("p", { class: `badge ${known(span.outcome)}` }, sign(span.outcome), WORDS[known(span.outcome)]),
    span.reason ? element("p", { class: `why ${known(span.outcome)}`, text: span.reason }) : null,
  ];
  if (entry.follows.length + entry.followed.length > 0) {
    parts.push(element("h3", { text: "Links" }), element("ul", {},
      ...entry.follows.map((other) => element("li", {}, linkNode(other, "follows", {}))),
      ...entry.followed.map((other) => element("li", {}, linkNode(other, "followed by", {})))));
  }
  parts.push(element("h3", { text: "Span" }), element("dl", { class: "facts" },
    fact("Start", when(span.start)),
    fact("After", duration(span.start - trace.start)),
    fact("Took", span.end === null ? `${duration(end - span.start)}, still running` : duration(end - span.start)),
    fact("Kind", span.kind), fact("Tracer", span.scope)));
  if (span.events.length > 0) {
    parts.push(element("h3", { text: "Events" }), element("ul", {}, ...span.events.map((event) =>
      element("li", {}, element("time", { text: `+${duration(event.time - trace.start)}` }), event.name,
        event.attributes.length > 0 ? pairs(event.attributes) : null))));
  }
  const rest = new Set(span.attributes);
  for (const [name, pattern] of GROUPS) {
    const group = span.attributes.filter(([key]) => pattern.test(key));
    group.forEach((pair) => rest.delete(pair));
    if (group.length > 0) parts.push(element("h3", { text: name }), pairs(group));
  }
  if (rest.size > 0) parts.push(element("h3", { text: "Metadata" }), pairs([...rest]));
  parts.push(element("h3", { text: "Ids" }), pairs([
    ["trace", trace.traceId], ["span", span.id], ["traceparent", `00-${trace.traceId}-${span.id}-01`],
  ]));
  details.replaceChildren(...parts.filter(Boolean));
  details.scrollTop = 0;
}

function show(id, focus) {
  const entry = index.get(id);
  if (!entry) return;
  choose(id);
  draw(entry);
  const moved = details.hidden;
  details.hidden = false;
  page.classList.add("open");
  if (focus) details.querySelector("h2").focus();
  if (moved) drawArrows();
  uncover(document.getElementById(id));
}

/** Where the details lie over the page, moves the page so that the row is not below them. */
function uncover(node) {
  if (getComputedStyle(details).position !== "fixed") return;
  const box = node.getBoundingClientRect();
  const free = details.getBoundingClientRect().top;
  if (box.top < 0 || box.bottom > free) window.scrollBy({ top: box.top - Math.max((free - box.height) / 2, 0) });
}

function hide(focus) {
  details.hidden = true;
  page.classList.remove("open");
  if (focus && chosen) document.getElementById(chosen)?.focus();
  drawArrows();
}

/** Marks a row and makes it the one that Tab goes to. */
function choose(id) {
  const node = document.getElementById(id);
  if (chosen && chosen !== id) document.getElementById(chosen)?.setAttribute("aria-selected", "false");
  chosen = id;
  node.setAttribute("aria-selected", "true");
  stop(node);
  history.replaceState(null, "", `#${id}`);
}

function stop(node) {
  for (const other of node.parentElement.querySelectorAll('.row[tabindex="0"]')) other.tabIndex = -1;
  node.tabIndex = 0;
}

/** Opens whatever hides a span, goes there and shows it. */
function go(id) {
  const entry = index.get(id);
  if (!entry) return;
  toggleTrace(entry.trace.traceId, true);
  let depth = entry.span.depth;
  for (let i = entry.position - 1; i >= 0 && depth > 0; i--) {
    const span = entry.trace.spans[i];
    if (span.depth < depth) {
      depth = span.depth;
      const above = anchor(entry.trace.traceId, span.id);
      if (folded.has(above)) fold(above, false);
    }
  }
  show(id, false);
  const node = document.getElementById(id);
  node.focus({ preventScroll: true });
  node.scrollIntoView({ block: "center" });
  uncover(node);
}

// The keyboard.
function keys(event) {
  const node = event.target.closest(".row");
  if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
  const rows = [...event.currentTarget.querySelectorAll(".row")].filter((row) => !row.hidden);
  const at = rows.indexOf(node);
  const entry = index.get(node.id);
  const level = Number(node.getAttribute("aria-level"));
  let next = null;
  switch (event.key) {
    case "ArrowDown": next = rows[at + 1]; break;
    case "ArrowUp": next = rows[at - 1]; break;
    case "Home": next = rows[0]; break;
    case "End": next = rows[rows.length - 1]; break;
    case "ArrowRight":
      if (folded.has(node.id)) fold(node.id, false);
      else if (entry.span.parent) next = rows[at + 1];
      break;
    case "ArrowLeft":
      if (entry.span.parent && !folded.has(node.id)) fold(node.id, true);
      else next = rows.slice(0, at).reverse().find((row) => Number(row.getAttribute("aria-level")) < level);
      break;
    case "Enter":
    case " ": show(node.id, true); break;
    case "l":
    case "L": {
      const other = [...entry.follows, ...entry.followed].find((other) => index.has(other.id));
      if (other) go(other.id);
      break;
    }
    default: return;
  }
  event.preventDefault();
  if (next) {
    stop(next);
    next.focus();
    if (!details.hidden) show(next.id, false);
  }
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !details.hidden) hide(true);
});

// The start.
drawMap();
drawTraces();
drawArrows();
new ResizeObserver(drawArrows).observe(main);
const fromAddress = () => { if (location.hash.startsWith("#span-")) go(location.hash.slice(1)); };
window.addEventListener("hashchange", fromAddress);
window.addEventListener("beforeprint", () => traces.forEach((trace) => toggleTrace(trace.traceId, true)));
fromAddress();
