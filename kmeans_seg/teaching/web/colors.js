// The colors as points: a cube or a solid of CIELAB that can be turned, or a line of grays.

const glide = { frame: 0, share: 1 }; // how far the centers have gone on their way

const DOTS = 4000;
const views = new WeakMap(); // of each photo, by the name of the space

function view() {
  const { space } = activeRun();
  if (!views.has(photo)) views.set(photo, {});
  const known = views.get(photo);
  known[space] ??= photo.channels === 1 ? lineView(space) : solidView(space);
  return known[space];
}

/* How a space is looked at */

// The pixels that are drawn as dots: all, or as many as the eye can use, spread by chance.
function sample() {
  const { members } = photo;
  if (members.length <= DOTS) return [...members];
  const random = randomNumbers(0);
  const part = members.length / DOTS;
  return Array.from({ length: DOTS }, (_, i) => members[Math.floor((i + random()) * part)]);
}

function lineView(space) {
  const grays = Array.from({ length: 256 }, (_, value) => [value, value, value]);
  const positions = grays.map((gray) => (space === "lab" ? labOf(gray)[0] : gray[0]));
  const counts = new Array(256).fill(0);
  for (const i of photo.members) counts[photo.pixels[i]]++;
  const name = space === "lab" ? "L*" : text("gray-value");
  return { kind: "line", positions, counts, low: positions[0], high: positions[255], name };
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = ([a, b, c], [x, y, z]) => [b * z - c * y, c * x - a * z, a * y - b * x];

// The gray axis stands upright. Around it the view is turned so that the colors spread widest:
// the first principal axis of what is left without lightness lies across.
function solidView(space) {
  const lab = space === "lab";
  const up = lab ? [1, 0, 0] : [1, 1, 1].map((part) => part / Math.sqrt(3));
  const across = lab ? [0, 1, 0] : [1, -1, 0].map((part) => part / Math.sqrt(2));
  const level = [across, cross(up, across)];
  const pixels = sample();
  const points = pixels.map((i) => pointOf(space, i));
  const mean = [0, 1, 2].map((c) => points.reduce((sum, p) => sum + p[c], 0) / points.length);
  const flat = points.map((p) => level.map((axis) => dot(axis, p) - dot(axis, mean)));
  const moment = (a, b) => flat.reduce((sum, p) => sum + p[a] * p[b], 0);
  const turn = Math.atan2(2 * moment(0, 1), moment(0, 0) - moment(1, 1)) / 2;
  const right = [0, 1, 2].map((c) => Math.cos(turn) * level[0][c] + Math.sin(turn) * level[1][c]);
  const basis = [right, up, cross(right, up)];

  const frame = lab ? labFrame(points) : cubeFrame();
  const corners = frame.flatMap(({ line }) => line);
  const reachFrom = (middle, far) =>
    Math.max(...far.map((p) => Math.hypot(...p.map((value, c) => value - middle[c]))));
  let middle = [0, 1, 2].map((c) => {
    const values = corners.map((p) => p[c]);
    return (Math.min(...values) + Math.max(...values)) / 2;
  });
  let reach = reachFrom(middle, corners);
  if (reachFrom(mean, points) < 0.6 * reach) {
    // A small cloud: go near.
    middle = mean;
    reach = Math.max(1, reachFrom(mean, points));
  }
  return { kind: "solid", basis, middle, reach, frame, dots: pixels.map((i, n) => [i, points[n]]) };
}

// The twelve edges of the cube, and its diagonal of grays.
function cubeFrame() {
  const corner = (n) => [0, 1, 2].map((c) => 255 * ((n >> c) & 1));
  const frame = [{ line: [corner(0), corner(7)] }];
  for (let from = 0; from < 8; from++) {
    for (let c = 0; c < 3; c++) {
      if ((from >> c) & 1) continue;
      const line = [corner(from), corner(from | (1 << c))];
      frame.push(from === 0 ? { line, name: "RGB"[c] } : { line });
    }
  }
  return frame;
}

// The axis of L*, and the cross and the circle of a* and b* that the colors reach.
function labFrame(points) {
  const chroma = 10 * Math.ceil(Math.max(1, ...points.map(([, a, b]) => Math.hypot(a, b))) / 10);
  const circle = Array.from({ length: 73 }, (_, i) => {
    const angle = (i * Math.PI) / 36;
    return [50, chroma * Math.cos(angle), chroma * Math.sin(angle)];
  });
  const ends = { "+a*": [1, 0], "−a*": [-1, 0], "+b*": [0, 1], "−b*": [0, -1] };
  return [
    { line: [[0, 0, 0], [100, 0, 0]], name: "L*" },
    { line: circle },
    ...Object.entries(ends).map(([name, [a, b]]) => ({
      line: [[50, 0, 0], [50, a * chroma, b * chroma]],
      name,
    })),
  ];
}

/* Drawing */

// Where a point of the color space is on the canvas: [x, y, depth].
function solidProjector(w, h) {
  const { basis, middle, reach } = view();
  const scale = (Math.min(w, h) / 2 - 20) / reach;
  const [sin, cos] = [Math.sin(state.spin), Math.cos(state.spin)];
  const [down, level] = [Math.sin(state.tilt), Math.cos(state.tilt)];
  return (point) => {
    const from = point.map((value, c) => value - middle[c]);
    const [right, up, toward] = basis.map((axis) => dot(axis, from));
    const x = right * cos + toward * sin;
    const depth = toward * cos - right * sin;
    const y = up * level - depth * down;
    return [w / 2 + scale * x, h / 2 - scale * y, depth * level + up * down];
  };
}

// The way of each cluster through the half-steps so far, one list of positions each.
function trails() {
  const ways = [];
  for (const { kind, time, centers } of slides[state.active]) {
    if (time > timeline[state.at] || kind === "done") break;
    centers.forEach((center, i) => (ways[i] ??= []).push(center));
  }
  return ways;
}

// The centers, on their way while they glide.
function centersNow() {
  const shown = slide();
  if (shown.kind !== "update" || glide.share === 1) return shown.centers;
  const all = slides[state.active];
  const before = all[all.indexOf(shown) - 1].centers;
  return shown.centers.map((after, i) =>
    after.map((value, c) => before[i][c] + glide.share * (value - before[i][c])),
  );
}

const MANY = 16; // of more centers only the nearest is joined to the chosen pixel

function drawColors() {
  const shown = slide();
  const [context, w, h] = fine($("space"));
  const project = view().kind === "solid" ? drawSolid(context, w, h) : drawLine(context, w, h);
  const centers = centersNow().map((center) => project(center));
  const scale = enlarged();
  if (state.pixel !== null && centers.length && takesPart(state.pixel)) {
    const point = pointOf(activeRun().space, state.pixel);
    const from = project(point);
    const best = nearestTo(shown.centers, point);
    centers.forEach((to, i) => {
      // The lines to many centers would hide the colors.
      if (i !== best && centers.length <= MANY) stroke(context, [from, to], token("--soft"), 1);
    });
    stroke(context, [from, centers[best]], token("--ink"), 2.5);
    context.beginPath();
    context.arc(from[0], from[1], 5 * scale, 0, 2 * Math.PI);
    context.fillStyle = css(colorAt(state.pixel));
    context.fill();
    ring(context, from[0], from[1], 5 * scale, "#ffffff", 1.5);
  }
  const radius = scale * (centers.length > 24 ? 7 : centers.length > 8 ? 8.5 : 10);
  centers.forEach(([x, y], i) => {
    context.globalAlpha = state.only === null || clusterOf(shown, i) === state.only ? 1 : 0.35;
    badge(context, x, y, shown.palette[i], i, radius);
  });
  context.globalAlpha = 1;
  drawColors.centers = centers;
  drawColors.project = project;
}

function drawSolid(context, w, h) {
  const shown = slide();
  const project = solidProjector(w, h);
  const { frame, dots, reach } = view();
  const ink = token("--ink");

  context.globalAlpha = 0.28;
  for (const { line } of frame) stroke(context, line.map(project), ink, 1);
  context.globalAlpha = 1;

  const spots = dots.map(([pixel, point]) => [project(point), pixel]);
  spots.sort(([a], [b]) => a[2] - b[2]);
  const size = w > 440 ? 3.2 : w > 360 ? 2.6 : 2.2;
  const only = state.only === null ? null : indexOf(shown, state.only);
  const palette = shown.palette.map(css);
  for (const [[x, y, depth], i] of spots) {
    const label = shown.labels?.[i];
    const away = shown.labels && only !== null && label !== only;
    const still = state.mode === "changed" && shown.before && shown.before[i] === label;
    const own = modeOf(shown) === "original" || !shown.labels || still;
    context.globalAlpha = away || still ? 0.1 : 0.62 + 0.3 * (depth / reach);
    context.fillStyle = own ? css(colorAt(i)) : palette[label];
    context.fillRect(x - size / 2, y - size / 2, size, size);
  }
  context.globalAlpha = 1;

  context.font = canvasFont();
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = ink;
  for (const { line, name } of frame) {
    if (!name) continue;
    const [from, to] = [line[0], line.at(-1)].map(project);
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
  const shown = slide();
  const { positions, counts, low, high, name } = view();
  const [left, right, ground] = [18, w - 18, h * 0.52];
  const across = (value) => left + ((right - left) * (value - low)) / (high - low);

  const labelOf = [];
  if (shown.labels) for (const i of photo.members) labelOf[photo.pixels[i]] = shown.labels[i];
  const only = state.only === null ? null : indexOf(shown, state.only);
  const most = Math.max(...counts);
  const bar = Math.max(1, ((right - left) / 256) * 0.98);
  counts.forEach((count, value) => {
    if (!count) return;
    const label = labelOf[value];
    const own = modeOf(shown) === "original" || !shown.labels;
    const tall = Math.max(1, (count / most) * (ground - 22));
    context.globalAlpha = shown.labels && only !== null && label !== only ? 0.15 : 1;
    context.fillStyle = css(own ? [value, value, value] : shown.palette[label]);
    context.fillRect(across(positions[value]) - bar / 2, ground - tall, bar, tall);
  });
  context.globalAlpha = 1;

  const ink = token("--ink");
  stroke(context, [[left, ground], [right, ground]], ink, 1);
  context.font = canvasFont();
  context.textBaseline = "top";
  context.fillStyle = ink;
  context.textAlign = "left";
  context.fillText(whole(low), left, ground + 5);
  context.textAlign = "right";
  context.fillText(whole(high), right, ground + 5);
  context.textAlign = "center";
  context.fillText(name, w / 2, ground + 5);

  // The newest is on the last line of the time that is shown.
  const ways = trails();
  const first = ground + 38;
  const span = Math.max(...ways.map((way) => way.length), 2) - 1;
  const pace = Math.min(16, (h - first - 18) / span);
  const downTo = (time) => first + time * pace;
  ways.forEach((way, cluster) => {
    const late = span + 1 - way.length; // a center that was drawn later starts further down
    const line = way.map(([value], i) => [across(value), downTo(late + i)]);
    drawTrail(context, line, cluster);
  });
  return ([value]) => [across(value), downTo(span), 0];
}

// The pixel whose dot is drawn nearest to a place on the canvas, if one is near.
function pixelNear(x, y, within = 40) {
  const { project } = drawColors;
  const seen =
    view().kind === "solid"
      ? view().dots
      : sample().map((i) => [i, pointOf(activeRun().space, i)]);
  let [found, least] = [null, within ** 2];
  for (const [pixel, point] of seen) {
    const [px, py, depth] = project(point);
    const down = view().kind === "solid" ? y : py;
    // Of dots that cover each other the one in front.
    const distance = (px - x) ** 2 + (py - down) ** 2 - depth / 1e3;
    if (distance < least) [found, least] = [pixel, distance];
  }
  return found;
}
