"use strict";
(() => {
  const began = performance.now();
  const read = (id, from = document) => JSON.parse(from.getElementById(id).textContent);
  const report = read("report");
  let beside = read("report-beside");
  const root = document.documentElement;
  const darkScreen = matchMedia("(prefers-color-scheme: dark)");
  const holders = [...document.querySelectorAll("[data-plot]")];

  // ---- Colours stand in the plots as var(--name): put in what the page's theme says now.
  const painted = (node, style) => {
    if (typeof node === "string") {
      const name = /^var\((--[a-z0-9-]+)\)$/.exec(node);
      return name ? style.getPropertyValue(name[1]).trim() : node;
    }
    if (Array.isArray(node)) {
      const numbers = typeof node[0] === "number" && typeof node.at(-1) !== "string"; // a colour scale ends in colours
      return numbers ? node : node.map((item) => painted(item, style));
    }
    if (node !== null && typeof node === "object") {
      return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, painted(item, style)]));
    }
    return node;
  };

  const AXIS = { gridcolor: "var(--rule)", linecolor: "var(--rule)", zeroline: false, automargin: true, title: { standoff: 8 } };
  const COMMON = {
    autosize: true, hovermode: "x unified", showlegend: true,
    paper_bgcolor: "transparent", plot_bgcolor: "transparent",
    font: { family: "system-ui, Segoe UI, Roboto, DejaVu Sans, sans-serif", size: 12.5, color: "var(--muted)" },
    hoverlabel: { bgcolor: "var(--card)", bordercolor: "var(--rule)", font: { color: "var(--text)" } },
  };
  const axes = (layout) => Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name));

  const laidOut = (plot, narrow) => {
    const legend = { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", bgcolor: "transparent" };
    const margin = narrow ? { l: 48, r: 6, t: 8, b: 40 } : { l: 64, r: 16, t: 12, b: 44 };
    const layout = { ...COMMON, margin, ...plot.layout, legend: { ...legend, ...plot.layout.legend } };
    for (const key of axes(plot.layout)) {
      layout[key] = { ...AXIS, ...plot.layout[key], title: { ...AXIS.title, ...plot.layout[key].title } };
    }
    return layout;
  };

  const PAPER_PX = 650; // what a sheet of A4 or Letter has room for: paper is laid out after the pictures are drawn
  let printing = false;
  const drawOn = (holder, plot) => {
    const style = getComputedStyle(root);
    const layout = painted(laidOut(plot, holder.clientWidth < 480), style);
    if (printing) layout.width = Math.min(holder.clientWidth, PAPER_PX);
    Plotly.react(holder, painted(plot.data, style), layout, { responsive: true, displaylogo: false, displayModeBar: false });
    holder.dataset.drawn = "yes";
  };

  // ---- Two reports with the same axes: times in the first one's unit, and each range is made to hold both.
  const UNITS_S = { seconds: 1, minutes: 60, hours: 3600, days: 86400 };
  const unit = (plot) => UNITS_S[/^(\w+) into the run$/.exec(plot.layout.xaxis?.title?.text)?.[1]];
  const inUnitOf = (plot, first) => {
    const times = unit(plot) / unit(first);
    if (!times || times === 1) return plot;
    const x = (value) => (value === null ? null : value * times);
    const shape = (one) => (one.xref === "x" ? { ...one, x0: x(one.x0), x1: x(one.x1) } : one);
    return {
      data: plot.data.map((trace) => ({ ...trace, x: trace.x.map(x) })),
      layout: {
        ...plot.layout, xaxis: { ...first.layout.xaxis, range: plot.layout.xaxis.range.map(x) },
        shapes: (plot.layout.shapes || []).map(shape),
      },
    };
  };

  const meet = (one, other) => {
    const [left, right] = [one._fullLayout, other._fullLayout];
    const change = {};
    for (const key of axes(left)) {
      const [a, b] = [left[key], right[key]];
      if (!a || !b || a.type !== b.type || a.type === "category") continue;
      const low = Math.min(a.range[0], b.range[0]), high = Math.max(a.range[1], b.range[1]);
      change[`${key}.range`] = [low, high];
      const wider = a.range[1] - a.range[0] >= b.range[1] - b.range[0] ? a : b;
      if (a.tickvals && b.tickvals) Object.assign(change, { [`${key}.tickvals`]: wider.tickvals, [`${key}.ticktext`]: wider.ticktext });
      else if (low < a.range[0] || high > a.range[1]) Object.assign(change, { [`${key}.tickmode`]: "auto", [`${key}.dtick`]: null });
    }
    for (const holder of [one, other]) Plotly.relayout(holder, change);
  };

  const second = (holder) => holder.parentElement.querySelector("[data-beside]");

  const draw = (holder) => {
    const key = holder.dataset.plot;
    drawOn(holder, report.plots[key]);
    const other = second(holder);
    if (!other) return;
    try {
      drawOn(other, inUnitOf(beside.plots[key], report.plots[key]));
      meet(holder, other);
    } catch {
      forget();
      say("The other report holds pictures that cannot be drawn.");
    }
  };

  // ---- What is in sight is drawn at once, the rest when there is time, all of it before the page is printed.
  const waiting = new Set(holders);
  const drawn = (holder) => {
    if (!waiting.delete(holder)) return;
    draw(holder);
    if (!waiting.size) {
      root.dataset.drawnMs = String(Math.round(performance.now() - began));
      root.dataset.drawnAtMs = String(Math.round(performance.now())); // since the page was asked for
      root.dataset.drawn = "all";
    }
  };
  const later = window.requestIdleCallback || ((work) => setTimeout(work, 30));
  const next = () => {
    const [holder] = waiting;
    if (!holder) return;
    drawn(holder);
    later(next);
  };
  if (!holders.length) root.dataset.drawn = "all";
  for (const holder of holders) {
    if (holder.getBoundingClientRect().top < innerHeight) drawn(holder);
  }
  later(next);

  const again = () => { for (const holder of holders) { if (!waiting.has(holder)) draw(holder); } };
  const themed = (name) => { root.dataset.theme = name; again(); };
  darkScreen.addEventListener("change", (screen) => themed(screen.matches ? "dark" : "light"));
  document.getElementById("theme").addEventListener("click", () => themed(root.dataset.theme === "dark" ? "light" : "dark"));
  let onScreen = root.dataset.theme;
  addEventListener("beforeprint", () => {
    onScreen = root.dataset.theme;
    printing = true;
    for (const holder of [...waiting]) drawn(holder);
    themed("light");
  });
  addEventListener("afterprint", () => {
    printing = false;
    themed(onScreen);
  });

  // ---- The numbers behind a picture, as tables, for whoever cannot see it or wants them.
  const MOST_ROWS = 400;
  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const listed = (value) => (value === null || value === undefined ? "" : String(value));
  // Of a heatmap its shares where it has them apart from its shades, and no empty cell.
  const grid = (trace) => (trace.customdata || trace.z).flatMap((row, place) => row
    .map((value, at) => [listed(trace.x[at]), listed(trace.y[place]), listed(value)]).filter(([, , value]) => value !== ""));
  const rowsOf = (trace) => {
    if (trace.z) return { head: ["x", "y", "value"], rows: grid(trace) };
    const [x, y] = [trace.x || [], trace.y || []];
    const told = Array.isArray(trace.text) ? trace.text : null;
    return {
      head: ["x", "y", ...(told ? ["in words"] : [])],
      rows: x.map((at, place) => [listed(at), listed(y[place]), ...(told ? [listed(told[place])] : [])]),
    };
  };
  const sheet = (trace) => {
    const { head, rows } = rowsOf(trace);
    const step = Math.ceil(rows.length / MOST_ROWS);
    const kept = rows.filter((_, place) => place % step === 0);
    const name = trace.name || "values";
    const table = element("table");
    table.append(element("caption", step > 1 ? `${name} (one row in ${step})` : name));
    const heading = table.createTHead().insertRow();
    for (const text of head) heading.append(element("th", text, { scope: "col" }));
    const body = table.createTBody();
    for (const row of kept) { const line = body.insertRow(); for (const text of row) line.append(element("td", text)); }
    const box = element("div", undefined, { class: "sheet", role: "region", tabindex: "0", "aria-label": name });
    box.append(table);
    return box;
  };
  for (const details of document.querySelectorAll("[data-numbers]")) {
    details.addEventListener("toggle", () => {
      if (!details.open || details.childElementCount > 1) return;
      for (const trace of report.plots[details.dataset.numbers].data) details.append(sheet(trace));
    });
  }

  // ---- Another report beside this one.
  const tile = (of) => {
    const item = element("li", undefined, { class: of.mood });
    item.append(element("b", of.value), element("span", of.label));
    if (of.around) item.append(element("small", of.around));
    return item;
  };
  const say = (text) => document.getElementById("beside").replaceChildren(element("p", text, { class: "note" }));
  const forget = () => {
    beside = null;
    delete root.dataset.beside;
    for (const holder of holders) second(holder)?.remove();
    again(); // on their own axes
  };
  const showBeside = (found) => {
    beside = found;
    const box = document.getElementById("beside");
    const verdict = element("div", undefined, { class: `verdict ${["good", "bad"].includes(found.mood) ? found.mood : "plain"}` });
    verdict.append(element("p", found.verdict));
    if (found.confidence) verdict.append(element("p", found.confidence, { class: "confidence" }));
    const tiles = element("ul", undefined, { class: "tiles" });
    tiles.append(...found.tiles.map(tile));
    box.replaceChildren(element("h2", `Beside it: ${found.title}`), element("p", found.facts.join(" · "), { class: "facts" }), verdict, tiles);
    root.dataset.beside = "yes";
    for (const holder of holders) {
      second(holder)?.remove();
      if (!found.plots[holder.dataset.plot]) continue;
      const other = element("div", undefined, { class: "plot", role: "img", "aria-label": `${holder.getAttribute("aria-label")} (${found.title})` });
      other.dataset.beside = holder.dataset.plot;
      holder.after(other);
    }
    for (const holder of holders) if (!waiting.has(holder)) draw(holder);
  };
  const isReport = (found) => found && found.format === "fleetcast-report" && typeof found.plots === "object";
  document.getElementById("beside-file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      const other = new DOMParser().parseFromString(await file.text(), "text/html");
      const found = read("report", other);
      if (!isReport(found)) throw new Error("not a report");
      showBeside(found);
    } catch {
      forget();
      say(`${file.name} is not a report of fleetcast.`);
    }
  });
  if (isReport(beside)) showBeside(beside);
})();
