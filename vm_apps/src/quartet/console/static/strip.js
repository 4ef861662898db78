// The strip: five stages from the producers to Spark, each with its rate, how far it is behind, and its units.
import { remember } from "./ages.js";
import { byId, element, setClass, setText } from "./dom.js";
import { DASH, count, rate, seconds } from "./format.js";

const STAGES = {
  producer: { title: "Producers", unit: "images/s sent", detail: () => "acknowledged by Kafka" },
  kafka: { title: "Kafka", unit: "images/s in", detail: replication },
  inference: { title: "Inference", unit: "images/s", detail: behind },
  database: { title: "Database", unit: "images/s stored", detail: behind },
  spark: { title: "Spark stream", unit: "inferences/s", detail: behind },
};
const cells = new Map();

function behind(row) {
  if (row.behind === null && row.unread === null) return `${DASH} behind`;
  const unread = row.unread === null ? "" : `, ${count(row.unread)} unread`;
  return `${seconds(row.behind)} behind${unread}`;
}

function replication(row) {
  if (row.brokers === null) return `${DASH} brokers`;
  const brokers = `${count(row.brokers)} ${row.brokers === 1 ? "broker" : "brokers"}`;
  return row.under_replicated ? `${brokers}, ${count(row.under_replicated)} partitions under-replicated` : brokers;
}

function build() {
  const strip = byId("strip");
  for (const [name, stage] of Object.entries(STAGES)) {
    const value = element("span", { class: "big" }, DASH);
    const detail = element("p", { class: "detail" }, DASH);
    const units = element("p", { class: "unit-state" }, DASH);
    const card = element(
      "article",
      { class: "card stage", "data-stage": name, "aria-label": stage.title },
      element("div", { class: "head" }, element("h2", {}, stage.title), element("span", { class: "age", "data-age": `stage-${name}` })),
      element("p", { class: "figure" }, value, element("span", { class: "per" }, stage.unit)),
      detail,
      units,
    );
    cells.set(name, { card, value, detail, units });
    strip.append(card);
  }
}

export function showStrip(tile) {
  setText(byId("strip-note"), tile.why ? `${DASH} ${tile.why}` : "");
  if (!cells.size) build();
  for (const row of tile.rows) {
    const { card, value, detail, units } = cells.get(row.stage);
    setText(value, rate(row.rate));
    setText(detail, STAGES[row.stage].detail(row));
    setText(units, row.units ? row.units.text : `${DASH} units`);
    remember(`stage-${row.stage}`, row);
    const level = row.units ? row.units.level : "unknown";
    if (card.dataset.level !== level) card.dataset.level = level;
    setClass(card, "flowing", row.rate > 0);
    setClass(card, "late", row.behind > 60);
  }
}
