// Ties the stream to what is on the page.
import { OLD_SECONDS, age, heard, remember, showAges, silence } from "./ages.js";
import { showCharts, watchCharts } from "./charts.js";
import { byId, setClass, setText } from "./dom.js";
import { showAbout, showHealth } from "./health.js";
import { showProducers } from "./producers.js";
import { SILENT_SECONDS, Stream } from "./stream.js";
import { showStrip } from "./strip.js";
import { openTrace } from "./trace.js";
import { addPictures, markStored, offerProducers, startWall } from "./wall.js";

let trouble = null;

function showTiles(tiles) {
  heard(tiles.now);
  for (const name of ["stages", "producers", "units", "alerts", "tail", "images"]) remember(name, tiles[name]);
  showStrip(tiles.stages);
  offerProducers(showProducers(tiles.producers));
  shown = tiles;
  showVerdict();
  showAbout(tiles.about);
  showAges();
}

function showChartsTile(content) {
  remember("charts", content);
  showCharts(content);
}

let shown = null;

// What is old says nothing about the present.
function showVerdict() {
  if (shown) showHealth(shown, Math.max(age("units") ?? Infinity, age("alerts") ?? Infinity) > OLD_SECONDS);
}

function showBanner() {
  const quiet = silence();
  const late = quiet > SILENT_SECONDS && quiet < Infinity ? `No news from the console for ${Math.round(quiet)} s.` : null;
  const text = trouble || late;
  byId("banner").hidden = !text;
  setText(byId("banner"), text || "");
  setClass(document.body, "broken", Boolean(text));
}

const handlers = {
  snapshot(content) {
    showTiles(content.tiles);
    showChartsTile(content.charts);
    startWall(content.size, content.wall, openTrace);
  },
  tiles: showTiles,
  charts: showChartsTile,
  pictures: (content) => addPictures(content.rows),
  stored: (content) => markStored(content.ids),
};

watchCharts();
new Stream(handlers, (text) => {
  trouble = text;
  showBanner();
});
setInterval(() => {
  showAges();
  showVerdict();
  showBanner();
}, 1000);
