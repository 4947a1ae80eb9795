// The map of deliveries, and the arrows between linked spans.

function drawMap() {
  const map = document.getElementById("map");
  const list = element("ol");
  stages.forEach((stage, line) => {
    const item = element("li");
    const name = element("span", { class: "stage", text: stage || "other" });
    name.style.gridRow = line + 1;
    name.style.gridColumn = 1;
    item.append(name);
    traces.forEach((trace, column) => {
      if (trace.stage !== stage) return;
      const root = anchor(trace.traceId, trace.spans[0].id);
      const attempt = trace.attempt > 1 ? ` (${trace.attempt})` : "";
      const stop = element(
        "a",
        {
          class: "stop", href: `#${root}`, "data-trace": trace.traceId,
          "aria-label": `${place(trace)}${attempt}: ${WORDS[known(trace.outcome)]}`,
          onclick: (event) => { event.preventDefault(); go(root); },
        },
        sign(trace.outcome),
        `${trace.version || title(trace)}${attempt}`,
      );
      stop.style.gridRow = line + 1;
      stop.style.gridColumn = column + 2;
      item.append(stop);
    });
    list.append(item);
  });
  list.append(shape("svg", { "aria-hidden": "true", class: "arrows" }));
  map.replaceChildren(list);
  map.scrollLeft = map.scrollWidth;
  const counts = new Map();
  for (const trace of traces) counts.set(trace.outcome, (counts.get(trace.outcome) ?? 0) + 1);
  const parts = [...counts].map(([outcome, count]) => `${count} ${WORDS[known(outcome)]}`);
  if (data.leftOut > 0) parts.push(`${data.leftOut} earlier ones left out`);
  const apps = [...new Set(traces.map((trace) => trace.app))].filter(Boolean);
  document.getElementById("summary").textContent = words(apps.join(", "), parts.join(", ")).join(" – ");
  if (apps.length === 1) document.title = `${apps[0]} – Stagelink`;
}

function drawMapArrows() {
  const list = document.querySelector("#map ol");
  const svg = list.querySelector("svg");
  svg.replaceChildren();
  const frame = list.getBoundingClientRect();
  const stops = new Map([...list.querySelectorAll(".stop")].map((stop) => [stop.dataset.trace, stop]));
  for (const link of links) {
    const from = stops.get(index.get(link.from).trace.traceId)?.getBoundingClientRect();
    const to = stops.get(index.get(link.to).trace.traceId)?.getBoundingClientRect();
    if (!from || !to) continue;
    const same = Math.abs(from.top - to.top) < 4;
    const y1 = (same ? from.top + from.height / 2 : to.top > from.top ? from.bottom : from.top) - frame.top;
    const x1 = (same ? from.right : from.left + from.width / 2) - frame.left;
    const x2 = to.left - frame.left - 3;
    const y2 = to.top + to.height / 2 - frame.top;
    const path = same
      ? `M${x1},${y1} L${x2},${y2}`
      : `M${x1},${y1} C${x1},${y2} ${x1},${y2} ${x2},${y2}`;
    const tip = `M${x2 + 2},${y2} l-7,-4 v8 z`;
    svg.append(shape("g", { class: link.relation },
      shape("path", { class: "line", d: path }), shape("path", { class: "tip", d: tip })));
  }
}

/** Where a link ends: at the row of its span, or at the nearest that is to be seen. */
function end(id, frame) {
  const entry = index.get(id);
  const { body, head } = bodies.get(entry.trace.traceId);
  let node = body.hidden ? head : document.getElementById(id)?.querySelector(".name");
  if (!body.hidden) {
    for (let i = entry.position; i >= 0; i--) {
      const candidate = document.getElementById(anchor(entry.trace.traceId, entry.trace.spans[i].id));
      if (candidate && !candidate.hidden) { node = candidate.querySelector(".name"); break; }
    }
  }
  const box = node.getBoundingClientRect();
  const left = body.parentElement.getBoundingClientRect().left;
  return { x: left - frame.left, y: box.top + box.height / 2 - frame.top };
}

function drawArrows() {
  drawMapArrows();
  const svg = document.getElementById("arrows");
  const focused = svg.contains(document.activeElement) ? document.activeElement.dataset.link : null;
  svg.replaceChildren();
  const frame = main.getBoundingClientRect();
  const ends = links.map((link) => ({ ...link, a: end(link.from, frame), b: end(link.to, frame) }));
  // Short ones nearest to the cards; a lane is free again below an arrow's end.
  ends.sort((one, two) => Math.abs(one.a.y - one.b.y) - Math.abs(two.a.y - two.b.y));
  const lanes = [];
  for (const link of ends) {
    const [top, bottom] = [Math.min(link.a.y, link.b.y), Math.max(link.a.y, link.b.y)];
    let lane = lanes.findIndex((taken) => taken.every(([from, to]) => bottom < from || top > to));
    if (lane < 0) lane = lanes.push([]) - 1;
    lanes[lane].push([top - 6, bottom + 6]);
    link.lane = lane;
  }
  const gutter = ends[0]?.a.x ?? 0;
  const step = Math.min(9, (gutter - 8) / Math.max(lanes.length, 1));
  for (const link of ends) {
    const { a, b } = link;
    const x = Math.max(gutter - 9 - link.lane * step, 2);
    const down = b.y > a.y ? 1 : -1;
    const r = Math.min(6, Math.abs(b.y - a.y) / 2, gutter - x);
    const path = `M${a.x},${a.y} H${x + r} Q${x},${a.y} ${x},${a.y + down * r} V${b.y - down * r} Q${x},${b.y} ${x + r},${b.y} H${b.x - 3}`;
    const from = index.get(link.from);
    const to = index.get(link.to);
    const text = `Link: ${place(to.trace)} follows ${from.span.name} of ${place(from.trace)}`;
    const name = `${link.from} ${link.to}`;
    const node = shape("a", { class: link.relation, href: `#${link.from}`, tabindex: "0", "aria-label": text, "data-link": name },
      shape("title", {}, text),
      shape("path", { class: "hit", d: path }),
      shape("path", { class: "line", d: path }),
      shape("path", { class: "tip", d: `M${b.x},${b.y} l-8,-4.5 v9 z` }));
    node.addEventListener("click", (event) => {
      event.preventDefault();
      // To the span that is linked to; from there back to the one that links.
      go(chosen === link.from ? link.to : link.from);
    });
    svg.append(node);
    if (name === focused) node.focus();
  }
}
