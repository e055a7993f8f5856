// Runs of the reader's own: another k, another start, own centers, two runs, another photo.

const K_MOST = 64; // more badges than this could not be told apart

// What is run where Python's run does not fit: its centers belong to one photo and one k.
function fitting(start) {
  const fits = photo.original && state.k === data.k;
  return fromPython(start) && !fits ? { kind: "draw", number: 1 } : start;
}

// Whether clicks place centers: at the start of a run from the reader's own.
const placing = (index) =>
  data.live && runs[index]?.start.kind === "own" && slideOf(index).kind === "start";

const keyOf = ({ kind, number }) =>
  kind === "recorded" || kind === "seed" ? `${kind}.${number}` : kind;

function startName(start) {
  const { kind, number } = start;
  if (kind === "recorded") {
    const { init, seed, space } = data.runs[number];
    const from = init === "given" ? text("start.given") : seedName(init, seed);
    return space === "lab" ? text("start.lab", { from }) : text("start.recorded", { from });
  }
  if (kind === "seed") return seedName("k-means++", number);
  return text(`start.${kind}`, { number });
}

const seedName = (init, seed) =>
  seed === null
    ? text("start.unseeded", { init: text(`init.${init}`) })
    : text("start.seed", { init: text(`init.${init}`), seed: String(seed) });

// The starts that can be chosen, by group.
function choices(start) {
  const numbered = (kind) => ({ kind, number: start.kind === kind ? start.number : 1 });
  const fits = photo.original && state.k === data.k;
  const python = fits
    ? [
        ...data.runs.map((_, number) => ({ kind: "recorded", number })),
        ...data.starts.map(({ seed }) => ({ kind: "seed", number: seed })),
      ]
    : [];
  const here = [numbered("draw"), numbered("random"), { kind: "dark" }, { kind: "own" }];
  return [
    ["start.from-python", python],
    ["start.from-here", here],
  ];
}

function fillTools() {
  if (!data.live) return;
  const own = state.starts[0].kind === "own";
  $("k").textContent = whole(own ? state.starts[0].pixels.length : state.k);
  cards.forEach(({ start: select, name, root }, index) => {
    root.hidden = index >= runs.length;
    root.classList.toggle("active", runs.length > 1 && index === state.active);
    root.classList.toggle("placing", index < runs.length && placing(index));
    if (root.hidden) return;
    name.textContent = runs.length > 1 ? "AB"[index] : "";
    root.setAttribute("aria-label", `${text("picture")} ${name.textContent}`.trim());
    const { start } = runs[index];
    const list = choices(start).filter(([, starts]) => starts.length);
    const key = list.flatMap(([, starts]) => starts.map((s) => keyOf(s) + startName(s))).join();
    if (select.dataset.key !== key) {
      select.dataset.key = key;
      select.replaceChildren(
        ...list.map(([group, starts]) =>
          element(
            "optgroup",
            { label: text(group) },
            ...starts.map((one) => element("option", { value: keyOf(one) }, startName(one))),
          ),
        ),
      );
    }
    select.value = keyOf(start);
  });
  $("compare").setAttribute("aria-pressed", runs.length > 1);
}

/* What the tools do */

function chooseStart(index, value) {
  const [kind, number] = value.split(".");
  const start = { kind };
  if (number !== undefined) start.number = Number(number);
  else if (kind === "draw" || kind === "random") start.number = 1;
  if (kind === "own") start.pixels = [];
  state.starts[index] = start;
  state.active = index;
  play(false);
  makeRuns(kind === "own" ? { at: 0 } : { restart: true });
}

function drawAgain(index) {
  const { start } = runs[index];
  const drawn = start.kind === "draw" || start.kind === "random";
  state.starts[index] = drawn
    ? { kind: start.kind, number: start.number + 1 }
    : { kind: "draw", number: 1 };
  state.active = index;
  play(false);
  makeRuns({ restart: true });
}

function changeK(by) {
  const first = state.starts[0];
  if (first.kind === "own") {
    const { pixels } = first;
    const { members } = photo;
    if (by > 0) pixels.push(members[Math.floor(Math.random() * members.length)]);
    placeCenters(0, by > 0 ? pixels : pixels.slice(0, -1));
    return;
  }
  const most = Math.min(Math.max(K_MOST, data.k), photo.members.length);
  state.k = Math.max(1, Math.min(most, state.k + by));
  state.only = null;
  makeRuns();
}

function placeCenters(index, pixels, { at = null } = {}) {
  if (pixels.length > K_MOST) return;
  state.starts[index] = { kind: "own", pixels: [...pixels] };
  if (pixels.length && index === 0) state.k = pixels.length;
  state.only = null;
  state.active = index;
  play(false);
  makeRuns({ at });
}

function compare(on) {
  if (on) {
    state.starts = [state.starts[0], { kind: "dark" }];
  } else {
    state.starts = [state.starts[state.active]];
    state.active = 0;
  }
  makeRuns();
}

/* Another photo: it is read here and sent nowhere */

const MOST_PIXELS = 480 * 320;

async function openPhoto(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    announce(text("photo.unreadable", { name: file.name }));
    return;
  }
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = element("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const rgba = context.getImageData(0, 0, width, height).data;
  const pixels = new Uint8Array(3 * width * height);
  const inside = new Uint8Array(width * height);
  for (let i = 0; i < inside.length; i++) {
    pixels.set(rgba.subarray(4 * i, 4 * i + 3), 3 * i);
    inside[i] = rgba[4 * i + 3] ? 1 : 0;
  }
  if (!inside.includes(1)) {
    announce(text("photo.transparent", { name: file.name }));
    return;
  }
  const whole = inside.includes(0) ? inside : null;
  photo = makePhoto({ height, width, channels: 3, pixels, inside: whole, original: false });
  photo.name = file.name;
  photo.from = [bitmap.width, bitmap.height];
  Object.assign(state, { pixel: null, pinned: false, only: null });
  state.starts = state.starts.map((start) =>
    start.kind === "own" ? { kind: "draw", number: 1 } : start,
  );
  fitStage();
  makeRuns({ at: 0 });
}

function announce(words) {
  $("summary").textContent = words;
}

function listenToTools() {
  $("more").addEventListener("click", () => changeK(1));
  $("fewer").addEventListener("click", () => changeK(-1));
  $("compare").addEventListener("click", () => compare(runs.length < 2));
  $("photo").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    if ($("file").files[0]) openPhoto($("file").files[0]);
    $("file").value = "";
  });
  for (const card of cards) {
    card.start.addEventListener("change", () => chooseStart(card.index, card.start.value));
    card.draw.addEventListener("click", () => drawAgain(card.index));
  }
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    const [file] = event.dataTransfer.files;
    if (file) openPhoto(file);
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file) openPhoto(file);
  });
}
