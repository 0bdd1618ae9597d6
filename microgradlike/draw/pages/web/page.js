"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const { steps, passes } = data;
  const view = find("view");
  const pictures = [...document.querySelectorAll(".picture")];
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
  let shown = 0;

  // ── pan and zoom ──
  const place = { x: 0, y: 0, k: 1 };
  const size = () => {
    const svg = pictures[shown].querySelector("svg");
    return [svg.viewBox.baseVal.width || svg.clientWidth, svg.viewBox.baseVal.height || svg.clientHeight];
  };
  const move = () => {
    const [w, h] = size();
    const slack = (room, length) => (length <= room ? [(room - length) / 2, (room - length) / 2] : [room - length - 40, 40]);
    place.x = clamp(place.x, ...slack(view.clientWidth, w * place.k));
    place.y = clamp(place.y, ...slack(view.clientHeight, h * place.k));
    pictures[shown].style.transform = `translate(${place.x}px,${place.y}px) scale(${place.k})`;
  };
  const zoom = (factor, x = view.clientWidth / 2, y = view.clientHeight / 2) => {
    const k = clamp(place.k * factor, 0.02, 6);
    place.x = x - (x - place.x) * (k / place.k);
    place.y = y - (y - place.y) * (k / place.k);
    place.k = k;
    move();
  };
  const fit = (least = 0) => {
    const [w, h] = size();
    const tall = h * clamp(view.clientWidth / w, least, 1.4) + 16; // no higher than the picture needs
    view.style.height = `min(${Math.max(tall, 160)}px, max(66vh, 260px))`;
    place.k = clamp(Math.min(view.clientWidth / w, view.clientHeight / h), least, 1.6);
    place.x = place.y = 0;
    move();
  };
  const centre = (element) => { // bring a card into view, if it is not
    const box = element.getBoundingClientRect(), frame = view.getBoundingClientRect();
    const off = (low, high, a, b) => (low < a + 20 ? a + 60 - low : high > b - 20 ? b - 60 - high : 0);
    place.x += off(box.left, box.right, frame.left, frame.right);
    place.y += off(box.top, box.bottom, frame.top, frame.bottom);
    move();
  };
  let drag = null;
  view.addEventListener("pointerdown", (e) => {
    drag = { x: e.clientX - place.x, y: e.clientY - place.y };
    view.setPointerCapture(e.pointerId);
    view.classList.add("dragging");
  });
  view.addEventListener("pointermove", (e) => {
    if (drag) { place.x = e.clientX - drag.x; place.y = e.clientY - drag.y; move(); }
  });
  const drop = () => { drag = null; view.classList.remove("dragging"); };
  view.addEventListener("pointerup", drop);
  view.addEventListener("pointercancel", drop);
  view.addEventListener("wheel", (e) => {
    if (!e.ctrlKey && !e.metaKey) return; // the page scrolls, unless asked
    e.preventDefault();
    const box = view.getBoundingClientRect();
    zoom(Math.exp(-e.deltaY / 300), e.clientX - box.left, e.clientY - box.top);
  }, { passive: false });
  find("nearer").onclick = () => zoom(1.25);
  find("farther").onclick = () => zoom(0.8);
  find("fit").onclick = () => fit();
  find("dark").onclick = () => {
    const now = document.body.dataset.theme || (matchMedia("(prefers-color-scheme:dark)").matches ? "dark" : "light");
    document.body.dataset.theme = now === "dark" ? "light" : "dark";
  };
  addEventListener("resize", () => move());

  // ── what a step changes ──
  const parts = pictures.map((picture) => {
    const texts = {}, cards = {}, edges = {}, tips = {};
    for (const card of picture.querySelectorAll(".card")) {
      const i = card.dataset.card;
      cards[i] = card;
      tips[i] = card.querySelector(":scope > title");
      const lines = card.querySelectorAll(".line");
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
      edges[edge.dataset.edge] = edge;
      texts[`sent ${edge.dataset.edge}`] = edge.querySelector(".sent");
      texts[`local ${edge.dataset.edge}`] = edge.querySelector(".derivative");
    }
    return { texts, cards, edges, tips };
  });

  let now = 0, timer = null;
  const show = (wanted, follow = true) => {
    now = clamp(Math.trunc(wanted) || 0, 0, steps.length - 1);
    const step = steps[now], pass = passes[step.pass];
    if (shown !== pass.picture) {
      pictures[shown].hidden = true;
      shown = pass.picture;
      pictures[shown].hidden = false;
    }
    const { texts, cards, edges, tips } = parts[shown];
    const state = { ...pass.hidden };
    for (let k = pass.at; k <= now; k++) Object.assign(state, steps[k].changes);
    for (const [key, text] of Object.entries(state)) if (texts[key] && texts[key].textContent !== text) texts[key].textContent = text;
    for (const [i, card] of Object.entries(cards)) {
      const known = state[`value ${i}`] !== "?" && state[`line-value ${i} 0`] !== "?";
      card.classList.toggle("todo", !known);
      card.classList.toggle("on", step.cards.includes(+i));
      if (tips[i]) tips[i].textContent = pass.tips[i] || "";
    }
    for (const [j, edge] of Object.entries(edges)) {
      edge.classList.toggle("on", step.edges.includes(+j));
      edge.classList.toggle("unsent", state[`sent ${j}`] === "");
    }
    document.body.dataset.phase = step.phase;
    document.body.dataset.step = now;
    find("message").innerHTML = step.html;
    find("place").textContent = `step ${now} of ${steps.length - 1}, ${step.phase}`;
    find("range").value = now;
    find("range").setAttribute("aria-valuetext", `step ${now} of ${steps.length - 1}, ${step.phase}`);
    find("first").disabled = find("back").disabled = now === 0;
    find("last").disabled = find("next").disabled = now === steps.length - 1;
    find("pass").textContent = `pass ${step.pass + 1} of ${passes.length}${pass.loss ? `, ${data.loss} = ${pass.loss}` : ""}`;
    find("earlier").disabled = step.pass === 0;
    find("later").disabled = step.pass === passes.length - 1;
    if (follow && step.cards.length === 1 && cards[step.cards[0]]) centre(cards[step.cards[0]]);
    try { history.replaceState(null, "", `#${now}`); } catch { /* inside a notebook there is no address */ }
    if (now === steps.length - 1) stop();
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    find("play").textContent = "Play";
    find("play").setAttribute("aria-pressed", "false");
  };
  const play = () => {
    if (timer) return stop();
    if (now === steps.length - 1) show(0);
    find("play").textContent = "Pause";
    find("play").setAttribute("aria-pressed", "true");
    timer = setInterval(() => show(now + 1), 1600);
  };
  const go = (k) => { stop(); show(k); };

  if (steps.length) {
    const turn = () => go(passes[steps[now].pass].backward);
    const jump = (by) => go(passes[clamp(steps[now].pass + by, 0, passes.length - 1)].at);
    find("first").onclick = () => go(0);
    find("back").onclick = () => go(now - 1);
    find("play").onclick = play;
    find("next").onclick = () => go(now + 1);
    find("last").onclick = () => go(steps.length - 1);
    find("turn").onclick = turn;
    find("earlier").onclick = () => jump(-1);
    find("later").onclick = () => jump(1);
    find("range").oninput = (e) => go(+e.target.value);
    addEventListener("hashchange", () => go(+location.hash.slice(1)));
    const keys = {
      ArrowRight: () => go(now + 1), ArrowLeft: () => go(now - 1), Home: () => go(0), End: () => go(steps.length - 1),
      PageDown: () => jump(1), PageUp: () => jump(-1), b: turn, B: turn, " ": play,
    };
    addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.target.id === "range" || (e.key === " " && e.target.tagName === "BUTTON")) return;
      if (keys[e.key]) { e.preventDefault(); keys[e.key](); }
    });
  }
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "+" || e.key === "=") zoom(1.25);
    else if (e.key === "-" || e.key === "−") zoom(0.8);
    else if (e.key === "0") fit();
  });

  fit(steps.length ? 0.7 : 0.1);
  if (steps.length) show(+location.hash.slice(1), true);
})();
