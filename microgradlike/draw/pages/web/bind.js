// The SVG of a picture as places for texts; numbers that are dragged; a chart of a loss; buttons that are held.
const bound = pictures.map((picture) => {
  const texts = {}, cards = {}, edges = {};
  for (const card of picture.querySelectorAll(".card")) {
    const i = card.dataset.card, lines = [...card.querySelectorAll(".line")];
    cards[i] = card;
    lines.forEach((line, k) => {
      texts[`line-value ${i} ${k}`] = line.querySelector(".value");
      texts[`line-gradient ${i} ${k}`] = line.querySelector(".gradient");
    });
    if (!lines.length) {
      texts[`value ${i}`] = card.querySelector(".value");
      texts[`gradient ${i}`] = card.querySelector(".gradient");
    }
  }
  for (const edge of picture.querySelectorAll(".edge")) {
    const j = edge.dataset.edge;
    edges[j] = edge;
    texts[`sent ${j}`] = edge.querySelector(".sent");
    texts[`local ${j}`] = edge.querySelector(".derivative");
    texts[`name ${j}`] = edge.querySelector("text.name");
  }
  return { texts, cards, edges };
});

const backward = (edge) => { // the arrow of a gradient, where its wire begins
  if (edge.querySelector(".back-tip")) return;
  const wire = edge.querySelector(".wire");
  if (!wire) return;
  const a = wire.getPointAtLength(0), b = wire.getPointAtLength(9), x = b.x - a.x, y = b.y - a.y;
  const tip = document.createElementNS("http://www.w3.org/2000/svg", "path");
  tip.setAttribute("class", "back-tip");
  tip.setAttribute("d", `M${a.x} ${a.y}L${b.x - 0.45 * y} ${b.y + 0.45 * x}L${b.x + 0.45 * y} ${b.y - 0.45 * x}Z`);
  edge.append(tip);
};

// ── a number that is dragged sideways, stepped with the arrow keys, or typed ──
const tidily = (x) => { const ten = 10 ** Math.floor(Math.log10(x)); return (x <= ten ? 1 : x <= 2 * ten ? 2 : x <= 5 * ten ? 5 : 10) * ten; };
const typed = (text) => { const clean = text.trim().replace("−", "-").replace(",", "."); return clean === "" ? NaN : +clean; };
const slider = (box, { name, kind }, reach, get, set, choose) => {
  const step = () => reach() / 100, tidy = (x) => +(Math.round(x / step()) * step()).toPrecision(12);
  box.classList.add("leaf");
  for (const [key, value] of Object.entries({ tabindex: 0, role: "slider", "aria-label": `${name}, ${kind}` })) box.setAttribute(key, value);
  box.addEventListener("focus", choose);
  box.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[e.key];
    if (by) { e.preventDefault(); e.stopPropagation(); set(tidy(get() + by * step() * (e.shiftKey ? 10 : 1))); }
    else if (e.key === "Enter" || /^[-−.\d]$/.test(e.key)) { e.preventDefault(); e.stopPropagation(); type(box, e.key === "Enter" ? "" : e.key, get, set); }
  });
  let from = null;
  box.addEventListener("pointerdown", (e) => {
    from = { x: e.clientX, p: get(), moved: false };
    box.setPointerCapture(e.pointerId);
    choose();
  });
  box.addEventListener("pointermove", (e) => {
    if (!from || (!from.moved && Math.abs(e.clientX - from.x) < 4)) return;
    from.moved = true;
    set(tidy(from.p + ((e.clientX - from.x) / 2) * step()));
  });
  for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, () => { from = null; });
  box.addEventListener("dblclick", () => type(box, "", get, set));
};
const type = (box, start, get, set) => { // a field on the card itself
  const place = box.querySelector(".value").getBoundingClientRect(), frame = view.getBoundingClientRect();
  const field = document.createElement("input");
  Object.assign(field, { className: "typing", value: start || String(get()), autocomplete: "off", inputMode: "text" });
  field.setAttribute("aria-label", `${box.getAttribute("aria-label")}, its value`);
  field.style.left = `${place.right - frame.left + view.scrollLeft - 104}px`;
  field.style.top = `${place.top - frame.top + view.scrollTop - 6}px`;
  let done = false;
  const end = (take) => {
    if (done) return;
    done = true;
    const x = typed(field.value);
    field.remove();
    box.focus({ preventScroll: true });
    if (take && Number.isFinite(x)) set(x);
  };
  field.onkeydown = (e) => { e.stopPropagation(); if (e.key === "Enter") end(true); if (e.key === "Escape") end(false); };
  field.onblur = () => end(true);
  view.append(field);
  field.focus();
  if (start) field.setSelectionRange(1, 1); else { field.select(); field.scrollLeft = 0; }
};

const chart = (figure, losses, name) => {
  figure.hidden = losses.length < 2;
  if (figure.hidden) return;
  const finite = losses.filter(Number.isFinite), low = Math.min(...finite), high = Math.max(...finite);
  const log = low > 0 && high / low > 30, f = log ? Math.log : (x) => x, span = f(high) - f(low) || 1;
  const stride = Math.ceil(losses.length / 500), points = [];
  for (let i = 0; i < losses.length; i += stride) if (Number.isFinite(losses[i])) points.push(`${((i / (losses.length - 1)) * 1000).toFixed(1)},${(95 - (90 * (f(losses[i]) - f(low))) / span).toFixed(1)}`);
  figure.innerHTML = `<figcaption></figcaption><svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label="The curve of it"><polyline fill="none" stroke="var(--gradient)" stroke-width="2" vector-effect="non-scaling-stroke" points="${points.join(" ")}"/></svg>`;
  figure.firstChild.textContent = `${name} over ${losses.length - 1} step${losses.length === 2 ? "" : "s"}: ${number(losses[0])} → ${number(losses.at(-1))}${log ? " (logarithmic)" : ""}`;
};

const hold = (button, step) => { // one step for a click; held, one for every frame
  let frame = 0, wait = 0, held = false;
  const go = () => { held = true; step(); frame = requestAnimationFrame(go); };
  const stop = () => { clearTimeout(wait); cancelAnimationFrame(frame); };
  button.addEventListener("pointerdown", () => { held = false; wait = setTimeout(go, 350); });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) button.addEventListener(end, stop);
  button.addEventListener("click", () => { if (!held) step(); held = false; });
  button.addEventListener("contextmenu", (e) => e.preventDefault());
};
