// Units and alerts, and the one sentence that sums both up.
import { byId, element, setText } from "./dom.js";
import { DASH } from "./format.js";

// Rebuilds a list only where its content changed.
function showList(list, rows, make, nothing) {
  const key = JSON.stringify(rows);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...(rows === null ? [element("li", { class: "none" }, DASH)] : rows.length ? rows.map(make) : [nothing()]));
}

function unit(row) {
  return element(
    "li",
    { "data-level": row.level },
    element("span", { class: "name" }, row.name),
    element("span", { class: "host" }, row.host),
    element("span", { class: "state" }, row.level === "resting" ? "at rest" : row.state),
  );
}

function alert(row) {
  return element(
    "li",
    { "data-severity": row.state === "firing" ? row.severity : "pending" },
    element("strong", {}, row.name),
    element("span", { class: "tag" }, row.state === "firing" ? row.severity : "pending"),
    element("span", { class: "about" }, row.about),
    element("p", {}, row.summary),
    row.action ? element("p", { class: "action" }, row.action) : null,
  );
}

export function showHealth(tiles, old) {
  showList(byId("units"), tiles.units.rows, unit, () => element("li", { class: "none" }, "no unit is reported"));
  showList(byId("alerts"), tiles.alerts.rows, alert, () => element("li", { class: "none good" }, "No alert."));
  const verdict = byId("verdict");
  const [level, text] = sum(tiles, old);
  setText(verdict, text);
  if (verdict.dataset.level !== level) verdict.dataset.level = level;
}

function sum(tiles, old) {
  if (old) return ["unknown", "Health unknown: " + (tiles.units.why || tiles.alerts.why || "no fresh reading")];
  const down = (tiles.units.rows || []).filter((row) => row.level === "down");
  const firing = (tiles.alerts.rows || []).filter((row) => row.state === "firing");
  const parts = [];
  if (down.length) parts.push(down.length === 1 ? `${down[0].name} on ${down[0].host} is ${down[0].state}` : `${down.length} units are down`);
  if (firing.length) parts.push(firing.length === 1 ? `alert: ${firing[0].name}` : `${firing.length} alerts`);
  const working = tiles.about.operations.map((verb) => `${verb} is running`);
  const bad = down.length || firing.some((row) => row.severity === "critical");
  if (parts.length) return [bad ? "down" : "changing", [...parts, ...working].join("; ")];
  return ["up", ["Every unit runs, no alert", ...working].join("; ")];
}

export function showAbout(about) {
  const parts = [about.database, `Kafka at ${about.kafka}`, `model ${about.model}`, ...about.builds];
  const pages = `${about.pages} ${about.pages === 1 ? "page" : "pages"} open` + (about.dropped ? `, ${about.dropped} updates dropped` : "");
  setText(byId("about"), [...parts.filter(Boolean), pages].join("  ·  "));
}
