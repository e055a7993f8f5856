// What is shown. `state` has what the reader chose; everything else is derived from it.

const state = {
  k: data.k,
  starts: [{ kind: "recorded", number: 0 }], // of one run, or of two to compare
  active: 0, // the run that the panels show
  at: 0, // the half-step, an index of `timeline`
  mode: "segments", // or "original" or "changed"
  seeding: "distances", // or "original": what is shown while centers are drawn
  only: null, // the cluster that is shown alone
  pixel: null, // a pixel, by its index
  pinned: false, // whether it stays when the pointer moves
  zoom: false, // whether the curve starts at the lowest value instead of 0
  hide: [], // panels that are not shown
  present: false,
  playing: false,
  asked: null, // which of the six steps the reader went to
  spin: 0,
  tilt: 0.2,
};

let runs = [];
let slides = []; // of each run
let timeline = []; // the times of all slides

const recordings = []; // unpacked runs, by number
const activeRun = () => runs[state.active];
const slideOf = (index) =>
  slides[index].findLast(({ time }) => time <= timeline[state.at]) ?? slides[index][0];
const slide = () => slideOf(state.active);
const atEnd = () => state.at === timeline.length - 1 && runs.every(({ work }) => !work);

const halfStepsOfStart = () => Math.max(0, ...runs.map(startLength));

function makeSlides() {
  const longest = halfStepsOfStart();
  slides = runs.map((made) => slidesOf(made, longest));
  timeline = [...new Set(slides.flat().map(({ time }) => time))].sort((a, b) => a - b);
}

let order = 0; // of the latest request: an older one that is still computing stops
let goal = null; // the time of the half-step to show once it has been computed
let goalAt = null; // and its index, if that is what the reader asked for

// Make the runs that `state` asks for, and show the half-step `at` or, without it, the one that is
// shown; or if the reader asked for another start, all its initial centers, unless the end is shown.
// Computing yields to the reader every few milliseconds.
async function makeRuns({ at = null, restart = false, quiet = false } = {}) {
  const mine = ++order;
  const before = halfStepsOfStart();
  // The reader stays at the end, or at the same half-step of the same pass, and on the way there.
  const time = goal ?? (timeline.length > 1 && atEnd() ? Infinity : (timeline[state.at] ?? 0));
  runs = state.starts
    .map(fitting)
    .map((start) => (isRecorded(start) ? recordings[start.number] : runFor(start)));
  const start = halfStepsOfStart();
  goal = time < before ? Math.min(time, start - 1) : time + start - before;
  goalAt = at;
  state.asked = null;
  if (restart && goal !== Infinity) goal = start - 1;
  state.active = Math.min(state.active, runs.length - 1);
  const busy = () => runs.filter(({ work }) => work);
  for (let patience = 60; mine === order; patience = 40) {
    const late = performance.now() + patience;
    while (performance.now() < late && busy().length) {
      for (const made of busy()) if (made.work.next().done) made.work = null;
    }
    makeSlides();
    const end = timeline.at(-1);
    if (goalAt !== null) goal = timeline[goalAt] ?? Math.max(goalAt, end + 1);
    const near = goal === null ? state.at : timeline.findLastIndex((time) => time <= goal);
    const arrived = goal !== null && goal <= end;
    // On the way it is enough to see that something comes.
    if (patience === 60 || arrived || !busy().length) {
      state.at = Math.max(0, near);
      if (arrived) goal = goalAt = null;
      show({ quiet });
    } else showProgress();
    if (!busy().length) break;
    await new Promise((resolve) => setTimeout(resolve));
  }
  if (mine === order) goal = goalAt = null;
}

// The run from a start: the one that is shown already, if it is the same.
function runFor(start) {
  const wanted = JSON.stringify([start, state.k]);
  const same = runs.find((made) => made.photo === photo && made.wanted === wanted);
  return same ?? Object.assign(newRun(start, state.k), { photo, wanted });
}
