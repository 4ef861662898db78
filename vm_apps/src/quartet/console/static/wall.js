// The wall: 24 places. A new picture takes the place of the oldest one shown, so nothing moves; memory is bounded by POOL.
import { why } from "./ages.js";
import { byId, element, setText } from "./dom.js";
import { percent } from "./format.js";

const POOL = 240;
let cells = [];
let pool = [];
let producers = [];
let paused = false;

export function describe(row) {
  const truth = row.truth === null ? "has no label" : row.wrong ? `is ${row.truth}, wrong` : `is ${row.truth}, right`;
  return `predicted ${row.prediction}, ${truth}, ${percent(row.confidence)} sure, producer ${row.producer}`;
}

function build(size, onOpen) {
  cells = Array.from({ length: size }, () => {
    const image = element("img", { width: 32, height: 32, alt: "", hidden: true });
    const frame = element("span", { class: "frame" }, image, element("span", { class: "missing" }, ""));
    const prediction = element("span", { class: "prediction" }, "–");
    const sure = element("span", { class: "sure" });
    const truth = element("span", { class: "truth" });
    const button = element("button", { type: "button", disabled: true }, frame, element("span", { class: "line" }, prediction, sure), truth);
    const cell = { image, button, prediction, sure, truth, missing: frame.lastChild, row: null };
    button.addEventListener("click", () => cell.row && onOpen(cell.row));
    image.addEventListener("animationend", () => image.classList.remove("new"));
    byId("wall").append(element("li", {}, button));
    return cell;
  });
}

function clear(cell) {
  cell.row = null;
  cell.button.disabled = true;
  cell.button.dataset.state = "empty";
  cell.image.hidden = true;
  cell.image.removeAttribute("src");
  setText(cell.missing, "");
  setText(cell.prediction, "–");
  setText(cell.sure, "");
  setText(cell.truth, "");
}

function fill(cell, row) {
  cell.row = row;
  cell.button.disabled = false;
  cell.button.dataset.state = row.truth === null ? "unlabelled" : row.wrong ? "wrong" : "right";
  cell.image.alt = describe(row);
  setText(cell.prediction, row.prediction);
  setText(cell.sure, percent(row.confidence));
  setText(cell.truth, row.truth === null ? "no label" : row.wrong ? `✗ is ${row.truth}` : "✓ right");
  showImage(cell);
}

function showImage(cell) {
  const { row, image, missing } = cell;
  setText(missing, row.stored ? "" : why("images") ? "–" : "not stored yet");
  image.hidden = !row.stored;
  if (!row.stored) image.removeAttribute("src");
  else if (!image.src.endsWith(`/image/${row.id}.png`)) {
    image.classList.add("new");
    image.src = `/image/${encodeURIComponent(row.id)}.png`;
  }
}

function wanted(row) {
  const producer = byId("producer").value;
  return (!producer || String(row.producer) === producer) && (!byId("only-wrong").checked || row.wrong);
}

// Fills every place anew, from the newest pictures that the filter lets through.
function refill() {
  const shown = pool.filter(wanted).slice(-cells.length);
  cells.forEach((cell, place) => (shown[place] ? fill(cell, shown[place]) : clear(cell)));
}

function replaceOldest(row) {
  const oldest = cells.reduce((one, other) => ((other.row?.place ?? -1) < (one.row?.place ?? -1) ? other : one));
  fill(oldest, row);
}

let place = 0;

function keep(row) {
  row.place = place++;
  pool.push(row);
  if (pool.length > POOL) pool = pool.slice(-POOL);
}

export function startWall(size, rows, onOpen) {
  if (!cells.length) {
    build(size, onOpen);
    for (const id of ["producer", "only-wrong"]) byId(id).addEventListener("change", refill);
    byId("pause").addEventListener("click", (event) => {
      paused = !paused;
      event.currentTarget.setAttribute("aria-pressed", String(paused));
      setText(event.currentTarget, paused ? "Go on" : "Pause");
      if (!paused) refill();
    });
  }
  const known = new Map(pool.map((row) => [row.id, row]));
  for (const row of rows) {
    const before = known.get(row.id);
    if (before) before.stored ||= row.stored;
    else keep(row);
  }
  if (!paused) refill();
}

export function addPictures(rows) {
  // a page that has just begun knows some of them from its snapshot
  const known = new Set(pool.map((row) => row.id));
  markStored(rows.filter((row) => row.stored && known.has(row.id)).map((row) => row.id));
  for (const row of rows.filter((other) => !known.has(other.id))) {
    keep(row);
    if (!paused && wanted(row)) replaceOldest(row);
  }
}

export function markStored(ids) {
  const found = new Set(ids);
  for (const row of pool) if (found.has(row.id)) row.stored = true;
  for (const cell of cells) if (cell.row && found.has(cell.row.id)) showImage(cell);
}

export function offerProducers(ids) {
  if (JSON.stringify(ids) === JSON.stringify(producers)) return;
  producers = ids;
  const select = byId("producer");
  const chosen = select.value;
  select.replaceChildren(element("option", { value: "" }, "all"), ...ids.map((id) => element("option", { value: id }, String(id))));
  select.value = ids.map(String).includes(chosen) ? chosen : "";
  select.closest("label").hidden = ids.length < 2;
}

export function newest() {
  return pool.length ? Math.max(...pool.slice(-24).map((row) => row.at)) : null;
}
