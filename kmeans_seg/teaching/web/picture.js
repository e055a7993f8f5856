// The pictures: a card for each run, with its canvas, its marks, its legend and its caption.

const cards = []; // { canvas, marks, stage, ... } of each run

// Dark to bright, each step about as visible as the next.
const HEAT = [
  [8, 6, 32],
  [62, 18, 98],
  [132, 32, 107],
  [202, 62, 76],
  [243, 118, 40],
  [250, 190, 62],
  [252, 250, 190],
];

const ramp = Array.from({ length: 256 }, (_, value) => {
  const place = (value / 255) * (HEAT.length - 1);
  const low = Math.min(Math.floor(place), HEAT.length - 2);
  return HEAT[low].map((c, i) => c + (place - low) * (HEAT[low + 1][i] - c));
});

// A color as one number of four bytes, as a canvas stores it on every processor that has browsers.
const word = ([r, g, b], alpha = 255) => ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
const GHOST = 46; // how opaque a pixel is that stands back

function makeCard(index) {
  const root = $("card").content.cloneNode(true).firstElementChild;
  root.id = `run-${index}`;
  root.dataset.index = index;
  const part = (name) => root.querySelector(`.${name}`);
  const card = { root, index, stage: part("stage"), canvas: part("pixels"), marks: part("marks") };
  Object.assign(card, { caption: part("caption"), shares: part("shares"), legend: part("legend") });
  Object.assign(card, { start: part("start"), draw: part("draw"), name: part("run-name") });
  card.stage.id = `stage-${index}`;
  card.caption.id = `caption-${index}`;
  card.stage.setAttribute("aria-describedby", card.caption.id);
  const context = part("ramp").getContext("2d");
  ramp.forEach((color, value) => {
    context.fillStyle = css(color.map(Math.round));
    context.fillRect(value, 0, 1, 1);
  });
  cards[index] = card;
  return root;
}

// What a picture shows of a slide.
function modeOf(shown) {
  if (shown.kind === "start") return "original";
  if (shown.kind === "center") {
    return shown.plus && state.seeding === "distances" ? "distances" : "original";
  }
  return state.mode;
}

// The pixels in the colors that they are shown in, a word each.
function painted(index) {
  const shown = slideOf(index);
  const mode = modeOf(shown);
  const words = new Uint32Array(photo.size);
  const own = (photo.words ??= Uint32Array.from(words, (_, i) =>
    takesPart(i) ? word(colorAt(i)) : 0,
  ));
  if (mode === "distances") {
    const distances = distancesFromCenters(runs[index], shown.marks.length - 1);
    const largest = distances.reduce((a, b) => Math.max(a, b)) || 1;
    const shades = ramp.map((color) => word(color.map(Math.round)));
    photo.members.forEach((i, j) => {
      words[i] = shades[Math.round((distances[j] / largest) * 255)];
    });
    return words;
  }
  if (mode === "original" && (state.only === null || !shown.labels)) {
    words.set(own);
    return words;
  }
  const ghosts = (photo.ghosts ??= Uint32Array.from(words, (_, i) =>
    takesPart(i) ? word(new Array(3).fill(Math.round(luma(colorAt(i)))), GHOST) : 0,
  ));
  const only = state.only === null ? null : indexOf(shown, state.only);
  const palette = shown.palette.map((color) => word(color));
  for (let i = 0; i < words.length; i++) {
    const label = shown.labels[i];
    const away =
      (only !== null && label !== only) ||
      (mode === "changed" && shown.before && shown.before[i] === label);
    const color = mode === "original" ? own[i] : palette[label];
    words[i] = away || label === OUTSIDE ? ghosts[i] : color;
  }
  return words;
}

function paintPicture(index) {
  const { canvas } = cards[index];
  const { width, height } = photo;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const bytes = new Uint8ClampedArray(painted(index).buffer);
  canvas.getContext("2d").putImageData(new ImageData(bytes, width, height), 0, 0);
}

function fillCard(index) {
  const card = cards[index];
  const shown = slideOf(index);
  const heat = modeOf(shown) === "distances";
  card.legend.hidden = !heat;
  card.shares.hidden = heat;
  if (heat) {
    const distances = distancesFromCenters(runs[index], shown.marks.length - 1);
    const largest = distances.reduce((a, b) => Math.max(a, b));
    card.legend.lastElementChild.textContent = text("largest", { value: largest });
  }
  card.shares.replaceChildren(
    ...shown.palette.map((color, i) => {
      const part = shown.counts ? shown.counts[i] / photo.members.length : 1 / shown.palette.length;
      const cluster = clusterOf(shown, i);
      const away = state.only !== null && cluster !== state.only ? "away" : "";
      const style = `flex: ${part} 0 0; background: ${css(color)}`;
      return element("span", { style, "data-cluster": cluster, class: away });
    }),
  );
  card.caption.textContent = runs.length > 1 ? comparedCaption(index) : captionOf(shown);
}

function captionOf(shown) {
  const alone =
    state.only !== null && shown.labels
      ? ` ${text("caption.only", { center: indexOf(shown, state.only) })}`
      : "";
  const mode = modeOf(shown);
  if (shown.kind === "start") {
    if (placing(0)) return text("caption.place");
    return text(shown.marks.length ? "caption.start" : "caption.original");
  }
  if (mode === "distances") return text("caption.distances");
  if (shown.kind === "center") return text("caption.center");
  if (mode === "changed") {
    const first = shown.p === 0 && shown.kind !== "done";
    const words = first ? text("caption.changed-first") : text("caption.changed", { n: shown.changed });
    return words + alone;
  }
  return text(mode === "original" ? "caption.original" : "caption.segments") + alone;
}

function comparedCaption(index) {
  const shown = slideOf(index);
  if (shown.inertia === undefined) return nameOf(shown);
  return text("caption.compared", { name: nameOf(shown), inertia: inertiaOf(shown.inertia) });
}

// Where the middle of a pixel is on a stage of w by h.
const spot = (i, w, h) => {
  const [row, column] = placeOf(i);
  return [((column + 0.5) * w) / photo.width, ((row + 0.5) * h) / photo.height];
};

function drawMarks(index) {
  const shown = slideOf(index);
  const [context, w, h] = fine(cards[index].marks);
  const size = enlarged();

  (shown.marks ?? []).forEach((pixel, i) => {
    const [x, y] = spot(pixel, w, h);
    if (shown.kind === "center" && i === shown.marks.length - 1) {
      ring(context, x, y, 17 * size, "#ffffff", 2);
      for (const [dx, dy] of [
        [0, -1],
        [0, 1],
        [-1, 0],
        [1, 0],
      ]) {
        const line = [17, 25].map((far) => [x + far * size * dx, y + far * size * dy]);
        stroke(context, line, "rgb(0 0 0 / 70%)", 4);
        stroke(context, line, "#ffffff", 2);
      }
    }
    badge(context, x, y, shown.palette[i], i, 10 * size);
  });

  // A handful of pixels would be overlooked.
  if (state.mode === "changed" && shown.before && shown.changed <= 60) {
    shown.labels.forEach((label, i) => {
      if (label !== shown.before[i]) ring(context, ...spot(i, w, h), 7 * size, "#ffffff", 2);
    });
  }

  if (state.pixel === null) return;
  const [x, y] = spot(state.pixel, w, h);
  const half = Math.max(6 * size, w / photo.width / 2 + 2);
  for (const [style, thickness] of [
    ["rgb(0 0 0 / 75%)", state.pinned ? 6 : 4],
    ["#ffffff", state.pinned ? 3 : 2],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = thickness;
    context.strokeRect(x - half, y - half, 2 * half, 2 * half);
  }
}
