// What is said of a half-step: its name, the sentence, the six steps, the centers, one pixel.

// Words about the run that the panels show.
const ofActive = (words) => (runs.length > 1 ? `${"AB"[state.active]} · ${words}` : words);

function nameOf(shown) {
  const { kind, pass } = shown;
  if (kind === "center") return text("name.center", { number: shown.marks.length - 1 });
  return text(`name.${kind}`, { pass });
}

function sentenceOf(shown) {
  const made = activeRun();
  const pixels = photo.members.length;
  switch (shown.kind) {
    case "start":
      return startSentence(made);
    case "center": {
      const i = shown.marks.length - 1;
      const [row, column] = placeOf(shown.marks[i]);
      const where = text("where", { row, column });
      if (i === 0 || !drawnByDistance(made)) {
        return text(i ? "say.center-random" : "say.center-first", { where, number: i });
      }
      const key = fromPython(made.start) ? "say.center-python" : "say.center-draw";
      return text(key, { where, number: i });
    }
    case "assign": {
      const inertia = inertiaOf(shown.inertia);
      const gap = shown.gap.length ? `${text("say.gap", { passes: ranges(shown.gap) })} ` : "";
      if (shown.p === 0) return text("say.assign-first", { n: pixels, inertia });
      if (shown.changed === 0) return gap + text("say.assign-last");
      const [n, part] = [shown.changed, percent(shown.changed / pixels)];
      return gap + text("say.assign", { n, part, inertia, fall: percent(shown.fall) });
    }
    case "update": {
      const farthest = shown.moved.indexOf(Math.max(...shown.moved));
      const values = { center: farthest, distance: places(shown.moved[farthest], 2) };
      return text("say.update", {
        ...values,
        fall: percent(shown.fall),
        inertia: inertiaOf(shown.inertia),
      });
    }
    default: {
      const renumbered = shown.order.some((from, to) => from !== to);
      const said = [text(shown.converged ? "say.done" : "say.gave-up", { n: shown.pass })];
      if (renumbered) said.push(text("say.renumbered"));
      if (shown.centers.length < made.k && made.start.kind !== "own") {
        said.push(text("say.fewer", { n: shown.centers.length, k: made.k }));
      }
      return said.join(" ");
    }
  }
}

function startSentence(made) {
  const n = made.initial.length;
  if (made.rehearsal) {
    return text("say.start-rehearsed", { n: made.k, starts: made.rehearsal.drawn });
  }
  if (isRecorded(made.start) && data.runs[made.start.number].init !== "given") {
    if (made.given) return text("say.start-optimal");
  }
  if (made.given) return text("say.start-given");
  if (made.start.kind === "dark") return text("say.start-dark", { n });
  return n ? text("say.start-own", { n }) : text("say.start-none");
}

const LIT = { start: [1], center: [1], update: [4], done: [6] };

function stepsOf(shown) {
  if (shown.kind !== "assign") return LIT[shown.kind];
  if (shown.p === 0) return [3, 2];
  return shown.changed ? [3, 5, 6] : [6, 5];
}

function fillNow() {
  const shown = slide();
  $("name").textContent = ofActive(nameOf(shown));
  $("summary").textContent = sentenceOf(shown);
  lightStep();
}

// Light the step that is taken: of several, the one that the reader asked for.
function lightStep() {
  const steps = stepsOf(slide());
  const lit = steps.includes(state.asked) ? state.asked : steps[0];
  const near = steps.filter((step) => step !== lit);
  stepButtons().forEach((button, i) => {
    button.classList.toggle("near", near.includes(i + 1));
    button.setAttribute("aria-disabled", nextDoing(i + 1) === undefined);
    if (lit === i + 1) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
}

const stepButtons = () => [...$("steps").querySelectorAll("button")];

// The next half-step whose main step is this one of the six or, if none is, that includes it. After
// the last comes the first.
function nextDoing(step) {
  const all = slides[state.active];
  const main = all.filter((shown) => stepsOf(shown)[0] === step);
  const doing = main.length ? main : all.filter((shown) => stepsOf(shown).includes(step));
  const next = doing.find(({ time }) => time > slide().time) ?? doing[0];
  return next && timeline.indexOf(next.time);
}

/* The centers */

function fillCenters() {
  const shown = slide();
  const names = [...channelNames(activeRun().space), text("col.pixels"), text("col.moved")];
  $("center-names").replaceChildren(
    ...[text("col.center"), ...names].map((name) => element("th", { scope: "col" }, name)),
  );
  const rows = shown.centers.map((center, i) => {
    const cluster = clusterOf(shown, i);
    const button = chip("button", shown.palette[i], whole(i), {
      type: "button",
      "data-cluster": cluster,
      "aria-pressed": state.only === cluster,
      "aria-label": text("center-alone", { center: i }),
    });
    const was = element("span", { class: "was" });
    if (shown.order && cluster !== i) was.textContent = text("was", { center: cluster });
    return element(
      "tr",
      {},
      element("td", {}, button, was),
      ...center.map((value) => element("td", {}, places(value, 1))),
      element("td", {}, shown.counts ? whole(shown.counts[i]) : "–"),
      element(
        "td",
        shown.kind === "update" ? {} : { class: "dim" },
        shown.moved ? places(shown.moved[i], 2) : "–",
      ),
    );
  });
  const focused = document.activeElement?.dataset?.cluster;
  $("centers").replaceChildren(...rows);
  if (focused) $("centers").querySelector(`[data-cluster="${focused}"]`)?.focus();
}

/* One pixel, worked out */

const nearestTo = (centers, point) => {
  const squared = centers.map((center) => squaredDistance(point, 0, center));
  return squared.indexOf(Math.min(...squared)); // the first of equals
};

const LISTED = 12; // of more centers the list shows the nearest ones

function fillPixel() {
  const shown = slide();
  const space = activeRun().space;
  const i = state.pixel;
  const empty = i === null || !takesPart(i) || !shown.centers.length;
  $("pixel").classList.toggle("empty", empty);
  $("kept").textContent = state.pinned ? text("pixel.pinned") : "";
  if (empty) {
    const none = matchMedia("(hover: none)").matches ? "pixel.none-touch" : "pixel.none";
    const key = i === null ? none : takesPart(i) ? "pixel.no-centers" : "pixel.outside";
    $("pixel-color").textContent = text(key);
    $("distances").replaceChildren();
    $("pixel-note").textContent = "";
    return;
  }
  const [row, column] = placeOf(i);
  const point = pointOf(space, i);
  const squared = shown.centers.map((center) => squaredDistance(point, 0, center));
  const best = nearestTo(shown.centers, point);
  const digits = space === "lab" ? 1 : 0;
  const channels = channelNames(space)
    .map((name, channel) => `${name}\u00a0${places(point[channel], digits)}`)
    .join(", ");
  $("pixel-color").replaceChildren(
    chip("span", colorAt(i), "", { "aria-hidden": "true" }),
    `${text("place", { row, column })}: ${channels}`,
  );

  const listed = shown.centers.map((_, c) => c);
  if (listed.length > LISTED) {
    listed.sort((a, b) => squared[a] - squared[b] || a - b).splice(LISTED);
  }
  $("distances").classList.toggle("wide", point.length > 1);
  $("distances").replaceChildren(
    ...listed.map((c) => {
      const center = shown.centers[c];
      const exact = center.every(Number.isInteger) && space !== "lab";
      const terms = center.map((value, channel) => {
        const written = places(value, exact ? 0 : 1);
        const other = value < 0 ? `(${written})` : written;
        const term = `(${places(point[channel], digits)} − ${other})²`;
        return element("span", { class: "term" }, channel ? `+ ${term}` : term);
      });
      const sum = `${exact ? "=" : "≈"} ${places(squared[c], exact ? 0 : 1)}`;
      const root = Math.sqrt(squared[c]);
      return element(
        "li",
        c === best ? { class: "nearest" } : {},
        chip("span", shown.palette[c], whole(c)),
        element("span", { class: "sum" }, ...terms.flatMap((term) => [term, " "])),
        element("data", { value: squared[c] }, sum),
        element(
          "span",
          { class: "root" },
          `${Number.isInteger(root) ? "=" : "≈"} ${places(root, 2)}²`,
        ),
      );
    }),
  );
  const list = $("distances");
  const line = list.querySelector(".nearest");
  list.tabIndex = list.scrollHeight > list.clientHeight + 1 ? 0 : -1;
  list.scrollTop = line.offsetTop - (list.clientHeight - line.offsetHeight) / 2;

  const notes = [pixelNote(shown, i, best)];
  const n = shown.centers.length;
  if (n > listed.length) notes.push(text("pixel.hidden", { n, listed: listed.length }));
  $("pixel-note").textContent = notes.join(" ");
}

function pixelNote(shown, i, best) {
  if (shown.kind === "center" || shown.kind === "start") {
    return text("pixel.nearest-so-far", { center: best });
  }
  const own = shown.labels[i];
  if (shown.kind === "update" && own !== best) {
    return text("pixel.will-change", { center: best, own });
  }
  if (shown.kind === "assign" && shown.p > 0 && shown.before[i] !== own) {
    return text("pixel.changed", { center: best, before: shown.before[i] });
  }
  return text("pixel.nearest", { center: best });
}

function sayPixel() {
  const shown = slide();
  if (state.pixel === null || !takesPart(state.pixel) || !shown.centers.length) return;
  const [row, column] = placeOf(state.pixel);
  const point = pointOf(activeRun().space, state.pixel);
  const center = nearestTo(shown.centers, point);
  const distance = places(Math.sqrt(squaredDistance(point, 0, shown.centers[center])), 1);
  $("pixel-live").textContent = text("pixel.aloud", { row, column, center, distance });
}
