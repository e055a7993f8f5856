// The moment that is shown, in the address: so that a slide or an assignment can link to it.
//
//   #k=5&draw=2&step=7&show=changed&only=1&pixel=10.20&vs=random.3&hide=curve,pixel&present
//
// The start is one of seed=1, draw=2, random=3, run=1 (of those that Python recorded), dark, or
// centers=10.20_30.40 (row and column of each). `vs` is the start of a second run.

const PANELS = ["colors", "curve", "pixel", "six", "table", "tools"];

const written = (pixel) => placeOf(pixel).join(".");

function readPixel(part) {
  const [row, column] = part.split(".").map(Number);
  return Number.isInteger(row) && Number.isInteger(column) ? pixelAt(row, column) : null;
}

function writeStart({ kind, number, pixels }) {
  if (kind === "own") return `centers.${pixels.map(written).join("_")}`;
  return kind === "dark" ? "dark" : `${kind === "recorded" ? "run" : kind}.${number}`;
}

// Read a start, or null if there is no such start.
function readStart(kind, value) {
  const number = Number(value || 1);
  switch (kind) {
    case "run":
      return data.runs[number] ? { kind: "recorded", number } : null;
    case "seed": {
      const recorded = data.runs.findIndex(
        ({ seed, space, init }) => seed === number && space !== "lab" && init === "k-means++",
      );
      if (recorded >= 0) return { kind: "recorded", number: recorded };
      return data.starts.some(({ seed }) => seed === number) ? { kind, number } : null;
    }
    case "draw":
    case "random":
      return Number.isInteger(number) && number > 0 ? { kind, number } : null;
    case "dark":
      return { kind };
    case "centers": {
      const pixels = (value || "").split("_").map(readPixel);
      return { kind: "own", pixels: pixels.filter((pixel) => pixel !== null) };
    }
    default:
      return null;
  }
}

function address() {
  const parts = [];
  const { start, k } = runs[0];
  const first = !isRecorded(start) || start.number !== 0;
  if (k !== data.k && start.kind !== "own") parts.push(`k=${k}`);
  if (first) parts.push(writeStart(start).replace(".", "="));
  if (runs[1]) parts.push(`vs=${writeStart(runs[1].start)}`);
  if (state.at > 0) parts.push(`step=${state.at + 1}`);
  if (state.mode !== "segments") parts.push(`show=${state.mode}`);
  if (state.only !== null) parts.push(`only=${state.only}`);
  if (state.pinned) parts.push(`pixel=${written(state.pixel)}`);
  if (state.zoom) parts.push("zoom");
  if (state.hide.length) parts.push(`hide=${state.hide.join(",")}`);
  if (state.present) parts.push("present");
  return parts.join("&");
}

function readAddress() {
  const wish = new Map(
    decodeURIComponent(location.hash.slice(1))
      .split("&")
      .filter(Boolean)
      .map((part) => part.split(/=(.*)/s).slice(0, 2)),
  );
  const live = data.live;
  const k = Number(wish.get("k"));
  if (live && Number.isInteger(k) && k >= 1) {
    state.k = Math.min(k, Math.max(K_MOST, data.k), photo.members.length);
  } else if (photo.original) state.k = data.k;
  const kind = ["run", "seed", "draw", "random", "dark", "centers"].find((one) => wish.has(one));
  const start = (live && kind && readStart(kind, wish.get(kind))) || { kind: "recorded", number: 0 };
  if (start.kind === "own" && start.pixels.length) state.k = start.pixels.length;
  const [, other, number] = /^(\w+)\.?(.*)$/.exec(wish.get("vs") ?? "") ?? [];
  const second = live && other ? readStart(other, number) : null;
  state.starts = second ? [start, second] : [start];
  const step = Number(wish.get("step"));
  if (["original", "segments", "changed"].includes(wish.get("show"))) {
    state.mode = wish.get("show");
  }
  const only = Number(wish.get("only"));
  state.only = wish.has("only") && Number.isInteger(only) && only < state.k ? only : null;
  state.pixel = wish.has("pixel") ? readPixel(wish.get("pixel")) : null;
  state.pinned = state.pixel !== null;
  state.zoom = wish.has("zoom");
  state.hide = (wish.get("hide") ?? "").split(",").filter((name) => PANELS.includes(name));
  state.present = wish.has("present") && roomy.matches;
  document.documentElement.classList.toggle("present", state.present);
  $("present").setAttribute("aria-pressed", state.present);
  for (const name of PANELS) {
    const hidden = state.hide.includes(name);
    document.documentElement.classList.toggle(`hide-${name}`, hidden);
  }
  return Number.isInteger(step) && step >= 1 ? step - 1 : 0;
}

let noted = null; // what this page wrote into its address

// Browsers allow only so many changes of the address: note it when the reader rests.
let rest;
function noteAddress() {
  clearTimeout(rest);
  rest = setTimeout(() => {
    const now = address();
    if (noted === null && now === "" && location.hash === "") return;
    if (`#${now}` === location.hash) return;
    noted = now;
    try {
      history.replaceState(null, "", `#${now}`);
    } catch {
      // A frame without an address of its own, as in a notebook, has none to note it in.
    }
  }, 250);
}

function followAddress() {
  if (location.hash === `#${noted}`) return;
  play(false);
  makeRuns({ at: readAddress() });
}
