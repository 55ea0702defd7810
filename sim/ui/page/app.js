// The page: one state (a scenario and what was moved of it), one answer, and at most one question under way.

import { draw } from "./charts.js";
import { Watch } from "./jobs.js";
import { build } from "./knobs.js";
import { get, post, Refused, text } from "./server.js";
import { packed, portable } from "./state.js";
import { at, calm, complain, fill, say, table, tiles } from "./words.js";

const client = crypto.randomUUID();
const page = {
  about: null, opened: null, state: null, pinned: null,
  wanted: 0, shown: 0, asking: false, movedAt: 0, answer: null, scene: 0,
};
const long = new Watch();
const comparing = new Watch();
const SLOW = "Working. The first time on a machine the engine is compiled, which takes a minute or two.";
let later = 0;
let dim = null;

const tried = (work) => async (...given) => {
  try {
    await work(...given);
  } catch (error) {
    complain(error);
  }
};

// -- the scenario ------------------------------------------------------------------------------------------------------

async function open(source, moved = {}, pool = null, pinned = null) {
  const opened = await post("/api/open", { source });
  calm();
  await stopJobs();
  page.scene += 1;
  page.opened = opened;
  const known = new Set(opened.knobs.map((knob) => knob.key));
  const lost = Object.keys(moved).filter((key) => !known.has(key));
  if (lost.length) say(`left out, as this scenario has no such slider: ${lost.join(", ")}`);
  const kept = Object.fromEntries(Object.entries(moved).filter(([key]) => known.has(key)));
  page.state = { source, moved: kept, pool: pool ?? opened.pools[0].name };
  page.pinned = null;
  at("name").textContent = opened.name;
  at("description").textContent = opened.description;
  document.title = `${opened.name} - fleetcast`;
  at("pool").replaceChildren(...opened.pools.map(({ name }) => new Option(name, name, false, name === page.state.pool)));
  at("pool-row").hidden = opened.pools.length < 2;
  at("scenario").value = source.kind === "name" ? source.value : source.kind === "given" ? ":given" : ":other";
  showPinned();
  sliders();
  if (pinned) {
    const answer = await look(pinned, 0).catch(() => null);
    if (answer && !answer.long) page.pinned = { state: pinned, answer };
    showPinned();
  }
  ask(performance.now());
}

function sliders() {
  const mine = page.opened.knobs.filter((knob) => !knob.pool || knob.pool === page.state.pool);
  build(at("knobs"), mine, page.state.moved, (knob, value, moment) => {
    if (value === knob.own) delete page.state.moved[knob.key];
    else page.state.moved[knob.key] = value;
    ask(moment);
  });
}

// -- questions and answers ---------------------------------------------------------------------------------------------

const copied = (state) => ({ ...state, moved: { ...state.moved } });
const asking = (path) => (state, number) => post(path, { ...state, client, number });
const look = asking("/api/look");
const curveOf = asking("/api/curve");

// Dimmed only where an answer takes its time: painting charts anew costs as much as a curve.
function dimmedLater() {
  clearTimeout(dim);
  dim = setTimeout(() => {
    at("curve").classList.remove("present");
    document.body.classList.add("behind");
  }, 400);
}

function ask(moment) {
  page.wanted += 1;
  page.movedAt = moment;
  document.body.dataset.now = "working";
  dimmedLater();
  clearTimeout(later);
  if (comparing.running) comparing.cancel().catch(() => {});
  at("comparison").hidden = true;
  pump();
}

async function pump() {
  if (page.asking) return;
  page.asking = true;
  if (long.running) await long.cancel().catch(() => {});
  at("long").hidden = true;
  const number = page.wanted;
  const { movedAt: moment, scene } = page;
  const slow = setTimeout(() => { at("verdict").textContent = SLOW; }, 3000);
  try {
    // first the curve, which needs less, then the rest, unless the slider has moved on
    const curve = page.opened.pools.find(({ name }) => name === page.state.pool)?.size_key ? await curveOf(page.state, number) : null;
    if (curve && !curve.long && scene === page.scene) await showCurve(curve, number, moment);
    if (page.wanted !== number || scene !== page.scene) return;
    const answer = curve?.long ? curve : await look(page.state, number);
    if (answer.long) {
      if (number === page.wanted) later = setTimeout(tried(() => runLong(answer.expected_requests)), 400);
    } else if (scene === page.scene) {
      await show(answer, number, moment);
      calm();
    }
  } catch (error) {
    await refused(error, number);
  } finally {
    clearTimeout(slow);
    page.asking = false;
    if (page.wanted !== number) pump();
  }
}

async function refused(error, number) {
  if (number !== page.wanted || error.status === 409) return;
  if (error.status === 429) await new Promise((done) => setTimeout(done, 600)).then(() => { page.wanted += 1; });
  else {
    complain(error);
    document.body.dataset.now = "refused";
    at("verdict").textContent = "No answer for this; see above.";
    at("verdict").className = "verdict";
  }
}

async function showCurve(curve, number, moment) {
  if (curve.number !== number || number < page.shown) return;
  await draw("curve", curve.plot, page.pinned?.answer.plots.curve);
  table(curve.points);
  if (number !== page.wanted) return;
  at("curve").classList.add("present");
  await new Promise(requestAnimationFrame);
  performance.measure("slider to curve", { start: moment, end: performance.now() });
}

// `whole`: not a part of a curve whose other points are still made.
async function show(answer, number, moment, whole = true) {
  if (answer.number !== number || number < page.shown) return;
  const ghost = page.pinned?.answer.plots;
  await draw("curve", answer.plots.curve, ghost?.curve);
  if (whole && number === page.wanted) {
    clearTimeout(dim);
    document.body.classList.remove("behind");
    at("curve").classList.remove("present");
  }
  page.answer = answer;
  page.shown = number;
  at("verdict").textContent = answer.verdict;
  at("verdict").className = `verdict ${answer.mood}`;
  at("command").textContent = answer.command;
  tiles(answer.tiles, page.pinned?.answer.tiles);
  table(answer.points);
  at("notes").replaceChildren(...answer.notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  await draw("tail", answer.plots.tail, ghost?.tail);
  await draw("timeline", answer.plots.timeline, ghost?.timeline);
  if (number !== page.wanted || !whole) return;
  performance.measure("slider to all charts", { start: moment, end: performance.now() });
  document.body.dataset.shown = number;
  document.body.dataset.now = "shown";
  later = setTimeout(tried(remember), 300);
}

// -- long runs ---------------------------------------------------------------------------------------------------------

async function runLong(requests) {
  const { wanted: number, scene } = page;
  let seen = 0;
  at("long").hidden = false;
  await long.start({ kind: "look", state: page.state }, (job) => {
    progress("long", job);
    at("long-said").textContent = `${Math.round(requests).toLocaleString("en-US")} requests a run or so: ` +
      `${job.done} of ${job.most ?? "?"} runs made`;
    if (number !== page.wanted || scene !== page.scene) return;
    if (job.found && (job.state === "done" || job.done !== seen)) {
      seen = job.done;
      show({ ...job.found, number }, number, page.movedAt, job.state === "done");
    }
    if (job.state === "done") {
      at("long").hidden = true;
    } else if (job.state === "failed") {
      at("long").hidden = true;
      complain(new Refused(422, job.problems));
    }
  });
}

function progress(name, job) {
  const bar = at(`${name}-bar`);
  if (job.most) Object.assign(bar, { max: job.most, value: job.done });
  else bar.removeAttribute("value");
}

async function stopJobs() {
  clearTimeout(later);
  at("long").hidden = at("comparison").hidden = true;
  await Promise.all([long.cancel(), comparing.cancel()]);
}

// -- pin and compare ---------------------------------------------------------------------------------------------------

function showPinned() {
  at("unpin").hidden = page.pinned === null;
  at("compare").disabled = page.pinned === null;
}

async function pin() {
  if (!page.answer || page.shown !== page.wanted) return say("wait for the charts, then pin them");
  page.pinned = { state: copied(page.state), answer: page.answer };
  showPinned();
  tiles(page.answer.tiles, page.pinned.answer.tiles);
  await remember();
  return say("pinned: move a slider to see the difference");
}

async function unpin() {
  page.pinned = null;
  showPinned();
  ask(performance.now());
}

async function compare() {
  at("comparison").hidden = false;
  at("comparison-table").replaceChildren();
  at("comparison-said").textContent = "making the first pairs of runs …";
  await comparing.start({ kind: "compare", baseline: page.pinned.state, other: copied(page.state) }, compared);
}

function compared(job) {
  progress("comparison", job);
  at("comparison-cancel").hidden = at("comparison-bar").hidden = job.state !== "running" && job.state !== "waiting";
  at("comparison").dataset.state = job.state;
  if (job.state === "failed") return complain(new Refused(422, job.problems));
  if (!job.found) return undefined;
  const over = job.state === "done" ? "" : " so far";
  at("comparison-said").textContent = `${job.found.sentence} (${job.found.pairs} pairs of runs${over})`;
  const rows = job.found.rows.map((row) => [row.name, row.baseline, row.other, row.difference, `${row.low} to ${row.high}`]);
  fill(at("comparison-table"), ["metric", "pinned", "present", "difference", "95% interval"], rows);
  at("comparison-table").querySelectorAll("tbody tr").forEach((line, place) => {
    line.classList.toggle("clear", job.found.rows[place].is_distinguishable);
  });
  return undefined;
}

async function cancelComparison() {
  const job = await comparing.cancel();
  if (job) compared(job);
  at("comparison-said").textContent = `cancelled. ${at("comparison-said").textContent}`;
}

// -- save, share, remember ---------------------------------------------------------------------------------------------

async function save() {
  const yaml = await text("/api/scenario", page.state);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([yaml], { type: "application/yaml" }));
  link.download = `${page.opened.name.replaceAll(/[^\w.-]+/g, "-")}.yaml`;
  link.click();
  URL.revokeObjectURL(link.href);
  say(`saved: fleetcast run ${link.download}`);
}

async function remember() {
  const to = (state) => ({ ...state, source: portable(state.source, page.opened.scenario_yaml) });
  const here = { state: copied(page.state), pinned: page.pinned ? copied(page.pinned.state) : null };
  const shared = { version: 1, state: to(here.state), pinned: here.pinned ? to(here.pinned) : null };
  // A reload finds the user's own file or run again, which as text might not be readable (a trace) and is no longer it.
  history.replaceState(here, "", `#s=${await packed(shared)}`);
}

async function share() {
  await remember();
  try {
    await post("/api/open", { source: portable(page.state.source, page.opened.scenario_yaml) });
  } catch (error) {
    if (error.status !== 422) throw error;
    say("no link can hold this scenario, as it names files of this machine: save it as a scenario file");
    return;
  }
  try {
    await navigator.clipboard.writeText(location.href);
    say("the link is in your clipboard; it holds the whole state");
  } catch {
    say("the address of this page is the link; it holds the whole state");
  }
}

async function fromLink() {
  const here = history.state;
  if (here?.state && ["given", "stored"].includes(here.state.source.kind)) {
    try {
      return await open(here.state.source, here.state.moved, here.state.pool, here.pinned);
    } catch (error) {
      if (error.status !== 422) throw error; // it has been taken away: what the link holds is left
    }
  }
  const shared = await post("/api/link", { link: location.hash });
  return open(shared.state.source, shared.state.moved, shared.state.pool, shared.pinned);
}

// -- what there is to open ---------------------------------------------------------------------------------------------

function list(about) {
  const names = about.scenarios.map(({ name }) => new Option(name, name));
  const given = about.given ? [new Option(about.given, ":given")] : [];
  at("scenario").replaceChildren(...given, ...names, new Option("(a file or a stored run)", ":other"));
  at("stored-list").replaceChildren(...about.stored.map((stored) => {
    const item = document.createElement("li");
    item.append(`${stored.name} (${stored.kind}) `);
    if (stored.has_page) {
      const link = Object.assign(document.createElement("a"), { href: `/stored/${stored.id}`, target: "_blank", rel: "noopener", textContent: "report" });
      item.append(link, " ");
    }
    if (stored.has_scenario && stored.kind === "run") {
      const button = Object.assign(document.createElement("button"), { type: "submit", textContent: "move its sliders" });
      button.addEventListener("click", tried(() => open({ kind: "stored", value: stored.id })));
      item.append(button);
    }
    return item;
  }));
  if (!about.stored.length) at("stored-list").append("Nothing is stored below the folder that the server looks at (--outputs).");
}

async function pick() {
  const value = at("scenario").value;
  if (value !== ":other") await open(value === ":given" ? { kind: "given", value: "" } : { kind: "name", value });
}

async function begin() {
  page.about = await get("/api/about");
  list(page.about);
  if (location.hash.startsWith("#s=")) {
    try {
      return await fromLink();
    } catch (error) {
      complain(error);
      at("verdict").textContent = "Pick a scenario to begin with.";
      at("scenario").value = ":other";
      return undefined;
    }
  }
  return open(page.about.first?.source ?? { kind: "name", value: "chat-h100" });
}

at("scenario").addEventListener("change", tried(pick));
at("pool").addEventListener("change", (event) => {
  page.state.pool = at("pool").value;
  sliders();
  ask(event.timeStamp);
});
at("file").addEventListener("change", tried(async () => {
  const [file] = at("file").files;
  if (file) await open({ kind: "text", value: await file.text() });
  at("file").value = "";
}));
at("paste").addEventListener("click", () => at("paste-box").showModal());
at("paste-open").addEventListener("click", tried(() => open({ kind: "text", value: at("paste-text").value })));
at("stored").addEventListener("click", tried(async () => {
  list(await get("/api/about"));
  at("stored-box").showModal();
}));
at("reset").addEventListener("click", (event) => { page.state.moved = {}; sliders(); ask(event.timeStamp); });
at("pin").addEventListener("click", tried(pin));
at("unpin").addEventListener("click", tried(unpin));
at("compare").addEventListener("click", tried(compare));
at("comparison-cancel").addEventListener("click", tried(cancelComparison));
at("long-cancel").addEventListener("click", tried(async () => {
  await long.cancel();
  at("long").hidden = true;
  at("verdict").textContent = "Cancelled: move a slider to ask again.";
}));
at("save").addEventListener("click", tried(save));
at("share").addEventListener("click", tried(share));
addEventListener("hashchange", tried(async () => { if (location.hash.startsWith("#s=")) await fromLink(); }));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address holds the state
  at("top").focus();
});
tried(begin)();
