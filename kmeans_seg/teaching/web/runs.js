// Photos and runs. A run is recorded by Python or computed here by `kmeans`; both become the same
// slides, one for each half-step.

// The photo on the page: `pixels` has `channels` values for each pixel, whole numbers from 0 to
// 255. Where `inside` is 0 a pixel takes no part: it was transparent.
let photo;

const OUTSIDE = 255; // the label of a pixel that takes no part

async function inflate(packed) {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

async function packedPhoto() {
  const [height, width] = data.size;
  const pixels = await inflate(data.pixels);
  const { channels } = data;
  // Each value was stored as its difference from the pixel before.
  for (let i = channels; i < pixels.length; i++) pixels[i] += pixels[i - channels];
  const inside = data.inside && (await inflate(data.inside));
  return makePhoto({ height, width, channels, pixels, inside, original: true });
}

function makePhoto(made) {
  const { height, width, inside } = made;
  made.size = height * width;
  // The pixels that take part, and their colors one after the other.
  made.members = Uint32Array.from({ length: made.size }, (_, i) => i);
  if (inside) made.members = made.members.filter((i) => inside[i]);
  made.points = { rgb: partOf(made.pixels, made) };
  return made;
}

const partOf = (values, { members, size, channels }) =>
  members.length === size
    ? values
    : values.constructor.from({ length: members.length * channels }, (_, j) => {
        const c = j % channels;
        return values[members[(j - c) / channels] * channels + c];
      });

const colorAt = (i) =>
  photo.channels === 3
    ? [...photo.pixels.subarray(3 * i, 3 * i + 3)]
    : [photo.pixels[i], photo.pixels[i], photo.pixels[i]];
const placeOf = (i) => [Math.floor(i / photo.width), i % photo.width];
const takesPart = (i) => !photo.inside || photo.inside[i] !== 0;

/* Color spaces */

// sRGB of 8 bits to CIELAB, with the numbers of kmeans_seg.colorspace.
const linear = Float64Array.from({ length: 256 }, (_, value) => {
  const encoded = value / 255;
  return encoded <= 0.04045 ? encoded / 12.92 : ((encoded + 0.055) / 1.055) ** 2.4;
});

function labOf(color) {
  const [r, g, b] = color.map((value) => linear[value]);
  const [x, y, z] = data.lab.map(([red, blue]) => {
    const ratio = g + red * (r - g) + blue * (b - g);
    return ratio > (6 / 29) ** 3 ? Math.cbrt(ratio) : ((29 / 6) ** 2 / 3) * ratio + 4 / 29;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const dimensions = (space) => (space === "lab" ? 3 : photo.channels);
const pointOf = (space, i) =>
  space === "lab" ? labOf(colorAt(i)) : colorAt(i).slice(0, photo.channels);
const channelNames = (space) =>
  space === "lab"
    ? ["L*", "a*", "b*"]
    : photo.channels === 3
      ? ["R", "G", "B"]
      : [text("gray-channel")];

// The points of all members in a space, computed once.
function pointsIn(space) {
  if (space !== "lab") return photo.points.rgb;
  photo.points.lab ??= Float64Array.from([...photo.members].flatMap((i) => labOf(colorAt(i))));
  return photo.points.lab;
}

const colorsOf = (centers) =>
  centers.map((center) => {
    const color = center.map((value) => Math.min(255, Math.max(0, roundHalfToEven(value))));
    return color.length === 3 ? color : [color[0], color[0], color[0]];
  });

function roundHalfToEven(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

/* What a reader can ask for */

// A start is one of:
//   { kind: "recorded", number }  a run that Python recorded, number in data.runs
//   { kind: "seed", number }      initial centers that Python drew with this random seed
//   { kind: "draw", number }      k-means++ in this browser
//   { kind: "random", number }    pixels drawn in this browser, all equally likely
//   { kind: "dark" }              the k darkest colors
//   { kind: "own", pixels }       pixels that the reader chose
const isRecorded = (start) => start.kind === "recorded";
const fromPython = (start) => isRecorded(start) || start.kind === "seed";

const spaceOf = (start) =>
  isRecorded(start) ? data.runs[start.number].space : data.space === "raw" ? "raw" : "rgb";

// Pixels, by their index, whose colors are the initial centers.
function initialPixels(start, k) {
  const { members, channels } = photo;
  const points = pointsIn("rgb");
  const random = randomNumbers(start.number);
  const found = [];
  if (start.kind === "own") return start.pixels;
  if (start.kind === "seed") {
    const [, width] = data.size;
    const { pixels } = data.starts.find(({ seed }) => seed === start.number);
    return pixels.map(([row, column]) => row * width + column);
  }
  if (start.kind === "draw") {
    for (const j of plusPlus(points, channels, k, random)) found.push(members[j]);
    return found;
  }
  const seen = new Set();
  const take = (j) => {
    const color = points.slice(j * channels, (j + 1) * channels).join();
    if (!seen.has(color)) found.push(members[j]);
    seen.add(color);
  };
  if (start.kind === "random") {
    // Every color once: a long search only where there are hardly more colors than k.
    for (let tries = 0; found.length < k && tries < 50 * k; tries++) {
      take(Math.floor(random() * members.length));
    }
  }
  if (found.length < k) {
    const bright = Float64Array.from(members, (_, j) =>
      luma([...points.subarray(j * channels, (j + 1) * channels)]),
    );
    const order = members.map((_, j) => j).sort((a, b) => bright[a] - bright[b]);
    for (let n = 0; found.length < k && n < order.length; n++) take(order[n]);
  }
  return found;
}

/* Runs */

// A run: the pixels of its initial centers (`initial`), or the centers where they were given as
// numbers (`given`), and its passes. An end that has come is in `done`.
function newRun(start, k) {
  const made = { start, k, space: spaceOf(start), passes: [], done: null, initial: [], given: null, rehearsal: null };
  if (!isRecorded(start)) {
    made.initial = initialPixels(start, k);
    made.work = computing(made);
    if (made.initial.length === 0) made.work = [][Symbol.iterator]();
  }
  return made;
}

// Compute a run, a pass at each step of this generator.
function* computing(made) {
  const points = pointsIn(made.space);
  const centers = made.initial.map((i) => pointOf(made.space, i));
  const brightness = made.space === "raw" ? channelMean : luma;
  let last;
  for (const step of kmeans(points, centers, brightness)) {
    const repeats = last && step.pass === last.pass && step.changed === 0;
    last = step;
    if (repeats) continue; // a new order that reassigned nothing
    made.passes.push(passOf(made, step));
    yield;
  }
  const used = last.names.map((_, label) => last.labels.includes(label));
  const kept = last.names.map((_, label) => label).filter((label) => used[label]);
  const ends = kept.map((label) => last.centers[label]);
  made.done = {
    centers: ends,
    palette: colorsOf(ends),
    order: kept.map((label) => last.names[label]),
    converged: last.changed === 0,
  };
}

// What a slide needs of a pass. Centers keep the numbers that they had at the start.
function passOf(made, { pass, centers, labels, changed, names }) {
  const points = pointsIn(made.space);
  const unnamed = names.map((_, name) => centers[names.indexOf(name)]);
  const spread = new Uint8Array(photo.size).fill(OUTSIDE);
  const own = means(points, centers, labels);
  const channels = own[0].length;
  let [inertia, after] = [0, 0];
  for (let j = 0; j < labels.length; j++) {
    spread[photo.members[j]] = names[labels[j]];
    inertia += squaredDistance(points, j * channels, centers[labels[j]]);
    after += squaredDistance(points, j * channels, own[labels[j]]);
  }
  const palette = colorsOf(unnamed);
  return { pass, centers: unnamed, palette, inertia, after, changed, labels: spread };
}

// Unpack a run that Python recorded.
async function unpack(number) {
  const recorded = data.runs[number];
  const size = data.size[0] * data.size[1];
  const frames = await inflate(recorded.frames);
  for (let i = size; i < frames.length; i++) frames[i] ^= frames[i - size];
  const frame = (at) => frames.subarray(at * size, (at + 1) * size);
  const made = newRun({ kind: "recorded", number }, data.k);
  made.passes = recorded.passes.map((pass) => ({
    ...pass,
    labels: pass.frame === null ? null : frame(pass.frame),
    before: pass.frame ? frame(pass.frame - 1) : null,
  }));
  made.done = recorded.done;
  made.given = recorded.given;
  made.rehearsal = recorded.rehearsal;
  made.initial = recorded.initial.map(([row, column]) => row * data.size[1] + column);
  return made;
}

/* Slides */

// All half-steps of a run so far. `time` says when each is shown where two runs are compared:
// the initial centers of both first, then pass by pass.
function slidesOf(made, longestStart) {
  const slides = [];
  const initialCenters = made.initial.map((i) => pointOf(made.space, i));
  const initialColors = made.initial.map(colorAt);
  const { kind } = made.start;
  if (made.given || made.initial.length === 0 || kind === "own" || kind === "dark") {
    const centers = made.given?.centers ?? initialCenters;
    const palette = made.given?.palette ?? initialColors;
    slides.push({ kind: "start", time: 0, marks: made.initial, centers, palette });
  } else {
    made.initial.forEach((_, i) => {
      const [marks, centers] = [made.initial.slice(0, i + 1), initialCenters.slice(0, i + 1)];
      const palette = initialColors.slice(0, i + 1);
      const plus = i > 0 && drawnByDistance(made);
      slides.push({ kind: "center", time: i, marks, centers, palette, plus });
    });
  }
  let skipped = [];
  made.passes.forEach((pass, p) => {
    if (!pass.labels) {
      skipped.push(pass.pass);
      return;
    }
    const [previous, next] = [made.passes[p - 1], made.passes[p + 1]];
    const before = pass.before ?? previous?.labels ?? null;
    const shared = { p, pass: pass.pass, labels: pass.labels, before, changed: pass.changed };
    shared.counts = pass.counts ??= countLabels(pass.labels, pass.centers.length);
    slides.push({
      ...shared,
      kind: "assign",
      time: longestStart + 2 * p,
      centers: pass.centers,
      palette: pass.palette,
      inertia: pass.inertia,
      fall: previous ? 1 - pass.inertia / (previous.after || 1) : 0,
      moved: previous && distancesBetween(previous.centers, pass.centers),
      gap: skipped,
    });
    skipped = [];
    if (!next || next.pass === pass.pass) return;
    slides.push({
      ...shared,
      kind: "update",
      time: longestStart + 2 * p + 1,
      centers: next.centers,
      palette: next.palette,
      inertia: pass.after,
      fall: 1 - pass.after / (pass.inertia || 1),
      moved: distancesBetween(pass.centers, next.centers),
    });
  });
  if (made.done) {
    const last = slides.at(-1);
    made.done.labels ??= last.labels.map((label) =>
      label === OUTSIDE ? label : made.done.order.indexOf(label),
    );
    slides.push({
      ...made.done,
      kind: "done",
      p: made.passes.length - 1,
      time: longestStart + 2 * made.passes.length - 1,
      pass: last.pass,
      before: made.done.labels,
      changed: 0,
      inertia: last.inertia,
      counts: countLabels(made.done.labels, made.done.order.length),
    });
  }
  return slides;
}

// Whether k-means++ drew the initial centers.
const drawnByDistance = ({ start }) =>
  isRecorded(start) ? data.runs[start.number].init !== "random" : start.kind !== "random";

function countLabels(labels, k) {
  const counts = new Array(k).fill(0);
  for (const label of labels) if (label !== OUTSIDE) counts[label]++;
  return counts;
}

const distancesBetween = (before, after) =>
  after.map((center, i) => Math.sqrt(squaredDistance(center, 0, before[i])));

const startLength = (made) =>
  slidesOf({ ...made, passes: [], done: null }, 0).length;

// For every pixel the squared distance to the nearest of the initial centers before the last.
function distancesFromCenters(made, count) {
  const points = pointsIn(made.space);
  const size = dimensions(made.space);
  made.potential ??= [];
  for (let n = made.potential.length; n < count; n++) {
    const center = pointOf(made.space, made.initial[n]);
    const before = made.potential[n - 1];
    const found = new Float64Array(photo.members.length);
    for (let j = 0; j < found.length; j++) {
      const distance = squaredDistance(points, j * size, center);
      found[j] = before ? Math.min(before[j], distance) : distance;
    }
    made.potential.push(found);
  }
  return made.potential[count - 1];
}

// In the last half-step the segments have other numbers: which cluster is meant?
const clusterOf = (slide, index) => (slide.order ? slide.order[index] : index);
const indexOf = (slide, cluster) => (slide.order ? slide.order.indexOf(cluster) : cluster);
