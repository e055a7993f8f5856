// Playback, keys, and what the pointer does on the pictures and in the colors.

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const roomy = matchMedia("(min-width: 720px) and (min-height: 500px)"); // no phone

function go(to) {
  const at = Math.max(0, Math.min(timeline.length - 1, to));
  const forward = at === state.at + 1;
  goal = goalAt = null;
  state.asked = null;
  state.at = at;
  cancelAnimationFrame(glide.frame);
  glide.share = 1;
  if (forward && slide().kind === "update" && !calm.matches) startGlide();
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
    drawColors();
    if (t < 1) glide.frame = requestAnimationFrame(tick);
  };
  glide.frame = requestAnimationFrame(tick);
}

let timer;

function play(on) {
  state.playing = on;
  clearTimeout(timer);
  $("play").classList.toggle("on", on);
  $("play").setAttribute("aria-label", text(on ? "pause" : "play"));
  if (!on) return;
  if (timeline.length === 1) return play(false); // no center yet
  if (atEnd()) go(0);
  const wait = () => {
    timer = setTimeout(
      () => {
        go(state.at + 1);
        if (atEnd()) play(false);
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

// Go to the end, even if it is still being computed.
function jumpToEnd() {
  jump(timeline.length - 1);
  if (runs.some(({ work }) => work)) goal = Infinity;
}

// Present: the picture and the words as large as the screen allows. A phone has no room for it.
let fullscreen = false;

function present(on) {
  state.present = on;
  document.documentElement.classList.toggle("present", on);
  $("present").setAttribute("aria-pressed", on);
  if (on) {
    // Where a frame does not allow it, the page fills the frame.
    document.documentElement.requestFullscreen?.().then(
      () => (fullscreen = true),
      () => {},
    );
  } else {
    if (document.activeElement === $("leave")) $("present").focus();
    if (document.fullscreenElement) document.exitFullscreen();
  }
  show();
}

function choosePixel(pixel, { pin = state.pinned, aloud = false } = {}) {
  state.pixel = pixel;
  state.pinned = pixel !== null && pin;
  document.body.classList.toggle("pinned", state.pinned);
  runs.forEach((_, index) => drawMarks(index));
  drawColors();
  fillPixel();
  noteAddress();
  if (aloud) sayPixel();
}

function leave() {
  if (state.pixel !== null) choosePixel(null, { pin: false });
  else if (state.only !== null) toggleOnly(state.only);
  else if (state.present) present(false);
}

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const plain = (event) => !(event.ctrlKey || event.metaKey || event.altKey);

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (!plain(event) || event.defaultPrevented) return;
    const own = event.target.matches?.("select, input[type=radio]") && event.key in ARROWS;
    if (own || event.target.matches?.("input[type=text], textarea")) return;
    const keys = {
      ArrowLeft: () => jump(state.at - 1),
      ArrowRight: () => jump(state.at + 1),
      PageUp: () => jump(state.at - 1),
      PageDown: () => jump(state.at + 1),
      Home: () => jump(0),
      End: jumpToEnd,
      Escape: leave,
      " ": event.target.matches?.("button, select") ? null : () => play(!state.playing),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  // A control that was clicked lets go of the keys: they step, wherever one has clicked.
  document.addEventListener("click", (event) => {
    const here = document.activeElement;
    if (event.detail > 0 && here?.matches("button, input, .stage, #space")) here.blur();
  });
  let pointed = false;
  document.addEventListener("pointerdown", () => (pointed = true), true);
  document.addEventListener("keydown", () => (pointed = false), true);
  document.addEventListener("change", (event) => pointed && event.target.blur());
}

function listenToPicture({ stage, index }) {
  const under = (event) => {
    const box = stage.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * photo.width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * photo.height);
    return pixelAt(row, column);
  };
  // The center whose badge is under the pointer.
  const markUnder = (event) => {
    const box = stage.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const marks = slideOf(index).marks ?? [];
    return marks.findLastIndex((pixel) => {
      const [mx, my] = spot(pixel, box.width, box.height);
      return Math.hypot(mx - x, my - y) < 16;
    });
  };
  const activate = () => {
    if (state.active === index) return;
    state.active = index;
    show();
  };
  let dragged = null; // the number of the center that is dragged
  let moved = false;
  stage.addEventListener("pointerdown", (event) => {
    moved = false;
    dragged = null;
    if (!data.live || event.button !== 0) return;
    const mark = markUnder(event);
    if (mark < 0) return;
    dragged = mark;
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    activate();
    if (dragged !== null) {
      const pixel = under(event);
      const pixels = [...runs[index].initial];
      if (pixels[dragged] === pixel || !takesPart(pixel)) return;
      moved = true;
      pixels[dragged] = pixel;
      placeCenters(index, pixels, { at: 0 });
    } else if (event.pointerType === "mouse" && !state.pinned) choosePixel(under(event));
  });
  stage.addEventListener("pointerup", () => (dragged = null));
  stage.addEventListener("pointercancel", () => (dragged = null));
  stage.addEventListener("click", (event) => {
    activate();
    if (moved) return;
    const pixel = under(event);
    if (placing(index) && markUnder(event) < 0) {
      if (takesPart(pixel)) placeCenters(index, [...runs[index].initial, pixel], { at: 0 });
    } else if (state.pinned && state.pixel === pixel) choosePixel(pixel, { pin: false });
    else choosePixel(pixel, { pin: true, aloud: true });
  });
  stage.addEventListener("keydown", (event) => {
    if (!plain(event)) return;
    if (placing(index) && event.key === "Enter" && state.pixel !== null) {
      event.preventDefault();
      placeCenters(index, [...runs[index].initial, state.pixel], { at: 0 });
    }
    if (placing(index) && (event.key === "Delete" || event.key === "Backspace")) {
      event.preventDefault();
      placeCenters(index, runs[index].initial.slice(0, -1), { at: 0 });
    }
    if (!ARROWS[event.key] || state.present) return;
    event.preventDefault();
    activate();
    const [down, right] = ARROWS[event.key];
    const far = state.pixel === null ? 0 : event.shiftKey ? 10 : 1;
    const [row, column] =
      state.pixel === null ? [photo.height >> 1, photo.width >> 1] : placeOf(state.pixel);
    choosePixel(pixelAt(row + far * down, column + far * right), { pin: true, aloud: true });
  });
}

// The pixel at a place, or the nearest one where the place is beside the picture.
const pixelAt = (row, column) => {
  const within = (value, size) => Math.max(0, Math.min(size - 1, value));
  return within(row, photo.height) * photo.width + within(column, photo.width);
};

function listenToColors() {
  const space = $("space");
  const at = (event) => {
    const box = space.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const turn = (spin, tilt) => {
    state.spin += spin;
    state.tilt = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, state.tilt + tilt));
    drawColors();
  };
  let from = null;
  let dragged = null;
  let moved = false;
  space.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    space.setPointerCapture(event.pointerId);
    from = at(event);
    moved = false;
    dragged = null;
    if (!data.live || !slide().marks?.length) return;
    const near = drawColors.centers.findLastIndex(
      ([x, y]) => Math.hypot(x - from[0], y - from[1]) < 14,
    );
    dragged = near < 0 ? null : near;
  });
  space.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = at(event);
    if (!moved && Math.hypot(to[0] - from[0], to[1] - from[1]) < 4) return;
    moved = true;
    if (dragged !== null) {
      const pixel = pixelNear(...to, 400);
      const pixels = [...activeRun().initial];
      if (pixel === null || pixels[dragged] === pixel) return;
      pixels[dragged] = pixel;
      placeCenters(state.active, pixels, { at: 0 });
      return;
    }
    if (view().kind === "solid") turn((from[0] - to[0]) * 0.01, (to[1] - from[1]) * 0.01);
    from = to;
  });
  space.addEventListener("pointerup", (event) => {
    const clicked = from && !moved;
    from = dragged = null;
    if (!clicked) return;
    const pixel = pixelNear(...at(event), 14);
    if (pixel === null) return;
    if (placing(state.active)) {
      placeCenters(state.active, [...activeRun().initial, pixel], { at: 0 });
    } else choosePixel(pixel, { pin: true, aloud: true });
  });
  space.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key] || !plain(event) || view().kind !== "solid" || state.present) return;
    event.preventDefault();
    const [down, right] = ARROWS[event.key];
    turn(-right * 0.12, down * 0.12);
  });
  $("reset").addEventListener("click", () => {
    [state.spin, state.tilt] = [0, 0.2];
    drawColors();
  });
}

function toggleOnly(cluster) {
  state.only = state.only === cluster ? null : cluster;
  show();
}

function listen() {
  $("first").addEventListener("click", () => jump(0));
  $("back").addEventListener("click", () => jump(state.at - 1));
  $("play").addEventListener("click", () => play(!state.playing));
  $("next").addEventListener("click", () => jump(state.at + 1));
  $("last").addEventListener("click", jumpToEnd);
  $("slider").addEventListener("input", () => jump(Number($("slider").value)));
  stepButtons().forEach((button, i) => {
    button.addEventListener("click", () => {
      const at = nextDoing(i + 1);
      if (at === undefined) return;
      jump(at);
      state.asked = i + 1;
      lightStep();
    });
  });
  $("speed").addEventListener("change", () => state.playing && play(true));
  for (const input of document.querySelectorAll("input[name=mode], input[name=seeding]")) {
    input.addEventListener("change", () => {
      state[input.name] = input.value;
      show();
    });
  }
  $("zoom").addEventListener("click", () => {
    state.zoom = !state.zoom;
    show();
  });
  $("present").addEventListener("click", () => present(!state.present));
  $("leave").addEventListener("click", () => present(false));
  document.addEventListener("fullscreenchange", () => {
    if (document.fullscreenElement || !fullscreen) return;
    fullscreen = false;
    if (state.present) present(false);
  });
  $("centers").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) toggleOnly(Number(button.dataset.cluster));
  });
  for (const card of cards) {
    listenToPicture(card);
    card.shares.addEventListener("click", ({ target }) => {
      if (target.dataset.cluster) toggleOnly(Number(target.dataset.cluster));
    });
  }
  listenToKeys();
  listenToColors();
  if (data.live) listenToTools();

  let resize;
  new ResizeObserver(() => {
    cancelAnimationFrame(resize);
    resize = requestAnimationFrame(redraw);
  }).observe(document.body);
  matchMedia("print").addEventListener("change", redraw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show());
}
