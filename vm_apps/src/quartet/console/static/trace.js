// One image's way through the pipeline, in a dialog.
import { byId, element, setText } from "./dom.js";
import { seconds } from "./format.js";
import { describe } from "./wall.js";

function moment(microseconds) {
  const at = new Date(microseconds / 1000);
  return `${at.toLocaleDateString("en-GB")} ${at.toLocaleTimeString("en-GB")}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function steps(found) {
  const begin = found.steps.find((step) => step.at)?.at;
  return element(
    "ol",
    { class: "steps" },
    ...found.steps.map((step) =>
      element(
        "li",
        {},
        element("strong", {}, step.name),
        element("span", { class: "when" }, step.at ? (step.at === begin ? moment(step.at) : `+${seconds((step.at - begin) / 1e6)}`) : ""),
        element("span", { class: "what" }, step.detail),
      ),
    ),
  );
}

export async function openTrace(row) {
  const dialog = byId("trace");
  setText(byId("trace-title"), row.id);
  const image = row.stored ? element("img", { src: `/image/${encodeURIComponent(row.id)}.png`, width: 32, height: 32, alt: describe(row) }) : null;
  const answer = element("div", { "aria-live": "polite" }, "asking the database …");
  byId("trace-body").replaceChildren(element("div", { class: "trace" }, image || element("span", { class: "missing" }, "not stored yet"), answer));
  if (!dialog.open) dialog.showModal();
  try {
    const found = await (await fetch(`/trace/${encodeURIComponent(row.id)}`)).json();
    answer.replaceChildren(...(found.steps ? [steps(found), element("p", { class: "note" }, found.left_out)] : [found.why]));
  } catch {
    answer.replaceChildren("The console does not answer.");
  }
}
