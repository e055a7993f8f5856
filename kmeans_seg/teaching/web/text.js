// Words, numbers and elements. Every word of the page is in the table of its language.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

let language = "en";

function chooseLanguage(wanted) {
  const wishes = [wanted, data.lang, ...navigator.languages].filter(Boolean);
  const known = wishes.map((wish) => wish.slice(0, 2)).find((wish) => data.texts[wish]);
  language = known ?? "en";
  document.documentElement.lang = language;
  for (const name of ["t", "label", "title"]) {
    for (const item of document.querySelectorAll(`[data-${name}]`)) {
      const found = text(item.dataset[name]);
      if (name === "t") item.textContent = found;
      else item.setAttribute(name === "label" ? "aria-label" : "title", found);
    }
  }
}

// A text of the table with values in their places. Where there are plural forms, `n` chooses.
function text(key, values = {}) {
  let found = data.texts[language][key];
  if (found === undefined) throw new Error(`no text ${key} in ${language}`);
  if (typeof found !== "string") {
    const rules = new Intl.PluralRules(language);
    const form = values.n === 0 && found.zero ? "zero" : rules.select(values.n);
    found = found[form] ?? found.other;
  }
  return found.replace(/\{(\w+)\}/g, (_, name) =>
    typeof values[name] === "number" ? whole(values[name]) : values[name],
  );
}

const format = (value, options) =>
  value
    .toLocaleString(language, { useGrouping: "always", ...options })
    .replace(/^-(0([.,]0*)?)$/, "$1") // no minus before nothing
    .replace("-", "−");
const whole = (value) => format(value, { maximumFractionDigits: 0 });
// The unit of numbers between these, and its name: 10⁶ and "million". It suits the least, unless the
// most would get too long.
function unitOf(least, most) {
  const thousands = (value) => Math.log10(Math.max(value, 1)) / 3;
  const small = least < 1e4 ? 0 : Math.floor(thousands(least) + 1e-9);
  const unit = 1000 ** Math.max(small, Math.ceil(thousands(most / 99999)));
  if (unit === 1) return [1, ""];
  const words = { notation: "compact", compactDisplay: "long" };
  const parts = new Intl.NumberFormat(language, words).formatToParts(2 * unit);
  return [unit, parts.find(({ type }) => type === "compact").value];
}
const places = (value, digits) =>
  format(value, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const percent = (part) =>
  part > 0 && part < 1e-6
    ? text("less-than", { value: percent(1e-6) })
    : format(part, { style: "percent", maximumSignificantDigits: 2 });

// 2, 3, 4, 7 as "2–4, 7"
function ranges(numbers) {
  const found = [];
  for (const n of numbers) {
    const last = found.at(-1);
    if (last && last[1] === n - 1) last[1] = n;
    else found.push([n, n]);
  }
  return found.map(([from, to]) => (from === to ? from : `${from}–${to}`)).join(", ");
}

const SVG = new Set(["svg", "g", "path", "circle", "line", "text", "rect"]);

function element(name, attributes = {}, ...children) {
  const made = SVG.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

// Black or white, whichever has the higher contrast (WCAG 2): their limit is a luminance of 0.179.
function readable(color) {
  const [r, g, b] = color.map((value) => linear[Math.round(value)]);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}

// A color of the style sheet as it is in this light.
const probe = document.body.appendChild(document.createElement("i"));
probe.hidden = true;
function token(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function chip(name, color, content, attributes = {}) {
  const style = `--swatch: ${css(color)}; --on-swatch: ${readable(color)}`;
  return element(name, { class: "chip", style, ...attributes }, content);
}

// How large badges and letters are on a canvas: in `present` as large as all other text.
const enlarged = () => (state.present ? 2.2 : 1);
function canvasFont() {
  const large = getComputedStyle(document.documentElement).fontSize;
  return `${state.present ? large : "12px"} system-ui, sans-serif`;
}

// A canvas as fine as the screen; its context draws in CSS pixels.
function fine(canvas) {
  const box = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, box.width, box.height);
  return [context, box.width, box.height];
}

function stroke(context, points, style, thickness) {
  context.strokeStyle = style;
  context.lineWidth = thickness;
  context.lineJoin = context.lineCap = "round";
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
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

function badge(context, x, y, color, content, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = css(color);
  context.fill();
  ring(context, x, y, radius, "#ffffff", 2);
  context.fillStyle = readable(color);
  context.font = `650 ${Math.max(10, 1.1 * radius)}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(content, x, y + 0.5);
}
