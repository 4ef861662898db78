// The table: one row per producer, from what it sent to what was counted wrong.
import { byId, element, setText } from "./dom.js";
import { clock, count, share } from "./format.js";

const COLUMNS = [
  ["sent", "sent", "acknowledged by Kafka, by its last process", (row) => count(row.sent)],
  ["stored", "stored", "images in the database", (row) => count(row.stored)],
  ["inferred", "inferred", "inferences of this model in the database", (row) => count(row.inferred)],
  ["pending", "pending", "stored and not yet classified", (row) => count(row.pending)],
  ["wrong_stream", "wrong, stream", "counted by Spark's stream", (row) => count(row.wrong_stream)],
  ["wrong_batch", "wrong, batch", "counted by Spark's batch", (row) => count(row.wrong_batch)],
  ["share", "share", "wrong of all that are counted", (row) => share(row.share)],
];
const rows = new Map();
let body = null;

function build() {
  const head = COLUMNS.map(([, name, meaning]) => element("th", { scope: "col", title: meaning }, name));
  body = element("tbody");
  byId("producers").append(element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "producer"), ...head)), body);
}

function rowOf(id) {
  let found = rows.get(id);
  if (!found) {
    const bar = element("meter", { min: 0, max: 1, value: 0, "aria-hidden": "true" });
    const values = new Map(COLUMNS.map(([name]) => [name, element("span")]));
    const cells = COLUMNS.map(([name]) => element("td", { "data-column": name }, name === "share" ? bar : null, values.get(name)));
    found = { row: element("tr", {}, element("th", { scope: "row" }, String(id)), ...cells), values, bar };
    rows.set(id, found);
    const after = [...rows.keys()].filter((other) => other > id).sort((one, other) => one - other)[0];
    body.insertBefore(found.row, after === undefined ? null : rows.get(after).row);
  }
  return found;
}

export function showProducers(tile) {
  if (!body) build();
  const listed = tile.rows || [];
  for (const row of listed) {
    const { values, bar } = rowOf(row.id);
    for (const [name, , , text] of COLUMNS) setText(values.get(name), text(row));
    bar.value = row.share || 0;
    values.get("wrong_batch").title = row.batch_at ? `counted at ${clock(row.batch_at)}` : "not counted yet";
  }
  for (const [id, { row }] of rows) {
    if (!listed.some((other) => other.id === id)) {
      row.remove();
      rows.delete(id);
    }
  }
  return listed.map((row) => row.id);
}
