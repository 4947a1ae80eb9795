// The waterfalls: a card for each trace, a row for each span.

/** Anchors of spans whose children are hidden. */
const folded = new Set();
const bodies = new Map();

function drawTraces() {
  const newestFirst = [...traces].sort((a, b) => b.start - a.start);
  const open = new Set(newestFirst.slice(0, OPEN_AT_FIRST));
  for (const stage of stages) {
    main.append(element("h2", { text: stage || "other" }));
    for (const trace of newestFirst) if (trace.stage === stage) main.append(card(trace, open.has(trace)));
  }
  main.append(shape("svg", { class: "arrows", id: "arrows" }));
}

function card(trace, open) {
  const body = element("div", { class: "falls", id: `falls-${trace.traceId}` });
  const head = element(
    "button",
    {
      class: "head", type: "button", "aria-expanded": String(open), "aria-controls": body.id,
      onclick: () => toggleTrace(trace.traceId),
    },
    element("span", { class: "fold", "aria-hidden": "true", text: "▸" }),
    element("span", { class: "title", text: title(trace) }),
    element("span", { class: `badge ${known(trace.outcome)}` }, sign(trace.outcome), trace.outcome),
    trace.commit ? element("span", { class: "fact" }, "commit ",
      element("code", { text: commit(trace.commit), title: trace.commit })) : null,
    trace.appVersion && trace.appVersion !== trace.version
      ? element("span", { class: "fact" }, "app version ", element("code", { text: trace.appVersion })) : null,
    trace.delivery ? element("span", { class: "fact", text: `delivery ${trace.delivery}` }) : null,
    trace.attempt > 1 ? element("span", { class: "fact", text: `attempt ${trace.attempt}` }) : null,
    element("span", { class: "fact when", text: when(trace.start) }),
    element("span", { class: "fact", text: duration(trace.end - trace.start) }),
  );
  const node = element("section", { class: "trace", id: `trace-${trace.traceId}`, "aria-label": place(trace) },
    element("h3", {}, head),
    trace.reason ? element("p", { class: `why ${known(trace.outcome)}`, text: trace.reason }) : null,
    body);
  bodies.set(trace.traceId, { body, head, drawn: false });
  if (open) fill(trace);
  else body.hidden = true;
  return node;
}

function fill(trace) {
  const place = bodies.get(trace.traceId);
  if (place.drawn) return;
  place.drawn = true;
  const length = Math.max(trace.end - trace.start, 0.001);
  const ticks = element("div", { class: "ticks" });
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const tick = element("span", { text: duration(length * part) });
    tick.style.left = `${part * 100}%`;
    ticks.append(tick);
  }
  const tree = element("div", { role: "tree", "aria-label": `Spans of ${title(trace)}` });
  const heights = positions(trace.spans);
  const names = [];
  trace.spans.forEach((span, position) => {
    names[span.depth + 1] = span.name;
    tree.append(row(trace, span, heights[position], length, names[span.depth] ?? ""));
  });
  const first = tree.querySelector(".row");
  if (first) first.tabIndex = 0;
  tree.addEventListener("keydown", keys);
  place.body.append(element("div", { class: "axis", "aria-hidden": "true" }, element("span"), ticks), tree);
}

/** For each span its place among its siblings, and how many they are. */
function positions(spans) {
  const result = spans.map(() => ({ place: 1, of: 1 }));
  const open = [];
  const close = (depth) => {
    while (open.length > depth) {
      const siblings = open.pop();
      siblings.forEach((span, at) => (result[span] = { place: at + 1, of: siblings.length }));
    }
  };
  spans.forEach((span, at) => {
    close(span.depth + 1);
    (open[span.depth] ??= []).push(at);
  });
  close(0);
  return result;
}

function row(trace, span, position, length, above) {
  const id = anchor(trace.traceId, span.id);
  const entry = index.get(id);
  const end = span.end ?? trace.end;
  const left = Math.min(Math.max((span.start - trace.start) / length, 0), 1) * 100;
  const width = Math.min(Math.max((end - span.start) / length, 0) * 100, 100 - left);
  const took = `${duration(end - span.start)}${span.end === null ? "…" : ""}`;
  // A phase with nothing to do; Keptn has a span for it all the same.
  const empty = !span.parent && span.end === span.start && ["pass", "unknown"].includes(known(span.outcome));
  const bar = element("span", { class: "bar" });
  bar.style.left = `${left}%`;
  bar.style.width = `${width}%`;
  const time = element("span", { class: "took", text: took });
  time.style.left = `${left + width}%`;
  const why = saysWhy(entry) ? element("p", { class: `why ${known(span.outcome)}`, text: span.reason }) : null;
  const node = element(
    "div",
    {
      id, role: "treeitem", class: `row ${known(span.outcome)}${span.parent ? " folds" : ""}${empty ? " empty" : ""}`, tabindex: "-1",
      "aria-level": span.depth + 1, "aria-posinset": position.place, "aria-setsize": position.of,
      "aria-selected": "false", "aria-expanded": span.parent ? "true" : null,
      "aria-label": words(span.name, WORDS[known(span.outcome)], took, span.outcome === "pass" ? "" : span.reason).join(", "),
      onclick: (event) => {
        if (event.target.closest("a")) return;
        if (event.target.closest(".fold-row") && span.parent) fold(id);
        else show(id, false);
      },
    },
    element("span", { class: "name" },
      element("span", { class: "fold-row", "aria-hidden": "true", text: span.parent ? "▸" : "" }),
      sign(span.outcome),
      label(span.name, above)),
    element("span", { class: "lane", "aria-hidden": "true" }, bar, time),
    why,
    chips(entry),
  );
  node.style.setProperty("--depth", Math.min(span.depth, MAX_DEPTH));
  return node;
}

/** Below the span of a workload, `<workload>/<phase>` is shown as the phase. */
function label(name, above) {
  const slash = name.lastIndexOf("/");
  const said = slash > 0 && above.startsWith(`${name.slice(0, slash)}-`);
  return element("span", { class: "label", title: name, text: said ? name.slice(slash + 1) : name });
}

function linkText(other, direction) {
  const entry = index.get(other.id);
  if (!entry) return `${direction} a span that is not on this page`;
  const what = direction === "follows" ? `${entry.span.name} · ${place(entry.trace)}` : place(entry.trace);
  return `${direction} ${what}`;
}

function linkNode(other, direction, properties) {
  const text = linkText(other, direction);
  if (!index.has(other.id)) {
    return element("span", { ...properties, text, title: `trace ${other.link.traceId}, span ${other.link.spanId}` });
  }
  return element("a", {
    ...properties, text, href: `#${other.id}`,
    onclick: (event) => { event.preventDefault(); go(other.id); },
  });
}

function chips(entry) {
  if (entry.follows.length + entry.followed.length === 0) return null;
  return element("span", { class: "chips" },
    ...entry.follows.map((other) => linkNode(other, "follows", { class: "chip", tabindex: "-1" })),
    ...entry.followed.map((other) => linkNode(other, "followed by", { class: "chip", tabindex: "-1" })));
}

function toggleTrace(traceId, open) {
  const { body, head } = bodies.get(traceId);
  const wanted = open ?? body.hidden;
  if (wanted) fill(traces.find((trace) => trace.traceId === traceId));
  body.hidden = !wanted;
  head.setAttribute("aria-expanded", String(wanted));
  drawArrows();
}

function fold(id, close) {
  const { trace, position } = index.get(id);
  const node = document.getElementById(id);
  if (close ?? !folded.has(id)) folded.add(id);
  else folded.delete(id);
  node.setAttribute("aria-expanded", String(!folded.has(id)));
  // Hidden is what lies within any folded span.
  const depth = trace.spans[position].depth;
  let hiddenBelow = folded.has(id) ? depth : Infinity;
  for (let i = position + 1; i < trace.spans.length && trace.spans[i].depth > depth; i++) {
    const span = trace.spans[i];
    if (span.depth <= hiddenBelow) hiddenBelow = Infinity;
    const other = document.getElementById(anchor(trace.traceId, span.id));
    other.hidden = span.depth > hiddenBelow;
    other.style.display = other.hidden ? "none" : "";
    if (!other.hidden && folded.has(other.id)) hiddenBelow = Math.min(hiddenBelow, span.depth);
  }
  drawArrows();
}
