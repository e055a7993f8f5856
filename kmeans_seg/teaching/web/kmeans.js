// K-means as in the textbook, in JavaScript. Nothing else on the page computes a run.
//
// From the same initial centers it finds the same labels and centers as the Python library, pass
// for pass and to the last bit: colors are whole numbers, so sums are exact, and every other
// number comes from the same operations in the same order.
//
// `points` is one long array of numbers, `channels` of them for each point. A center is an array
// of `channels` numbers. Labels are the indices of the centers.

function squaredDistance(points, start, center) {
  let sum = 0;
  for (let c = 0; c < center.length; c++) {
    const difference = points[start + c] - center[c];
    sum += difference * difference;
  }
  return sum;
}

// Step 1, k-means++: the farther a point is from the centers so far, the likelier it is drawn.
function* plusPlus(points, channels, k, random) {
  const n = points.length / channels;
  const nearest = new Float64Array(n).fill(1); // the first time, all points are equally likely
  for (let drawn = 0; drawn < k; drawn++) {
    let rest = random() * nearest.reduce((sum, distance) => sum + distance, 0);
    const index = nearest.findIndex((distance) => (rest -= distance) < 0);
    if (index < 0) return; // every color has a center already
    yield index;
    const center = [...points.slice(index * channels, (index + 1) * channels)];
    for (let i = 0; i < n; i++) {
      const distance = squaredDistance(points, i * channels, center);
      nearest[i] = drawn === 0 ? distance : Math.min(nearest[i], distance);
    }
  }
}

// Random numbers from 0 to 1, the same for the same seed: Mulberry32 by Tommy Ettinger.
function randomNumbers(seed) {
  let state = Math.imul(seed, 0x9e3779b9);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Steps 2, 3 and 5: assign each point to its nearest center; a tie goes to the lowest index.
function nearestCenter(points, centers) {
  const channels = centers[0].length;
  const labels = new Uint8Array(points.length / channels);
  for (let i = 0; i < labels.length; i++) {
    let smallest = Infinity;
    for (let label = 0; label < centers.length; label++) {
      const distance = squaredDistance(points, i * channels, centers[label]);
      if (distance < smallest) {
        smallest = distance;
        labels[i] = label;
      }
    }
  }
  return labels;
}

// Step 4: each center becomes the mean of its points; without points it stays.
function means(points, centers, labels) {
  const channels = centers[0].length;
  const counts = centers.map(() => 0);
  const sums = centers.map((center) => center.map(() => 0));
  for (let i = 0; i < labels.length; i++) {
    counts[labels[i]]++;
    for (let c = 0; c < channels; c++) sums[labels[i]][c] += points[i * channels + c];
  }
  return centers.map((center, label) =>
    counts[label] ? sums[label].map((sum) => sum / counts[label]) : center,
  );
}

// The loop: yields each pass with its centers, labels and number of points that were reassigned.
function* lloyd(points, centers, labels = null, firstPass = 1, passes = 1000) {
  for (let pass = firstPass; pass <= passes; pass++) {
    const previous = labels;
    labels = nearestCenter(points, centers);
    [centers, labels] = refill(points, centers, labels);
    const changed = previous ? countDifferences(labels, previous) : labels.length;
    yield { pass, centers, labels, changed };
    if (changed === 0) return; // step 6
    centers = means(points, centers, labels);
  }
}

function countDifferences(labels, others) {
  let count = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i] !== others[i]) count++;
  return count;
}

// A center without points moves to the point that is farthest from its own center. Of equally far
// points it takes the one whose channels come first in order. Then all points are assigned again.
function refill(points, centers, labels) {
  const channels = centers[0].length;
  const point = (i) => [...points.slice(i * channels, (i + 1) * channels)];
  for (;;) {
    const members = new Map(); // any point of each cluster
    labels.forEach((label, i) => members.has(label) || members.set(label, point(i)));
    if (members.size === centers.length) return [centers, labels];
    const distances = Float64Array.from(labels, (label, i) =>
      squaredDistance(points, i * channels, centers[label]),
    );
    const clustersOfOneColor = labels.every(
      (label, i) => squaredDistance(points, i * channels, members.get(label)) === 0,
    );
    if (clustersOfOneColor || distances.every((d) => d === 0)) return [centers, labels];
    centers = [...centers];
    for (let label = 0; label < centers.length; label++) {
      if (members.has(label) || distances.every((d) => d === 0)) continue;
      const most = distances.reduce((a, b) => Math.max(a, b));
      let chosen = null;
      distances.forEach((distance, i) => {
        if (distance === most && (!chosen || inOrder(point(i), chosen) < 0)) chosen = point(i);
      });
      centers[label] = chosen;
      for (let i = 0; i < distances.length; i++) {
        distances[i] = Math.min(distances[i], squaredDistance(points, i * channels, chosen));
      }
    }
    labels = nearestCenter(points, centers);
  }
}

// The sign says which of two lists of numbers comes first.
function inOrder(one, other) {
  const at = one.findIndex((value, c) => value !== other[c]);
  return at < 0 ? 0 : one[at] - other[at];
}

// What centers are ordered by: the luma of a color, or the mean of numbers that are no color.
const luma = (color) =>
  color.length === 1 ? color[0] : 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2];
const channelMean = (center) => center.reduce((sum, value) => sum + value) / center.length;

// The whole run: when the loop ends, the centers are numbered from dark to light. That can decide
// ties another way, so the loop goes on until nothing changes. `names` has the number that each
// center had at the start.
function* kmeans(points, centers, brightness = luma) {
  let names = centers.map((_, label) => label);
  let step = { labels: null, pass: 1 };
  for (;;) {
    for (step of lloyd(points, centers, step.labels, step.pass)) yield { ...step, names };
    ({ centers } = step);
    const order = names.map((_, label) => label);
    order.sort((i, j) =>
      inOrder([brightness(centers[i]), ...centers[i]], [brightness(centers[j]), ...centers[j]]),
    );
    if (order.every((from, to) => from === to)) return;
    centers = order.map((from) => centers[from]);
    names = order.map((from) => names[from]);
    step.labels = step.labels.map((label) => order.indexOf(label));
  }
}
