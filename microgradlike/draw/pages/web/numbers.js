// Numbers as the pictures write them (picture/text.py), and texts with places for numbers (pages/numbers.py).
const find = (id) => document.getElementById(id);
const data = JSON.parse(find("data").textContent);
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const plain = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

const rounded = (a, digits) => { // toPrecision, but a tie goes to the even digit, as in Python
  const text = a.toExponential(digits - 1);
  if (digits > 20 || (a * 2 ** 40) % 1 !== 0) return text;
  const [mantissa, e] = a.toExponential(60).split("e"), figures = mantissa.replace(".", "");
  if (!/^50*$/.test(figures.slice(digits)) || +figures[digits - 1] % 2 === 1) return text;
  return `${figures[0]}.${figures.slice(1, digits)}e${e}`;
};
const number = (x, digits = data.digits) => {
  if (x !== x) return "nan";
  const sign = x < 0 ? "−" : "", a = Math.abs(x);
  if (a === Infinity) return sign + "∞";
  if (a === 0) return "0";
  if (a >= 1e-4 && a < 1e6) {
    if (a < 10 ** digits) { const whole = +rounded(a, digits); return sign + whole; }
    return sign + (a % 1 === 0.5 && Math.floor(a) % 2 === 0 ? Math.floor(a) : Math.round(a));
  }
  const [m, e] = rounded(a, Math.max(digits - 1, 1)).split("e");
  return `${sign}${+m}e${+e}`.replace("e-", "e−");
};
const signed = (x) => (x > 0 ? "+" : "") + number(x);
const total = (terms, sum) => {
  if (terms.length > 4) return `${terms.length} paths, Σ = ${number(sum)}`;
  const rest = terms.slice(1).map((t) => (number(t)[0] === "−" ? ` − ${number(t).slice(1)}` : ` + ${number(t)}`));
  return `${number(terms[0])}${rest.join("")} = ${number(sum)}`;
};
const ranged = (xs) => {
  const finite = xs.filter(Number.isFinite);
  if (!finite.length) return xs.length ? number(xs[0]) : "–";
  const low = number(Math.min(...finite), 3), high = number(Math.max(...finite), 3), strange = xs.length - finite.length;
  return (low === high ? low : `${low} … ${high}`) + (strange ? `, ${strange.toLocaleString("en")} not finite` : "");
};

// what a reference stands for, given [values, gradients, local derivatives, what was sent]
const exact = ([what, at, node = -1], now, next) => {
  const [values, gradients, locals, sent] = now;
  if (what === "value") return values[at];
  if (what === "gradient") return gradients[at] ?? 0;
  if (what === "next") return next[0][at];
  if (what === "local") return locals[at] ?? 0;
  return node >= 0 ? gradients[node] ?? 0 : [at].flat().reduce((x, j) => x + (sent[j] ?? 0), 0);
};
const fill = (words, now, next) => {
  if (typeof words === "string") return words;
  const [what, at, , factor, before = ""] = words;
  if (what === "values") return ranged(at.map((v) => now[0][v]));
  if (what === "gradients") return ranged(at.map((v) => now[1][v] ?? 0));
  if (what === "total" && at.length > 1) return total(at.map((j) => now[3][j] ?? 0), exact(words, now, next));
  const text = number(exact(words, now, next));
  return before + (factor && text[0] === "−" ? `(${text})` : text);
};
const spelled = (spans, now, next) => spans.map(([kind, words]) => {
  const text = plain(fill(words, now, next));
  return kind === "" ? text : kind === "name" ? `<b>${text}</b>` : `<b class="${kind[0]}">${text}</b>`;
}).join("");
const write = (element, text) => { // the last piece alone, where letters of other fonts have places of their own
  if (!element || element.textContent === text) return;
  const last = element.lastElementChild;
  if (last) last.textContent = text.slice(element.textContent.length - last.textContent.length);
  else element.textContent = text;
};
