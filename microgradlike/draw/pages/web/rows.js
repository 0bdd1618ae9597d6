// What JavaScript lacks of the table's functions, each written once. A page carries those that its program calls.
// A line that begins with "const" begins a function; what it calls is found by name.

const square = (x) => x * x;

const fraction = (x, y) => y === 0 ? 0 : x / y;

const relu = (x) => x <= 0 ? 0 : x;

const pow = (x, y) => x === 1 || (x === -1 && abs(y) === Infinity) ? 1 : x ** y; // as IEEE 754 has it

const round = (x) => { // to the nearest integer, ties to even; keeps the sign of a zero
  if (!(abs(x) < 2 ** 52)) return x;
  const r = abs(x) + 2 ** 52 - 2 ** 52;
  return x < 0 || Object.is(x, -0) ? -r : r;
};

const remainder = (x, y) => { // with the sign of y
  const r = Number.isFinite(x) ? x % y : NaN;
  return r === 0 ? (y < 0 ? -0 : 0) : (r < 0) !== (y < 0) ? r + y : r;
};

const lost = (x, y) => { // what the rounding of x·y loses: Dekker 1971
  const split = (a) => { const t = 134217729 * a, h = t - (t - a); return [h, a - h]; };
  const [a, b] = split(x), [c, d] = split(y);
  return b * d - (x * y - a * c - b * c - a * d);
};

const exact = (x, y) => { // x·y as two numbers
  const e = lost(x, y);
  return [x * y, Number.isFinite(e) ? e : 0];
};

const copysign = (x, y) => (y < 0 || Object.is(y, -0) ? -abs(x) : abs(x));

const scale = (x, k) => // x·2ᵏ, rounded once
  k > 1000 ? x * 2 ** 1000 * 2 ** (k - 1000) : k < -1000 ? x * 2 ** -1000 * 2 ** (k + 1000) : x * 2 ** k;

const exponent = (x) => { // k for which x·2⁻ᵏ is in [√½, √2)
  if (!(x > 0 && x < Infinity)) return 0;
  let k = Math.round(log2(x));
  while (scale(x, -k) >= 1.4142135623730951) k++;
  while (scale(x, -k) < 0.7071067811865476) k--;
  return k;
};

const sum = (...xs) => { // rounded once: Shewchuk 1997
  const parts = [];
  let plain = 0;
  for (let x of xs) {
    plain += x;
    let n = 0;
    for (let y of parts) {
      if (abs(x) < abs(y)) [x, y] = [y, x];
      const high = x + y, low = y - (high - x);
      if (low !== 0) parts[n++] = low;
      x = high;
    }
    parts.length = n;
    parts.push(x);
  }
  if (!Number.isFinite(plain) || xs.length === 0) return plain;
  let n = parts.length - 1, high = parts[n], low = 0;
  while (n > 0 && low === 0) {
    const x = high, y = parts[--n];
    high = x + y;
    low = y - (high - x);
  }
  if (n > 0 && low < 0 === parts[n - 1] < 0) { // half of a last place: what follows decides
    const twice = 2 * low, up = high + twice;
    if (twice === up - high) high = up;
  }
  return high;
};

const dot = (...xs) => { // exact products, added up and rounded once
  const n = xs.length / 2, parts = [];
  let plain = 0;
  for (let i = 0; i < n; i++) {
    plain += xs[i] * xs[n + i];
    parts.push(...exact(xs[i], xs[n + i]));
  }
  return Number.isFinite(plain) ? sum(...parts) : plain;
};

const prod = (...xs) => xs.reduce((x, y) => x * y, 1);

const mean = (...xs) => {
  const whole = sum(...xs);
  return abs(whole) < Infinity ? whole / xs.length : 2 ** 64 * (sum(...xs.map((x) => x * 2 ** -64)) / xs.length);
};

const norm = (...xs) => { // scaled by a power of two where a square would leave the range
  const top = Math.max(...xs.map(abs));
  if (!(top > 0 && top < Infinity)) return xs.some((x) => abs(x) === Infinity) ? Infinity : top;
  const scale = top > 1e150 ? 2 ** -540 : top < 1e-140 ? 2 ** 540 : 1, ys = xs.map((x) => x * scale);
  return sqrt(dot(...ys, ...ys)) / scale;
};

const take = (k, ...xs) => xs[k];

const weights = (xs) => { // eˣ beside the largest, which has weight 1; null where there is none that is finite
  const top = Math.max(...xs);
  if (!Number.isFinite(top)) return null;
  const at = xs.indexOf(top), w = xs.map((x) => {
    const d = x - top, b = d - x, tail = x - (d - b) - (top + b);
    return d > -800 ? exp(d) * (1 + tail) : 0;
  });
  return { top, at, w, rest: sum(...w.filter((_, i) => i !== at)) };
};

const powers = (xs, bits) => xs.map((x) => { // eˣ·2^bits as an integer, for x < 0: as many digits as it takes
  let e = x === 0 ? 0 : exponent(abs(x)) - 53;
  const scaled = e + bits - 8, whole = BigInt(scale(x, -e)), r = scaled > 0 ? whole << BigInt(scaled) : whole >> BigInt(-scaled);
  let term = 1n << BigInt(bits), total = term;
  for (let n = 1n; term !== 0n && term !== -1n; n++) total += term = ((term * r) >> BigInt(bits)) / n;
  for (let i = 0; i < 8; i++) total = (total * total) >> BigInt(bits);
  return total;
});

const logsumexp = (...xs) => {
  const found = weights(xs);
  if (found === null) return Math.max(...xs);
  const tail = log1p(found.rest), s = sum(found.top, tail);
  if (!(found.top < 0 && abs(s) < 2 * tail)) return s;
  const bits = 256 - exponent(-found.top), total = powers(xs.filter((x) => x > -800), bits).reduce((a, b) => a + b, -1n << BigInt(bits));
  return log1p(scale(Number(total >> BigInt(bits - 256)), -256)); // where top and tail cancel
};

const softmax = (k, ...xs) => {
  const found = weights(xs);
  return found === null ? NaN : found.w[k] / (1 + found.rest);
};

const one_minus_softmax = (k, ...xs) => {
  const found = weights(xs);
  if (found === null) return NaN;
  return (k === found.at ? found.rest : sum(...found.w.filter((_, i) => i !== k))) / (1 + found.rest);
};

const softmax_slope = (k, j, ...xs) => softmax(k, ...xs) * (k === j ? one_minus_softmax(k, ...xs) : -softmax(j, ...xs));

const cross_entropy = (k, ...xs) => {
  const found = weights(xs);
  return found === null ? NaN : sum(log1p(found.rest), found.top, -xs[k]);
};

const log_softmax = (k, ...xs) => -cross_entropy(k, ...xs);

const soft_cross_entropy = (...xs) => {
  const n = xs.length / 2, logits = xs.slice(0, n);
  return sum(...xs.slice(n).map((q, k) => q === 0 ? 0 : q * cross_entropy(k, ...logits)));
};

const softmax_minus = (k, ...xs) => { // softmaxₖ·Σy − yₖ as Σ (wₖ·yⱼ − wⱼ·yₖ) / Σw: exact products
  const n = xs.length / 2, found = weights(xs.slice(0, n)), ys = xs.slice(n);
  if (found === null) return NaN;
  const parts = ys.flatMap((y, j) => [...exact(found.w[k], y), ...exact(-found.w[j], ys[k])]);
  return sum(...parts) / (1 + found.rest);
};

const upTo = (n, factor) => { // factor(1)·…·factor(n)
  let found = 1;
  for (let k = 1; k <= n; k++) found *= factor(k);
  return found;
};
