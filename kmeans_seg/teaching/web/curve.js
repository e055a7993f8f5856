// The curve of the inertia: a point for each half-step, drawn as far as the run has been followed.

function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.7);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) {
    found.push(n * step);
  }
  return [found, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
}

const MOST_DOTS = 90; // of more half-steps only the line is drawn

// The unit in which the inertias of all runs are given, and its name.
function unitOfRuns() {
  const values = runs.flatMap(curveOf).map(([, value]) => value);
  return values.length ? unitOf(Math.min(...values), Math.max(...values)) : [1, ""];
}

// An inertia, in this unit.
function inertiaOf(value) {
  const [unit, name] = unitOfRuns();
  return `${format(value / unit, { maximumSignificantDigits: 4 })} ${name}`.trim();
}

// The half-steps of a run in order: [x, inertia], with the update between two assignments.
const curveOf = (made) =>
  made.passes.flatMap(({ inertia, after }, p) => {
    const last = p === made.passes.length - 1;
    return last ? [[2 * p, inertia]] : [[2 * p, inertia], [2 * p + 1, after]];
  });

// How far the curve of a run has been followed.
function followed(index) {
  const shown = slideOf(index);
  if (shown.p === undefined) return -1;
  return shown.kind === "update" ? 2 * shown.p + 1 : 2 * shown.p;
}

function drawCurve() {
  const box = $("curve");
  const [w, h] = [box.clientWidth || 320, box.clientHeight || 170];
  const scale = parseFloat(getComputedStyle(box).fontSize) / 11.5;
  const [right, top, bottom] = [12 * scale, 20 * scale, 19 * scale];
  let left = 44 * scale;
  const sameUnit = new Set(runs.map(({ space }) => space)).size === 1;
  // Values of different color spaces cannot be compared, only how each run's falls.
  const all = runs.map((made) => {
    const points = curveOf(made);
    const whole = sameUnit ? 1 : points[0]?.[1] / 100 || 1;
    return points.map(([x, value]) => [x, value / whole]);
  });
  const everything = all.flat().map(([, value]) => value);
  const svg = element("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": curveLabel() });
  box.replaceChildren(svg);
  const write = (x, y, content, attributes = {}) =>
    svg.append(element("text", { x, y, ...attributes }, content));
  const { rehearsal } = activeRun();
  if (rehearsal && slide().kind === "start") {
    drawRehearsal(rehearsal, { svg, write, box: [left, top, w - right, h - bottom], scale });
    return;
  }
  if (!everything.length) {
    write(w / 2, h / 2, text("curve.empty"), { "text-anchor": "middle" });
    return;
  }

  // Zoomed in, the axis fits what comes after the first pass; the curve comes down from above.
  const late = all.flat().filter(([x]) => x > 1).map(([, value]) => value);
  const fitted = state.zoom && late.length ? late : everything;
  const most = Math.max(...fitted);
  const [unit, unitName] = sameUnit ? unitOfRuns() : [1, ""];
  const lowest = state.zoom ? Math.min(...fitted) / unit : 0;
  const room = state.zoom ? (most / unit - lowest) * 0.06 || 0.5 : 0;
  const [low, high] = [lowest - room, most / unit + (room || (most / unit) * 0.05 || 1)];
  const ends = Math.max(1, ...all.flat().map(([x]) => x));
  const plot = h - top - bottom;
  const [marks, digits] = ticks(low, high, Math.max(2, Math.min(4, plot / (30 * scale))));
  const longestMark = Math.max(...marks.map((value) => places(value, digits).length));
  left = Math.max(left, (10 + 6.6 * longestMark) * scale);
  const x = (at) => left + 6 + ((w - left - right - 12) * at) / ends;
  const y = (value) => top + plot - (plot * (value / unit - low)) / (high - low);

  const title = [
    sameUnit ? "" : text("curve.axis-percent"),
    unitName,
    state.zoom ? text("curve.zoomed") : "",
  ];
  write(0, 11 * scale, title.filter(Boolean).join(" · "), { class: "title" });
  for (const value of marks) {
    const at = y(value * unit);
    const base = value === 0 ? "grid base" : "grid";
    svg.append(element("line", { x1: left, x2: w - right, y1: at, y2: at, class: base }));
    write(left - 6, at + 4 * scale, places(value, digits), { "text-anchor": "end" });
  }
  const longest = runs.reduce((a, b) => (b.passes.length > a.passes.length ? b : a)).passes;
  const [passes] = ticks(1, Math.max(2, longest.at(-1).pass), 6);
  for (const pass of passes.filter(Number.isInteger)) {
    const p = longest.findIndex((one) => one.pass === pass);
    if (p >= 0) write(x(2 * p), h - bottom + 15 * scale, whole(pass), { "text-anchor": "middle" });
  }
  write(0, h - bottom + 15 * scale, text("curve.pass"));
  const dotted = all.some((points) => points.length <= MOST_DOTS);
  if (dotted) write(w - right, 11 * scale, text("curve.legend"), { "text-anchor": "end" });

  // Where a click leads.
  const target = element("rect", { x: left, y: 0, width: w - left, height: h, class: "target" });
  target.addEventListener("click", (event) => {
    const bounds = svg.getBoundingClientRect();
    const at = ((event.clientX - bounds.left) / bounds.width) * w;
    const known = slides[state.active].filter(({ kind }) => kind === "assign" || kind === "update");
    const place = ({ p, kind }) => Math.abs(x(2 * p + (kind === "update")) - at);
    const near = known.reduce((a, b) => (place(b) < place(a) ? b : a));
    jump(timeline.indexOf(near.time));
  });

  const clip = element("svg", { x: 0, y: top - 6, width: w, height: plot + 12, role: "none" });
  svg.append(clip);
  const labels = [];
  all.forEach((points, index) => {
    const end = followed(index);
    const seen = points.filter(([at]) => at <= end);
    if (!seen.length) return;
    const down = (value) => y(value) - top + 6; // within the clip
    const line = seen.map(([at, value], i) => `${i ? "L" : "M"}${x(at)} ${down(value)}`).join("");
    const group = element("g", { class: `run-${index}` });
    clip.append(group);
    group.append(element("path", { d: line, class: "line" }));
    if (points.length <= MOST_DOTS) {
      for (const [at, value] of seen) {
        const kind = at % 2 ? "dot update" : "dot";
        group.append(element("circle", { cx: x(at), cy: down(value), r: 2.7 * scale, class: kind }));
      }
    }
    const [at, value] = seen.at(-1);
    const now = { cx: x(at), cy: down(value), r: 5 * scale, class: "here", "data-at": at };
    group.append(element("circle", now));
    const name = runs.length > 1 ? `${"AB"[index]} ` : "";
    const label = format(value / unit, { maximumSignificantDigits: 4 });
    // Above the line, or below it where there is no room.
    const above = y(value) - 9 * scale;
    const below = y(value) + 19 * scale;
    labels.push([x(at), above < top + 8 * scale ? below : above, name + label, index]);
  });
  labels.sort(([, a], [, b]) => b - a);
  if (labels.length > 1) labels[1][1] = Math.min(labels[1][1], labels[0][1] - 15 * scale);
  for (const [at, down, label, index] of labels) {
    const end = at > w - 100 * scale;
    const anchor = { x: at + (end ? -8 : 8) * scale, "text-anchor": end ? "end" : "start" };
    const text = element("text", { y: down, ...anchor }, label);
    svg.append(element("g", { class: `run-${index}` }, text));
  }
  svg.append(target);
}

// Where each rehearsal ended: a bar for each start, from the best to the worst.
function drawRehearsal(rehearsal, { svg, write, box: [left, top, right, bottom], scale }) {
  const ends = rehearsal.ends.slice(0, rehearsal.drawn).sort((a, b) => a - b);
  const best = Math.min(...rehearsal.ends);
  const all = [best, ...ends];
  const width = (right - left) / all.length;
  const most = Math.max(...all) || 1;
  all.forEach((value, i) => {
    const height = ((bottom - top) * value) / most;
    const size = { x: left + i * width + width * 0.12, width: width * 0.76 };
    const kind = i ? "rehearsed" : "rehearsed best";
    svg.append(element("rect", { ...size, y: bottom - height, height, class: kind }));
  });
  svg.append(element("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "grid base" }));
  write(0, 11 * scale, text("curve.rehearsal"), { class: "title" });
  write(right, 11 * scale, `+${percent(worst(rehearsal))}`, { "text-anchor": "end" });
  const middle = { "text-anchor": "start" };
  write(left, bottom + 15 * scale, text("curve.rehearsal-best"), middle);
}

// How far the worst start ended above the best: not at all where both ended at 0.
function worst({ ends, drawn }) {
  const [most, least] = [Math.max(...ends.slice(0, drawn)), Math.min(...ends)];
  return most === least ? 0 : most / least - 1;
}

function curveLabel() {
  const { rehearsal } = activeRun();
  if (rehearsal && slide().kind === "start") {
    const part = percent(worst(rehearsal));
    return text("curve.rehearsal-label", { n: rehearsal.drawn, part });
  }
  return runs
    .map((made, index) => {
      const first = made.passes[0];
      if (!first) return text("curve.empty");
      const now = slideOf(index).inertia;
      if (now === undefined) return text("curve.later");
      const values = { from: inertiaOf(first.inertia), to: inertiaOf(now) };
      return (runs.length > 1 ? `${"AB"[index]}: ` : "") + text("curve.label", values);
    })
    .join("; ");
}

// Who ends with a lower inertia, in words.
function verdict() {
  if (runs.length < 2) return "";
  if (new Set(runs.map(({ space }) => space)).size > 1) return text("verdict.units");
  if (!runs.every(({ done }) => done)) return text("verdict.later");
  const [a, b] = runs.map((_, index) => slideOf(index).inertia ?? NaN);
  const ended = [0, 1].every((index) => slideOf(index).kind === "done");
  if (Number.isNaN(a + b)) return text("verdict.not-yet");
  if (!ended) return text(a === b ? "verdict.equal-now" : "verdict.now", { less: a < b ? "A" : "B" });
  if (Math.abs(a - b) <= 1e-9 * Math.max(a, b)) return text("verdict.same");
  const [less, more] = a < b ? ["A", "B"] : ["B", "A"];
  const part = Math.max(a, b) / Math.min(a, b) - 1;
  if (!Number.isFinite(part)) return text("verdict.less-than-any", { less, more });
  return text("verdict.less", { less, more, part: percent(part) });
}
