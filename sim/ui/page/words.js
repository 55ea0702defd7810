// Puts words and numbers where the page has room for them. Everything is text: nothing that was sent becomes markup.

import { Refused } from "./server.js";

export const at = (id) => document.getElementById(id);

export function complain(error) {
  const problems = error instanceof Refused ? error.problems : [{ place: "", message: String(error) }];
  const list = document.createElement("ul");
  for (const { place, message } of problems) {
    const item = document.createElement("li");
    if (place) {
      const code = document.createElement("code");
      code.textContent = `${place}: `;
      item.append(code);
    }
    item.append(message);
    list.append(item);
  }
  at("problems").replaceChildren(list);
}

export const calm = () => at("problems").replaceChildren();
export const say = (words) => { at("done").textContent = words; };
function cells(row, tag, items) {
  for (const [place, item] of items.entries()) {
    const cell = document.createElement(place === 0 ? "th" : tag);
    if (place === 0) cell.scope = tag === "th" ? "col" : "row";
    cell.textContent = item;
    row.append(cell);
  }
  return row;
}

export function fill(table, head, rows) {
  const top = document.createElement("thead");
  cells(top.insertRow(), "th", head);
  const body = document.createElement("tbody");
  for (const row of rows) cells(body.insertRow(), "td", row);
  table.replaceChildren(top, body);
}

export function tiles(now, pinned) {
  at("tiles").replaceChildren(...now.map((tile) => {
    const item = document.createElement("li");
    item.className = tile.mood;
    const value = Object.assign(document.createElement("b"), { textContent: tile.text });
    const label = Object.assign(document.createElement("span"), { textContent: tile.label });
    item.append(value, label);
    const was = pinned?.find((each) => each.label === tile.label);
    if (was) item.append(Object.assign(document.createElement("span"), { className: "was", textContent: `pinned: ${was.text}` }));
    return item;
  }));
}

export function table(points) {
  const money = (value) => (value === null ? "-" : `$${Math.round(value).toLocaleString("en-US")}`);
  const seconds = (value) => (value === null ? "-" : `${+value.toPrecision(3)} s`);
  const priced = points.some((point) => point.slowness_usd_per_day !== null);
  const head = ["size", "fleet a day", ...(priced ? ["slowness a day"] : []), "p99 wait", "mean wait", "objectives"];
  const kept = (met) => (met.length === 0 ? "-" : met.every((each) => each !== false) ? "kept" : "missed");
  fill(at("curve-table"), head, points.map((point) => [
    point.replicas, money(point.usd_per_day), ...(priced ? [money(point.slowness_usd_per_day)] : []),
    seconds(point.wait_s_p99), seconds(point.wait_s_mean), kept(point.met),
  ]));
}
