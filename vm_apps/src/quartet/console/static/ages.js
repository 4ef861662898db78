// The age of every tile. The server says at which of its own times a value was read, so a wrong clock of this machine does not matter.
import { setClass, setText } from "./dom.js";
import { DASH, seconds } from "./format.js";

export const OLD_SECONDS = 10;
const read = new Map();
let serverNow = null;
let heardAt = 0;

export function heard(now) {
  serverNow = now;
  heardAt = performance.now();
}

// What the server's clock says at this moment.
export function now() {
  return serverNow === null ? null : serverNow + (performance.now() - heardAt) / 1000;
}

export function silence() {
  return serverNow === null ? Infinity : (performance.now() - heardAt) / 1000;
}

export function remember(name, tile) {
  read.set(name, tile);
}

// What is said of a tile that is not up to date.
export function why(name) {
  return read.get(name)?.why || null;
}

export function age(name) {
  const at = read.get(name)?.at;
  return at === null || at === undefined || now() === null ? null : Math.max(0, now() - at);
}

function whole(value) {
  return value < 120 ? `${Math.round(value)} s` : seconds(value);
}

export function showAges() {
  for (const label of document.querySelectorAll("[data-age]")) {
    const name = label.dataset.age;
    const value = age(name);
    const old = value === null || value > OLD_SECONDS;
    setText(label, value === null ? DASH : value < 1.5 ? "now" : `${whole(value)} ago`);
    label.title = read.get(name)?.why || (value === null ? "not read yet" : `read ${whole(value)} ago`);
    setClass(label.closest(".card"), "old", old);
  }
  for (const note of document.querySelectorAll("[data-why]")) setText(note, read.get(note.dataset.why)?.why || "");
}
