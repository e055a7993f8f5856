"use strict";

// The page shows the run that Python recorded. It computes nothing of the algorithm but the
// distances of one pixel; everything else here draws, counts and formats what is in the data.

const run = JSON.parse(document.getElementById("run").textContent);
const [height, width] = run.size;
const steps = run.steps;
const $ = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// What the reader chose, and nothing that can be derived from it.
const state = {
  at: 0, // the half-step
  mode: "segments", // or "original" or "changed"
  only: null, // the cluster that is shown alone
  pixel: null, // [row, column]
  spin: 0,
  tilt: 0.2,
  playing: false,
};

// What was decoded: the preview's RGBA, and for each half-step its labels, changes and D² map.
let colors;
let dots; // [pixel, point] of the pixels that are drawn in the color space
const labelsOf = [];
const changedOf = [];
const heatOf = [];

/* Numbers and elements */

const whole = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 0 });
const number = (value) => value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
const places = (value, digits) =>
  value
    .toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    .replace(/^-(0(\.0*)?)$/, "$1") // no minus before nothing
    .replace("-", "−");

function element(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "circle", "line", "text", "rect", "tspan"].includes(name);
  const made = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const luma = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
const readable = (color) => (luma(color) > 140 ? "#16181b" : "#ffffff");
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function chip(name, color, text, attributes = {}) {
  const style = `--swatch: ${css(color)}; --on-swatch: ${readable(color)}`;
  return element(name, { class: "chip", style, ...attributes }, text);
}

/* Which cluster is meant: in the last half-step the segments are in another order. */

const clusterOf = (step, index) => (step.order ? step.order[index] : index);
const indexOf = (step, cluster) => (step.order ? step.order.indexOf(cluster) : cluster);

/* Decoding */

async function decode(uri) {
  const image = new Image();
  image.src = uri;
  await image.decode();
  const canvas = element("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

async function decodeGray(uri, scale = 1) {
  const data = await decode(uri);
  return Uint8Array.from({ length: width * height }, (_, i) => Math.round(data[4 * i] / scale));
}

async function load() {
  colors = await decode(run.picture);
  dots = run.sample.map((i) => [i, pointOf([Math.floor(i / width), i % width])]);
  await Promise.all(
    steps.map(async (step, at) => {
      if (step.labels) labelsOf[at] = await decodeGray(step.labels, step.spread);
      if (step.changed) changedOf[at] = await decodeGray(step.changed, 255);
      if (step.heat) heatOf[at] = await decodeGray(step.heat);
    }),
  );
  for (const at of steps.keys()) {
    // An update, and the end unless it renumbers, show the pixels as the assignment left them.
    labelsOf[at] ??= labelsOf[at - 1];
    changedOf[at] ??= changedOf[at - 1];
  }
}

/* The picture */

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

function heatColor(value) {
  const place = (value / 255) * (HEAT.length - 1);
  const low = Math.min(Math.floor(place), HEAT.length - 2);
  return HEAT[low].map((c, i) => c + (place - low) * (HEAT[low + 1][i] - c));
}

const ramp = Array.from({ length: 256 }, (_, value) => heatColor(value));

const colorAt = (i) => [colors[4 * i], colors[4 * i + 1], colors[4 * i + 2]];

// What is seen of pixel i: [r, g, b] and whether it stands back.
function seen(step, i) {
  const labels = labelsOf[state.at];
  const heat = heatOf[state.at];
  if (state.mode === "original" || (!labels && !heat)) {
    const away = labels && state.only !== null && clusterOf(step, labels[i]) !== state.only;
    return [colorAt(i), away];
  }
  if (heat) return [ramp[heat[i]], false];
  const away =
    (state.only !== null && clusterOf(step, labels[i]) !== state.only) ||
    (state.mode === "changed" && !changedOf[state.at][i]);
  return [away ? colorAt(i) : step.palette[labels[i]], away];
}

function paintPicture() {
  const step = steps[state.at];
  const canvas = $("picture");
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const [color, away] = seen(step, i);
    if (away) {
      image.data.fill(luma(color), 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = 46; // a ghost on the paper
    } else {
      image.data.set(color, 4 * i);
      image.data[4 * i + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);

  const heat = step.heat && state.mode !== "original";
  $("legend").hidden = !heat;
  if (heat) $("heat-max").textContent = `${whole(step.heatMax)} = largest D²`;
  $("segments-name").textContent = step.kind === "seed" ? "D² map" : "Segments";
  $("shown").textContent = shownText(step);
}

function shownText(step) {
  const alone =
    state.only !== null && labelsOf[state.at]
      ? ` Only the pixels of center ${indexOf(step, state.only)}.`
      : "";
  if (state.mode === "original") return `The preview as it is.${alone}`;
  if (step.kind === "seed") return step.shown;
  if (state.mode === "changed") {
    const count = whole(step.changedCount);
    return step.changedCount
      ? `Only the pixels whose center changed in this assignment: ${count}.${alone}`
      : "No pixel changed its center in this assignment.";
  }
  return `Every pixel in the color of its center.${alone}`;
}

// A canvas as fine as the screen; its context draws in CSS pixels.
function fine(canvas) {
  const box = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return [context, box.width, box.height];
}

function ring(context, x, y, radius, color, thickness) {
  for (const [style, extra] of [
    ["rgb(0 0 0 / 70%)", 2],
    [color, 0],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = thickness + extra;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }
}

function drawMarks() {
  const step = steps[state.at];
  const [context, w, h] = fine($("marks"));
  const place = (row, column) => [((column + 0.5) * w) / width, ((row + 0.5) * h) / height];

  if (step.kind === "seed") {
    step.marks.forEach(([row, column], i) => {
      const [x, y] = place(row, column);
      const drawn = i === step.marks.length - 1;
      if (drawn) {
        ring(context, x, y, 17, "#ffffff", 2);
        for (const [dx, dy] of [
          [0, -1],
          [0, 1],
          [-1, 0],
          [1, 0],
        ]) {
          stroke(
            context,
            [
              [x + 17 * dx, y + 17 * dy],
              [x + 25 * dx, y + 25 * dy],
            ],
            "rgb(0 0 0 / 70%)",
            4,
          );
          stroke(
            context,
            [
              [x + 17 * dx, y + 17 * dy],
              [x + 25 * dx, y + 25 * dy],
            ],
            "#ffffff",
            2,
          );
        }
      }
      badge(context, x, y, step.palette[i], i, drawn ? 10 : 9);
    });
  }

  // A handful of pixels would be overlooked.
  const changed = changedOf[state.at];
  if (state.mode === "changed" && changed && step.changedCount <= 60) {
    for (let i = 0; i < changed.length; i++) {
      if (changed[i]) ring(context, ...place(Math.floor(i / width), i % width), 7, "#ffffff", 2);
    }
  }

  if (state.pixel) {
    const [x, y] = place(...state.pixel);
    const half = Math.max(6, w / width / 2 + 2);
    for (const [style, thickness] of [
      ["rgb(0 0 0 / 75%)", 4],
      ["#ffffff", 2],
    ]) {
      context.strokeStyle = style;
      context.lineWidth = thickness;
      context.strokeRect(x - half, y - half, 2 * half, 2 * half);
    }
  }
}

function stroke(context, points, style, thickness) {
  context.strokeStyle = style;
  context.lineWidth = thickness;
  context.lineJoin = context.lineCap = "round";
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}

function badge(context, x, y, color, text, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = css(color);
  context.fill();
  ring(context, x, y, radius, "#ffffff", 2);
  context.fillStyle = readable(color);
  context.font = `650 ${radius > 8 ? 11 : 10}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y + 0.5);
}

/* The colors */

const glide = { frame: 0, share: 1 }; // how far the centers have gone on their way

// Where a point of the color space is on the canvas: [x, y, depth].
function solidProjector(w, h) {
  const { basis, middle, reach } = run.view;
  const scale = (Math.min(w, h) / 2 - 26) / reach;
  const [sin, cos] = [Math.sin(state.spin), Math.cos(state.spin)];
  const [down, level] = [Math.sin(state.tilt), Math.cos(state.tilt)];
  return (point) => {
    const [right, up, toward] = basis.map((axis) =>
      axis.reduce((sum, part, i) => sum + part * (point[i] - middle[i]), 0),
    );
    const x = right * cos + toward * sin;
    const depth = toward * cos - right * sin;
    return [
      w / 2 + scale * x,
      h / 2 - scale * (up * level - depth * down),
      depth * level + up * down,
    ];
  };
}

// The way of each cluster through the half-steps so far, one list of positions each.
function trails() {
  const ways = [];
  for (const step of steps.slice(0, state.at + 1)) {
    if (step.kind === "done") continue;
    step.centers.forEach((center, i) => (ways[i] ??= []).push(center));
  }
  return ways;
}

// The centers, the last of them on their way while they glide.
function centersNow(step) {
  if (step.kind !== "update" || glide.share === 1) return step.centers;
  const before = steps[state.at - 1].centers;
  return step.centers.map((after, i) =>
    after.map((value, c) => before[i][c] + glide.share * (value - before[i][c])),
  );
}

function drawSpace() {
  const step = steps[state.at];
  const [context, w, h] = fine($("space"));
  const points = run.view.kind === "solid" ? drawSolid(context, w, h) : drawLine(context, w, h);
  const centers = centersNow(step).map((center) => points(center));
  if (state.pixel && centers.length) {
    const from = points(pointOf(state.pixel));
    const best = nearest(distances(step, pointOf(state.pixel)));
    centers.forEach((to, i) => {
      // Of many centers only the nearest: the others' lines would hide the colors.
      if (i !== best && centers.length <= 16) stroke(context, [from, to], token("--soft"), 1);
    });
    stroke(context, [from, centers[best]], token("--ink"), 2.5);
    context.beginPath();
    context.arc(...from.slice(0, 2), 5, 0, 2 * Math.PI);
    context.fillStyle = css(colorAt(state.pixel[0] * width + state.pixel[1]));
    context.fill();
    ring(context, from[0], from[1], 5, "#ffffff", 1.5);
  }
  const radius = centers.length > 24 ? 7 : centers.length > 8 ? 8.5 : 10;
  centers.forEach(([x, y], i) => {
    context.globalAlpha = state.only === null || clusterOf(step, i) === state.only ? 1 : 0.35;
    badge(context, x, y, step.palette[i], i, radius);
  });
  context.globalAlpha = 1;
}

function drawSolid(context, w, h) {
  const step = steps[state.at];
  const project = solidProjector(w, h);
  const ink = token("--ink");

  context.globalAlpha = 0.28;
  for (const { line } of run.view.frame) stroke(context, line.map(project), ink, 1);
  context.globalAlpha = 1;

  const sample = dots.map(([pixel, point]) => [project(point), pixel]);
  sample.sort(([a], [b]) => a[2] - b[2]);
  const size = w > 360 ? 2.6 : 2.2;
  for (const [[x, y, depth], i] of sample) {
    const labels = labelsOf[state.at];
    const away = labels && state.only !== null && clusterOf(step, labels[i]) !== state.only;
    const still = state.mode === "changed" && labels && !changedOf[state.at][i];
    const own = state.mode === "original" || !labels || still;
    context.globalAlpha = away || still ? 0.1 : 0.62 + 0.3 * (depth / run.view.reach);
    context.fillStyle = css(own ? colorAt(i) : step.palette[labels[i]]);
    context.fillRect(x - size / 2, y - size / 2, size, size);
  }
  context.globalAlpha = 1;

  context.font = "12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = ink;
  for (const { line, name } of run.view.frame) {
    if (!name) continue;
    const [from, to] = [line[0], line[line.length - 1]].map(project);
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]) || 1;
    const x = to[0] + (12 * (to[0] - from[0])) / length;
    const y = to[1] + (12 * (to[1] - from[1])) / length;
    context.fillText(name, Math.min(w - 18, Math.max(18, x)), Math.min(h - 9, Math.max(9, y)));
  }

  trails().forEach((way, cluster) => drawTrail(context, way.map(project), cluster));
  return project;
}

function drawTrail(context, way, cluster) {
  if (way.length < 2 || (state.only !== null && state.only !== cluster)) return;
  stroke(context, way, token("--card"), 4);
  stroke(context, way, token("--ink"), 1.6);
  context.fillStyle = token("--ink");
  for (const [x, y] of way) {
    context.beginPath();
    context.arc(x, y, 2, 0, 2 * Math.PI);
    context.fill();
  }
}

// Gray: how many pixels have each value, and below it the centers' way, downward in time.
function drawLine(context, w, h) {
  const step = steps[state.at];
  const { positions, low, high, name } = run.view;
  const [left, right, ground] = [18, w - 18, h * 0.52];
  const across = (value) => left + ((right - left) * (value - low)) / (high - low || 1);

  const counts = new Array(256).fill(0);
  const labelOf = [];
  const labels = labelsOf[state.at];
  for (let i = 0; i < width * height; i++) {
    counts[colors[4 * i]]++;
    if (labels) labelOf[colors[4 * i]] = labels[i];
  }
  const most = Math.max(...counts);
  const bar = Math.max(1, ((right - left) / 256) * 0.98);
  counts.forEach((count, value) => {
    if (!count) return;
    const label = labelOf[value];
    const away = labels && state.only !== null && clusterOf(step, label) !== state.only;
    const own = state.mode === "original" || !labels;
    const tall = Math.max(1, (count / most) * (ground - 22));
    context.globalAlpha = away ? 0.15 : 1;
    context.fillStyle = css(own ? [value, value, value] : step.palette[label]);
    context.fillRect(across(positions[value]) - bar / 2, ground - tall, bar, tall);
  });
  context.globalAlpha = 1;

  const ink = token("--ink");
  stroke(
    context,
    [
      [left, ground],
      [right, ground],
    ],
    ink,
    1,
  );
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "top";
  context.fillStyle = ink;
  for (const [value, align] of [
    [low, "left"],
    [high, "right"],
  ]) {
    context.textAlign = align;
    context.fillText(whole(value), across(value), ground + 5);
  }
  context.textAlign = "center";
  context.fillText(name, w / 2, ground + 5);

  // The newest stands on the last line of the time that is shown.
  const ways = trails();
  const first = ground + 38;
  const span = Math.max(...ways.map((way) => way.length), 2) - 1;
  const pace = Math.min(16, (h - first - 18) / span);
  const downTo = (time) => first + time * pace;
  ways.forEach((way, cluster) => {
    const late = span + 1 - way.length; // a seed that was drawn later starts further down
    drawTrail(
      context,
      way.map(([value], i) => [across(value), downTo(late + i)]),
      cluster,
    );
  });
  return ([value]) => [across(value), downTo(span)];
}

/* The centers */

function fillCenters() {
  const step = steps[state.at];
  const rows = step.centers.map((center, i) => {
    const cluster = clusterOf(step, i);
    const button = chip("button", step.palette[i], i, {
      type: "button",
      "data-cluster": cluster,
      "aria-pressed": state.only === cluster,
      "aria-label": `Center ${i}: show its pixels alone`,
    });
    return element(
      "tr",
      {},
      element("td", {}, button),
      ...center.map((value) => element("td", {}, places(value, 1))),
      element("td", {}, step.counts ? whole(step.counts[i]) : "–"),
      element(
        "td",
        step.kind === "update" || step.order ? {} : { class: "dim" },
        lastColumn(step, i),
      ),
    );
  });
  $("center-names").lastElementChild.textContent = step.order ? "was" : "moved";
  const focused = document.activeElement?.dataset?.cluster;
  $("centers").replaceChildren(...rows);
  if (focused) $("centers").querySelector(`[data-cluster="${focused}"]`)?.focus();

  const total = width * height;
  $("shares").replaceChildren(
    ...step.palette.map((color, i) => {
      const part = step.counts ? step.counts[i] / total : 0;
      return element("span", { style: `flex: ${part} 0 0; background: ${css(color)}` });
    }),
  );
}

// How far a center has moved; at the end, when the segments are put in order, what it was.
function lastColumn(step, i) {
  if (step.order) return step.order[i];
  return step.moved ? places(step.moved[i], 2) : "–";
}

/* The curves */

function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.7);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++)
    found.push(n * step);
  return [found, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
}

const superscript = (n) => [...String(n)].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d] ?? "⁻").join("");

function drawCurves() {
  const { iterations, inertia, changed, shown } = run.curve;
  const here = steps[state.at].pass; // which assignment, counted from 0
  const w = $("curves").clientWidth || 320;
  const [left, right, top, plot, between, small] = [46, 14, 26, 128, 46, 62];
  const n = iterations.length;
  const x = (i) => left + 6 + ((w - left - right - 12) * i) / Math.max(1, n - 1);
  const svg = element("svg", {
    viewBox: `0 0 ${w} ${top + plot + between + small + 36}`,
    role: "img",
    "aria-label": `The objective falls from ${number(inertia[0])} to ${number(inertia[n - 1])}`,
  });
  const text = (x, y, content, attributes = {}) =>
    svg.append(element("text", { x, y, ...attributes }, content));
  const grid = (y, label) => {
    svg.append(element("line", { x1: left, x2: w - right, y1: y, y2: y, class: "grid" }));
    text(left - 7, y + 4, label, { "text-anchor": "end" });
  };

  // The objective
  const exponent = Math.floor(Math.log10(Math.max(...inertia, 1)));
  const unit = 10 ** exponent;
  const values = inertia.map((value) => value / unit);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low) * 0.06 || 0.5;
  [low, high] = [low - room, high + room];
  const y = (value) => top + plot - (plot * (value - low)) / (high - low);
  const power = exponent ? `, in 10${superscript(exponent)}` : "";
  text(0, 12, `Sum of squared distances${power} (linear)`, { class: "title" });
  const [marks, digits] = ticks(low, high, 4);
  for (const value of marks) grid(y(value), places(value, digits));
  const path = values.map((value, i) => `${i ? "L" : "M"}${x(i)} ${y(value)}`).join("");
  svg.append(element("path", { d: path, class: "line" }));

  // How many pixels changed
  const base = top + plot + between + small;
  const most = Math.log10(Math.max(10, ...changed)) + 0.1;
  const tall = (count) => (count ? (small * (Math.log10(count) + 0.25)) / (most + 0.25) : 0);
  text(0, base - small - 14, "Pixels that changed (logarithmic)", { class: "title" });
  const step = most > 4 ? 2 : 1;
  for (let p = 0; p <= most; p += step) grid(base - tall(10 ** p), whole(10 ** p));
  changed.forEach((count, i) =>
    svg.append(
      element("line", {
        x1: x(i),
        x2: x(i),
        y1: base,
        y2: base - tall(count),
        class: "stem",
        "stroke-width": Math.max(1, Math.min(5, ((w - left - right) / n) * 0.5)),
      }),
    ),
  );
  svg.append(element("line", { x1: left, x2: w - right, y1: base, y2: base, class: "grid" }));
  const [times] = ticks(1, Math.max(2, n), Math.min(n, 6));
  for (const time of times) {
    const i = iterations.indexOf(time);
    if (i >= 0 && Number.isInteger(time)) text(x(i), base + 16, time, { "text-anchor": "middle" });
  }
  text(w - right, base + 32, "iteration", { "text-anchor": "end" });

  // Where we are, and where one may go
  if (here !== null) {
    for (const [y1, y2] of [
      [top, top + plot],
      [base - small, base],
    ]) {
      svg.append(element("line", { x1: x(here), x2: x(here), y1, y2, class: "here" }));
    }
  }
  const radius = n > 60 ? 0 : 2.6;
  values.forEach((value, i) => {
    const kind = shown[i] === null ? "left-out" : "dot";
    if (radius) svg.append(element("circle", { cx: x(i), cy: y(value), r: radius, class: kind }));
  });
  if (here !== null) {
    svg.append(
      element("circle", {
        cx: x(here),
        cy: y(values[here]),
        r: 5.5,
        class: "now-dot",
        "data-pass": here,
      }),
    );
    const end = x(here) > w - 90;
    text(x(here) + (end ? -9 : 9), y(values[here]) - 9, places(values[here], 4), {
      class: "now-value",
      "text-anchor": end ? "end" : "start",
    });
  }
  const target = element("rect", {
    x: left,
    y: top,
    width: w - left - right,
    height: base - top,
    class: "target",
  });
  target.addEventListener("click", (event) => {
    const at =
      ((event.clientX - svg.getBoundingClientRect().left) / svg.getBoundingClientRect().width) * w;
    const known = shown.map((at, i) => [at, i]).filter(([slide]) => slide !== null);
    known.sort(([, a], [, b]) => Math.abs(x(a) - at) - Math.abs(x(b) - at));
    go(known[0][0]);
  });
  svg.append(target);
  $("curves").replaceChildren(svg);
}

/* One pixel, worked out: all that this page computes of the algorithm */

// sRGB of 8 bits to CIELAB, with the numbers of kmeans_seg.colorspace.
function labOf(color) {
  const [r, g, b] = color.map((value) => {
    const encoded = value / 255;
    return encoded <= 0.04045 ? encoded / 12.92 : ((encoded + 0.055) / 1.055) ** 2.4;
  });
  const [x, y, z] = run.lab.map(([red, blue]) => {
    const ratio = g + red * (r - g) + blue * (b - g);
    return ratio > (6 / 29) ** 3 ? Math.cbrt(ratio) : ((29 / 6) ** 2 / 3) * ratio + 4 / 29;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function pointOf([row, column]) {
  const color = colorAt(row * width + column);
  if (run.lab) return labOf(color);
  return color.slice(0, run.channels.length);
}

const distances = (step, point) =>
  step.centers.map((center) => center.reduce((sum, value, c) => sum + (point[c] - value) ** 2, 0));

const nearest = (squared) => squared.indexOf(Math.min(...squared)); // the first of equals

function fillPixel() {
  const step = steps[state.at];
  if (!state.pixel) {
    if ($("distances").childElementCount) {
      $("pixel-color").textContent = "No pixel is chosen.";
      $("distances").replaceChildren();
      $("pixel-note").textContent = "";
    }
    return;
  }
  const [row, column] = state.pixel;
  const i = row * width + column;
  const color = colorAt(i);
  const point = pointOf(state.pixel);
  const squared = distances(step, point);
  const best = nearest(squared);
  const digits = run.lab ? 2 : 0;
  const vector = point.map((value) => places(value, digits)).join(", ");
  const channels =
    run.channels.length > 1
      ? `(${run.channels.join(", ")}) = (${vector})`
      : `${run.channels[0]} = ${vector}`;
  $("pixel-color").replaceChildren(
    chip("span", color, "", { "aria-hidden": "true" }),
    `Row ${row}, column ${column}: ${channels}`,
  );

  $("distances").classList.toggle("wide", point.length > 1);
  $("distances").replaceChildren(
    ...step.centers.map((center, c) => {
      const exact = center.every(Number.isInteger) && !run.lab;
      const terms = center.map((value, channel) => {
        const written = places(value, exact ? 0 : 2);
        const other = value < 0 ? `(${written})` : written;
        const text = `(${places(point[channel], digits)} − ${other})²`;
        return element("span", { class: "term" }, channel ? `+ ${text}` : text);
      });
      const sum = `${exact ? "=" : "≈"} ${places(squared[c], exact ? 0 : 1)}`;
      const root = Math.sqrt(squared[c]);
      return element(
        "li",
        c === best ? { class: "nearest" } : {},
        chip("span", step.palette[c], c),
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
  const line = list.children[best];
  list.tabIndex = list.scrollHeight > list.clientHeight ? 0 : -1;
  list.scrollTop = line.offsetTop - (list.clientHeight - line.offsetHeight) / 2;

  const labels = labelsOf[state.at];
  let note = `Nearest: center ${best}.`;
  if (step.kind === "seed") {
    note =
      step.marks.length > 1
        ? `The nearest of the seeds so far is ${best}.`
        : "Only one seed so far.";
  } else if (step.kind === "update" && labels[i] !== best) {
    note += ` It still belongs to center ${labels[i]}, and will change at the next assignment.`;
  } else if (step.kind === "assign" && changedOf[state.at][i] && step.iteration > 1) {
    note += " It belonged to another center before this assignment.";
  }
  $("pixel-note").textContent = note;
}

/* All together */

function show() {
  const step = steps[state.at];
  $("slider").value = state.at;
  $("slider").setAttribute("aria-valuetext", step.name);
  $("counter").textContent = `${state.at + 1} / ${steps.length}`;
  for (const [id, end] of [
    ["first", 0],
    ["back", 0],
    ["next", steps.length - 1],
    ["last", steps.length - 1],
  ]) {
    $(id).setAttribute("aria-disabled", state.at === end);
  }
  [...$("phases").children].forEach((span, i) => {
    const { from, to } = run.phases[i];
    span.classList.toggle("lit", from <= state.at && state.at <= to);
    const done = Math.max(0, Math.min(1, (state.at - from + 0.5) / (to - from + 1)));
    span.style.setProperty("--done", `${100 * done}%`);
  });
  $("name").textContent = step.name;
  $("summary").replaceChildren(
    ...(step.gap ? [element("span", { class: "gap" }, `${step.gap} `)] : []),
    step.summary,
  );
  [...$("steps").children].forEach((item, i) => {
    item.classList.toggle("near", step.also.includes(i + 1));
    if (step.lit === i + 1) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  });
  fillCenters();
  drawCurves();
  redraw();
}

// What depends on the pixel and on the look as well.
function redraw() {
  paintPicture();
  drawMarks();
  drawSpace();
  fillPixel();
}

function go(to) {
  const at = Math.max(0, Math.min(steps.length - 1, to));
  const forward = at === state.at + 1;
  state.at = at;
  cancelAnimationFrame(glide.frame);
  glide.share = 1;
  if (forward && steps[at].kind === "update" && !calm.matches) startGlide();
  show();
}

function startGlide() {
  const time = Math.min(450, 500 / Number($("speed").value));
  let start;
  glide.share = 0;
  const tick = (now) => {
    start ??= now;
    const t = Math.min(1, (now - start) / time);
    glide.share = t * t * (3 - 2 * t);
    drawSpace();
    if (t < 1) glide.frame = requestAnimationFrame(tick);
  };
  glide.frame = requestAnimationFrame(tick);
}

let timer;

function play(on) {
  state.playing = on;
  clearTimeout(timer);
  $("play").classList.toggle("on", on);
  $("play").setAttribute("aria-label", on ? "Pause" : "Play");
  if (!on) return;
  if (state.at === steps.length - 1) go(0);
  const wait = () => {
    timer = setTimeout(
      () => {
        go(state.at + 1);
        if (state.at === steps.length - 1) play(false);
        else wait();
      },
      1000 / Number($("speed").value),
    );
  };
  wait();
}

function jump(to) {
  play(false);
  go(to);
}

function choosePixel(pixel, aloud = false) {
  state.pixel = pixel;
  drawMarks();
  drawSpace();
  fillPixel();
  if (aloud && pixel) {
    const squared = distances(steps[state.at], pointOf(pixel));
    const best = nearest(squared);
    const distance = places(Math.sqrt(squared[best]), 1);
    $("pixel-live").textContent =
      `Row ${pixel[0]}, column ${pixel[1]}: nearest is center ${best}, at distance ${distance}`;
  }
}

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function listen() {
  $("first").addEventListener("click", () => jump(0));
  $("back").addEventListener("click", () => jump(state.at - 1));
  $("play").addEventListener("click", () => play(!state.playing));
  $("next").addEventListener("click", () => jump(state.at + 1));
  $("last").addEventListener("click", () => jump(steps.length - 1));
  $("slider").addEventListener("input", () => jump(Number($("slider").value)));
  $("speed").addEventListener("change", () => state.playing && play(true));
  for (const input of document.getElementsByName("mode")) {
    input.addEventListener("change", () => {
      state.mode = input.value;
      redraw();
    });
  }

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target.matches("select, input[type=radio]")) return; // they use these keys
    const keys = {
      ArrowLeft: () => jump(state.at - 1),
      ArrowRight: () => jump(state.at + 1),
      Home: () => jump(0),
      End: () => jump(steps.length - 1),
      " ": target.matches("button") ? null : () => play(!state.playing),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  const stage = $("stage");
  const under = (event) => {
    const box = stage.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * height);
    return [Math.max(0, Math.min(height - 1, row)), Math.max(0, Math.min(width - 1, column))];
  };
  stage.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse") choosePixel(under(event));
  });
  stage.addEventListener("click", (event) => choosePixel(under(event)));
  stage.addEventListener("keydown", (event) => {
    if (event.key === "Escape") choosePixel(null);
    if (!ARROWS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [down, right] = ARROWS[event.key];
    const [row, column] = state.pixel ?? [height >> 1, width >> 1];
    const far = state.pixel ? (event.shiftKey ? 10 : 1) : 0;
    choosePixel(
      [
        Math.max(0, Math.min(height - 1, row + far * down)),
        Math.max(0, Math.min(width - 1, column + far * right)),
      ],
      true,
    );
  });

  const space = $("space");
  const turn = (spin, tilt) => {
    state.spin += spin;
    state.tilt = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, state.tilt + tilt));
    drawSpace();
  };
  if (run.view.kind === "solid") {
    let from;
    space.addEventListener("pointerdown", (event) => {
      space.setPointerCapture(event.pointerId);
      from = [event.clientX, event.clientY];
    });
    space.addEventListener("pointermove", (event) => {
      if (!space.hasPointerCapture(event.pointerId)) return;
      turn((from[0] - event.clientX) * 0.01, (event.clientY - from[1]) * 0.01);
      from = [event.clientX, event.clientY];
    });
    space.addEventListener("keydown", (event) => {
      if (!ARROWS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      const [down, right] = ARROWS[event.key];
      turn(-right * 0.12, down * 0.12);
    });
  }
  $("reset").addEventListener("click", () => {
    [state.spin, state.tilt] = [0, 0.2];
    drawSpace();
  });

  $("centers").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const cluster = Number(button.dataset.cluster);
    state.only = state.only === cluster ? null : cluster;
    fillCenters();
    redraw();
  });

  let resize;
  new ResizeObserver(() => {
    cancelAnimationFrame(resize);
    resize = requestAnimationFrame(() => {
      drawCurves();
      drawMarks();
      drawSpace();
    });
  }).observe(document.body);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
}

function setUp() {
  document.documentElement.style.setProperty("--ratio", width / height);
  Object.assign($("picture"), { width, height });
  $("slider").max = steps.length - 1;
  $("space").classList.toggle("flat", run.view.kind === "line");
  if (run.view.kind === "line") $("space").removeAttribute("tabindex");
  $("space").setAttribute("aria-label", run.view.label);
  $("space-note").textContent = run.view.note;
  $("reset").hidden = run.view.kind === "line";
  $("steps").children[2].append(element("span", { class: "arrow", "aria-hidden": "true" }));
  $("center-names").append(
    ...["center", ...run.channels, "pixels", "moved"].map((name) =>
      element("th", { scope: "col" }, name),
    ),
  );
  $("phases").append(
    ...run.phases.map(({ name, from, to }) => {
      // The thumb stands on the middle of a half-step: of the first and the last there is half.
      const part = to - from + 1 - (from === 0) / 2 - (to === steps.length - 1) / 2;
      return element("span", { style: `flex: ${part} 0 0` }, element("i", {}, name));
    }),
  );
  const context = $("ramp").getContext("2d");
  ramp.forEach((color, value) => {
    context.fillStyle = css(color.map(Math.round));
    context.fillRect(value, 0, 1, 1);
  });
}

load()
  .then(() => {
    setUp();
    listen();
    show();
    document.documentElement.dataset.ready = "";
  })
  .catch((error) => {
    $("summary").textContent = `The steps cannot be shown: ${error.message}`;
    throw error;
  });
