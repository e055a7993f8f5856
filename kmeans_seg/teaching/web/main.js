// All together: what is drawn when something changes, and how the page begins.

function show({ quiet = false } = {}) {
  const shown = slide();
  showProgress();
  $("slider").setAttribute("aria-valuetext", nameOf(shown));
  for (const [id, end] of [
    ["first", 0],
    ["back", 0],
    ["next", timeline.length - 1],
    ["last", timeline.length - 1],
  ]) {
    $(id).setAttribute("aria-disabled", state.at === end);
  }
  const start = shown.kind === "start" || shown.kind === "center";
  $("seeding-modes").hidden = !start;
  $("modes").hidden = start;
  $("play").setAttribute("aria-disabled", timeline.length === 1);
  // Hidden where there is nothing to choose from.
  $("seeding-modes").disabled = !shown.plus;
  for (const name of ["mode", "seeding"]) {
    for (const input of document.getElementsByName(name)) {
      input.checked = input.value === state[name];
    }
  }
  $("zoom").textContent = text(state.zoom ? "zoom-out" : "zoom");
  fillNow();
  fillCenters();
  $("verdict").textContent = verdict();
  document.body.classList.toggle("two", runs.length > 1);
  document.body.classList.toggle("pinned", state.pinned);
  fillTools();
  fillHead();
  fillView();
  redraw();
  noteAddress();
  if (quiet) $("now").removeAttribute("aria-live");
  else $("now").setAttribute("aria-live", "polite");
}

// How far the runs are computed.
function showProgress() {
  $("slider").max = timeline.length - 1;
  $("slider").value = state.at;
  const computing = runs.some(({ work }) => work) ? "…" : "";
  $("counter").textContent = `${state.at + 1} / ${timeline.length}${computing}`;
  fillPhases();
}

// What depends on the sizes of things as well.
function redraw() {
  runs.forEach((_, index) => {
    fillCard(index);
    paintPicture(index);
    drawMarks(index);
  });
  drawColors();
  drawCurve();
  fillPixel();
}

function fillPhases() {
  const all = slides[state.active];
  const of = (time) => timeline.indexOf(time);
  const firstPass = all.find(({ kind }) => kind === "assign");
  const end = timeline.length - 1;
  const border = firstPass ? of(firstPass.time) : end + 1;
  const done = all.at(-1).kind === "done" ? 1 : 0;
  const phases = [
    { name: text("phase.start"), from: 0, to: border - 1 },
    { name: text("phase.passes"), from: border, to: end - done },
    { name: "", from: end + 1 - done, to: end },
  ].filter(({ from, to }) => from <= to);
  $("phases").replaceChildren(
    ...phases.map(({ name, from, to }) => {
      // The thumb is at the middle of a half-step: of the first and the last there is half.
      const part = to - from + 1 - (from === 0) / 2 - (to === end) / 2;
      const share = Math.max(0, Math.min(1, (state.at - from + 0.5) / (to - from + 1)));
      const span = element("span", { style: `flex: ${part} 0 0; --done: ${100 * share}%` });
      span.classList.toggle("lit", from <= state.at && state.at <= to);
      span.append(element("i", {}, name));
      return span;
    }),
  );
}

function fillHead() {
  const [height, width] = [photo.height, photo.width];
  const title = photo.name ?? data.title;
  const own = runs[0]?.start.kind === "own" && !runs[0].initial.length;
  const colors = { n: runs[0]?.initial.length || state.k };
  $("title").textContent = title ?? (own ? text("name.start") : text("title", colors));
  document.title = $("title").textContent;
  const from = photo.from ?? [data.from[1], data.from[0]];
  const whole = from[0] === width && from[1] === height;
  const space = photo.channels === 1 && data.space !== "lab" ? "gray" : data.space;
  $("idea").textContent = text("idea");
  const parts = photo.original ? [text("lead.space", { space: text(`space.${space}`) })] : [];
  const size = { width: String(width), height: String(height) };
  const values = { ...size, fromWidth: String(from[0]), fromHeight: String(from[1]) };
  if (!whole) parts.push(text("lead.preview", values));
  const [n, all] = [photo.members.length, photo.size];
  if (n < all) parts.push(text("lead.part", { n, all }));
  else if (whole) parts.push(text("lead.whole", values));
  $("lead").textContent = parts.join(" ");
}

function fillView() {
  for (const panel of ["colors", "pixel", "centers"]) {
    $(`${panel}-head`).textContent = ofActive(text(panel));
  }
  const { kind } = view();
  const { space } = activeRun();
  $("space").classList.toggle("flat", kind === "line");
  const name = text(`space.${photo.channels === 1 && space !== "lab" ? "gray" : space}`);
  $("space").setAttribute("aria-label", text(`colors.label-${kind}`, { space: name }));
  const count = kind === "solid" ? view().dots.length : 0;
  const note = text(`colors.note-${kind}`, { n: count, all: photo.members.length, space: name });
  const many = slide().centers.length > MANY ? ` ${text("colors.many", { n: MANY })}` : "";
  $("space-note").textContent = note + many;
  $("reset").hidden = kind === "line";
}

// The picture as large as its place, in its own shape.
function fitStage() {
  document.documentElement.style.setProperty("--ratio", photo.width / photo.height);
}

function fillFoot() {
  const notes = [text(data.live ? "about.live" : "about.recorded"), text("about.order")];
  if (data.live) notes.push(text("about.twin"), text("about.draws"));
  if (data.skipped.length) {
    notes.push(text("about.skipped", { passes: ranges(data.skipped), n: data.skipped.length }));
  }
  notes.push(text("about.keys"));
  $("notes").replaceChildren(...notes.map((note) => element("li", {}, note)));
  $("languages").replaceChildren(
    ...Object.keys(data.texts).map((code) => {
      const button = element("button", { type: "button", lang: code, class: "link" });
      button.textContent = data.texts[code].language;
      button.setAttribute("aria-pressed", code === language);
      button.addEventListener("click", () => {
        chooseLanguage(code);
        views.delete(photo);
        fillFoot();
        show();
      });
      return button;
    }),
  );
}

// A page around this one, such as the documentation, can say whether it is light or dark.
addEventListener("message", ({ data: message }) => {
  if (!["light", "dark"].includes(message?.theme)) return;
  document.documentElement.dataset.theme = message.theme;
  if (runs.length) show();
});

async function begin() {
  photo = await packedPhoto();
  for (const number of data.runs.keys()) recordings[number] = await unpack(number);
  document.documentElement.classList.toggle("still", !data.live);
  $("cards").replaceWith(makeCard(0), makeCard(1));
  cards[1].root.hidden = true;
  chooseLanguage(null);
  fitStage();
  fillFoot();
  listen();
  addEventListener("hashchange", followAddress);
  await makeRuns({ at: readAddress() });
  document.documentElement.dataset.ready = "";
}

begin().catch((error) => {
  document.getElementById("summary").textContent = String(error);
  throw error;
});
