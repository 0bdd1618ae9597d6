// A picture that computes: its leaves can be changed, and its two passes stepped through at any setting of them.
const { passes: recorded, quiz } = data;
const graphs = data.pictures.map((graph, n) => {
  const leafOf = new Map(graph.leaves.map((leaf, i) => [leaf.node, i]));
  const trained = graph.leaves.flatMap((leaf, i) => (leaf.kind === "parameter" ? [i] : []));
  return { ...graph, ...bound[n], leafOf, compute: computes[n], trained: trained.length ? trained : graph.leaves.map((_, i) => i) };
});
const hooks = {}; // what a page that has this one inside wants to know
const NUDGE = 0.001;
const fresh = (graph, p) => ({ picture: graph, p, now: graphs[graph].compute(p) });
const film = recorded.map((pass) => ({ ...pass, ...fresh(pass.picture, pass.leaves.map(Number)) }));
let own = null; // the pass whose numbers the reader has changed, in the place of the film
let now = 0, timer = 0, topic = "step", chosen = 0, nudged = null, losses = [];

const passes = () => (own ? [own] : film);
const length = (pass) => graphs[pass.picture].steps.length + (pass.update ? 1 : 0);
const at = (k) => passes().slice(0, k).reduce((sum, pass) => sum + length(pass), 0);
const where = (k) => { let n = 0; while (n < passes().length - 1 && k >= length(passes()[n])) k -= length(passes()[n++]); return [n, k]; };
const last = () => at(passes().length) - 1;
const current = () => passes()[where(now)[0]];
const stepOf = (pass, k) => {
  const step = graphs[pass.picture].steps[k] ?? pass.update;
  return pass.changed?.[k] ? { ...step, sentence: pass.changed[k] } : step;
};
const rate = () => +(10 ** +find("rate").value).toPrecision(2);
const say = (html, phase) => { const box = find("message"); if (box.innerHTML !== html) box.innerHTML = html; document.body.dataset.phase = phase; };

// ── what is on the picture now ──
const show = (moved = true) => {
  const [n, k] = where(now), pass = passes()[n], graph = graphs[pass.picture], step = stepOf(pass, k);
  if (shown !== pass.picture) {
    pictures[shown].hidden = true;
    shown = pass.picture;
    pictures[shown].hidden = false;
    rescale(chosenScale || fitting(0.7));
  }
  const next = film[n + 1]?.now, state = { ...graph.hidden };
  for (let i = 0; i <= k; i++) Object.assign(state, stepOf(pass, i).changes);
  const seen = nudged ? nudged.now : pass.now, secret = quiz ? hiding(graph) : null;
  for (const [key, words] of Object.entries(state)) {
    const text = secret?.has(key) ? "?" : nudged && key in graph.values && nudged.reached.has(graph.values[key]) ? number(seen[0][graph.values[key]], 6) : fill(words, seen, next);
    write(graph.texts[key], text);
  }
  const sending = step.phase === "backward";
  for (const [i, card] of Object.entries(graph.cards)) {
    const { node } = graph.boxes[i], on = nudged ? nudged.reached.has(node) : topic === "step" && step.cards.includes(+i);
    card.classList.toggle("todo", state[`value ${i}`] === "?");
    card.classList.toggle("on", on);
    card.classList.toggle("sends", !nudged && topic === "step" && step.senders.includes(+i));
    card.classList.toggle("moved", !!nudged && on);
    const label = card.querySelector(".value-name");
    if (label) write(label, nudged && on ? signed(nudged.deltas[node]) : "value");
    card.dataset.data = String(seen[0][node]);
    card.dataset.grad = String(seen[1][node] ?? 0);
  }
  for (const [j, edge] of Object.entries(graph.edges)) {
    const on = nudged ? nudged.reached.has(graph.boxes[edge.dataset.head].node) && nudged.reached.has(graph.boxes[edge.dataset.tail]?.node) : topic === "step" && step.edges.includes(+j);
    if (on && sending) backward(edge);
    edge.classList.toggle("on", on);
    edge.classList.toggle("moved", !!nudged && on);
    edge.classList.toggle("unsent", state[`sent ${j}`] === "");
    edge.classList.toggle("blank", state[`local ${j}`] === "");
  }
  find("result").textContent = `${graph.output} = ${number(seen[0][graph.root])}`;
  controls(pass, graph, step, n);
  if (moved && topic === "step") follow([...step.cards, ...step.senders].map((i) => graph.cards[i]).slice(0, 2));
};

const controls = (pass, graph, step, n) => {
  const leaf = graph.leaves[chosen], x = pass.p[chosen];
  find("name").textContent = leaf ? leaf.name : "";
  if (leaf) {
    const range = find("range");
    range.max = Math.max(reach(pass.picture, chosen), Math.abs(x)); range.min = -range.max; range.value = x;
    if (document.activeElement !== find("exact")) find("exact").value = number(x, 5).replace("−", "-");
  }
  find("nudge").setAttribute("aria-pressed", !!nudged);
  find("shown").textContent = rate();
  for (const { box, leaf: i } of sliders[pass.picture]) {
    box.classList.toggle("chosen", i === chosen);
    box.setAttribute("aria-valuemin", -reach(pass.picture, i));
    box.setAttribute("aria-valuemax", reach(pass.picture, i));
    box.setAttribute("aria-valuenow", pass.p[i]);
    box.setAttribute("aria-valuetext", `${number(pass.p[i])}, gradient ${number(pass.now[1][graph.leaves[i].node] ?? 0)}`);
  }
  for (const { box, name, node } of stories[pass.picture]) box.setAttribute("aria-label", `${name}, value ${number(pass.now[0][node])}, gradient ${number(pass.now[1][node] ?? 0)}`);
  document.body.dataset.step = now;
  const text = `step ${now} of ${last()}, ${step.phase}`;
  find("place").textContent = text;
  const position = find("position");
  position.max = last(); position.value = now;
  position.setAttribute("aria-valuetext", text);
  find("first").disabled = find("back").disabled = now === 0;
  find("last").disabled = find("next").disabled = now === last();
  find("pass").textContent = `pass ${n + 1} of ${passes().length}, ${graph.output} = ${number(pass.now[0][graph.root])}`;
  find("earlier").disabled = n === 0;
  find("later").disabled = n === passes().length - 1;
  document.querySelector(".passes").hidden = passes().length < 2;
};

// ── sentences ──
const d = (graph, i) => `∂${plain(graph.output)}/∂${plain(graph.leaves[i].name)}`;
const elsewhere = (pass) => { // a branch of the function that these numbers would not take
  if (!branches) return "";
  const outcomes = branches(pass.p), gone = data.branches.filter(({ outcome }, i) => outcomes[i] !== outcome);
  if (!gone.length) return "";
  return `<p class="branch">Here the function goes another way: <b>${plain(gone[0].test)}</b> is ${!gone[0].outcome}${gone[0].place ? ` (${plain(gone[0].place)})` : ""}. The picture stays with the branch that was recorded.</p>`;
};
const tell = (message = "") => {
  const [n, k] = where(now), pass = passes()[n], graph = graphs[pass.picture];
  const warning = elsewhere(pass);
  if (quiz) return ask(warning);
  if (topic === "step") {
    const step = stepOf(pass, k);
    return say(spelled(step.sentence, pass.now, film[n + 1]?.now) + warning, step.phase);
  }
  if (message) return say(message + warning, "update");
  const x = pass.p[chosen], slope = pass.now[1][graph.leaves[chosen].node] ?? 0, name = `<b class="v">${plain(graph.leaves[chosen].name)}</b>`;
  if (nudged) return say(nudged.message + warning, "forward");
  say(`${name} = ${number(x)}, and ${d(graph, chosen)} = <b class="g">${number(slope)}</b>: a small change of ${plain(graph.leaves[chosen].name)} changes ${plain(graph.output)} ${slope === 1 ? "just as much" : `${number(slope)} times as much`}.${warning}`, "forward");
};

// ── stepping ──
const stop = () => {
  clearInterval(timer);
  timer = 0;
  find("play").textContent = "Play";
  find("play").setAttribute("aria-pressed", "false");
};
const calm = () => { if (nudged) { clearInterval(nudged.timer); nudged = null; } };
const go = (k) => {
  calm();
  topic = "step";
  now = clamp(Math.trunc(k) || 0, 0, last());
  const count = graphs[current().picture].leaves.length;
  if (chosen >= count) chosen = 0;
  tell();
  show();
  try { history.replaceState(null, "", `#${now}`); } catch { /* inside a notebook there is no address */ }
  if (now === last()) stop();
};
const step = (k) => { stop(); go(k); };
const play = () => {
  if (timer) return stop();
  if (now === last()) go(0);
  find("play").textContent = "Pause";
  find("play").setAttribute("aria-pressed", "true");
  timer = setInterval(() => go(now + 1), 1600);
};
const turn = () => { const [n] = where(now), pass = passes()[n]; step(at(n) + graphs[pass.picture].steps.findIndex((s) => s.phase === "backward")); };
const jump = (by) => step(at(clamp(where(now)[0] + by, 0, passes().length - 1)));
const story = (i) => { // the steps that are about a card: what it computes, then what reaches it
  if (hooks.card?.(i)) return;
  const [n] = where(now), first = at(n), list = graphs[passes()[n].picture].steps;
  const mine = list.flatMap((s, k) => (s.cards.includes(i) ? [first + k] : []));
  if (mine.length) step(topic === "step" ? mine.find((k) => k > now) ?? mine[0] : mine[0]);
};

// ── numbers ──
const reaches = {};
const reach = (picture, i) => (reaches[`${picture} ${i}`] ??= tidily(Math.max(Math.abs(film.find((pass) => pass.picture === picture).p[i]) * 2, 1)) || 1);
const all = () => now === last();
const mine = () => { // from now on these numbers are the reader's
  if (own) return own;
  const [n, k] = where(now), pass = passes()[n];
  own = { picture: pass.picture, p: [...pass.p], now: pass.now, from: now };
  now = Math.min(k, length(own) - 1);
  return own;
};
const choose = (i) => {
  if (i === chosen && topic === "number") return;
  calm();
  chosen = i;
  if (all()) topic = "number";
  tell();
  show(false);
};
const set = (i, x) => {
  if (!Number.isFinite(x)) return;
  calm();
  const pass = mine();
  pass.p[i] = x;
  pass.now = graphs[pass.picture].compute(pass.p);
  chosen = i;
  if (all()) topic = "number";
  if (hooks.changed) return hooks.changed(i, x);
  tell();
  show(false);
};
const nudge = () => {
  stop();
  if (nudged) { calm(); tell(); return show(false); }
  const [n] = where(now), pass = passes()[n], graph = graphs[pass.picture];
  topic = "number";
  now = at(n) + graph.steps.length - 1;
  const moved = graph.compute(pass.p.map((q, i) => (i === chosen ? q + NUDGE : q)));
  const deltas = moved[0].map((v, i) => v - pass.now[0][i]), start = graph.leaves[chosen];
  const levels = [[start.node]], depth = new Map([[start.node, 0]]);
  for (const [node, operands] of graph.uses) {
    const before = operands.filter((v) => depth.has(v)).map((v) => depth.get(v));
    if (before.length) depth.set(node, Math.max(...before) + 1);
  }
  for (const [node, level] of depth) (levels[level] ??= []).includes(node) || levels[level].push(node);
  const slope = pass.now[1][start.node] ?? 0, change = deltas[graph.root], guess = slope * NUDGE, gap = change - guess;
  const straight = Math.abs(gap) <= 1e-9 * Math.abs(guess) + 1e-15;
  const message = `<b class="v">${plain(start.name)}</b> grows by 0.001, and ${plain(graph.output)} by <b class="v">${number(change)}</b>. The gradient said ${d(graph, chosen)} × 0.001 = ${number(slope)} × 0.001 = <b class="g">${number(guess)}</b>.<br>`
    + (straight ? "Exactly: along this path everything is a straight line." : `The difference, ${number(gap)}, is the bend of the curve.`);
  nudged = { now: moved, deltas, reached: new Set(), message: `<b class="v">${plain(start.name)}</b> grows by 0.001 …`, timer: 0 };
  const arrive = () => {
    const fresh = levels.shift() ?? [];
    for (const node of fresh) nudged.reached.add(node);
    if (!levels.length) { clearInterval(nudged.timer); nudged.message = message; tell(); }
    show(false);
    if (!still.matches) follow(Object.entries(graph.cards).flatMap(([i, card]) => (fresh.includes(graph.boxes[i].node) ? [card] : [])));
  };
  tell();
  arrive();
  if (still.matches) while (levels.length) arrive();
  else if (levels.length) nudged.timer = setInterval(arrive, 280);
};
const descend = () => {
  stop();
  calm();
  const pass = mine(), graph = graphs[pass.picture], before = pass.now, eta = rate();
  topic = "number";
  now = last();
  if (!losses.length || losses.at(-1) !== before[0][graph.root]) losses.push(before[0][graph.root]);
  for (const i of graph.trained) pass.p[i] -= eta * (before[1][graph.leaves[i].node] ?? 0);
  pass.now = graph.compute(pass.p);
  losses.push(pass.now[0][graph.root]);
  const what = graph.leaves[graph.trained[0]].kind === "parameter" ? "parameter" : "input", many = graph.trained.length;
  const i = graph.trained.includes(chosen) ? chosen : graph.trained[0], name = plain(graph.leaves[i].name);
  tell(`${many > 1 ? `Each of ${many} ${what}s` : `The ${what}`} moved against its gradient, by ${eta} × it: <b class="v">${name}</b> to ${number(pass.p[i])}.<br>${plain(graph.output)} went from ${number(before[0][graph.root])} to <b class="v">${number(pass.now[0][graph.root])}</b>.`);
  chart(find("chart"), losses, graph.output);
  show(false);
};
const reset = () => {
  stop();
  calm();
  losses = [];
  chart(find("chart"), losses, "");
  if (own) { const back = where(now)[1] + at(0), from = own.from; own = null; now = topic === "step" ? from - where(from)[1] + back : last(); now = clamp(now, 0, last()); }
  tell();
  show(false);
};

// ── hands ──
const sliders = graphs.map((graph, picture) => {
  const found = [], put = (box, node) => {
    const i = graph.leafOf.get(node);
    if (i === undefined || graph.leaves[i].kind === "class") return false;
    found.push({ box, leaf: i });
    slider(box, graph.leaves[i], () => reach(picture, i), () => current().p[i], (x) => set(i, x), () => choose(i));
    return true;
  };
  for (const [i, card] of Object.entries(graph.cards)) {
    const lines = [...card.querySelectorAll(".line[data-node]")];
    if (lines.length) lines.forEach((line) => put(line, +line.dataset.node));
    else put(card, graph.boxes[i].node);
  }
  return found;
});
const stories = graphs.map((graph) => Object.entries(graph.cards).flatMap(([i, card]) => {
  if (card.classList.contains("leaf")) return [];
  card.setAttribute("role", "button");
  card.setAttribute("tabindex", 0);
  card.addEventListener("click", (e) => { if (!e.target.closest(".leaf")) story(+i); });
  card.addEventListener("keydown", (e) => { if ((e.key === "Enter" || e.key === " ") && e.target === card) { e.preventDefault(); e.stopPropagation(); story(+i); } });
  return [{ box: card, ...graph.boxes[i] }];
}));
view.addEventListener("pointerover", (e) => { // a tooltip has all digits
  const mark = e.target.closest(".card, .edge");
  if (!mark) return;
  const pass = current(), { boxes } = graphs[pass.picture], { card, edge: j } = mark.dataset, box = boxes[card ?? mark.dataset.tail];
  let tip = mark.querySelector(":scope > title");
  if (!tip) mark.prepend(tip = document.createElementNS("http://www.w3.org/2000/svg", "title"));
  const lines = card !== undefined ? [box.name, ...(box.single ? [`value ${mark.dataset.data}`, `gradient ${mark.dataset.grad}`] : []), box.doc]
    : box ? [`${box.short} → ${boxes[mark.dataset.head].short}`, ...(pass.now[2][j] === null ? [] : [`local derivative ${pass.now[2][j]}`, `gradient sent back ${pass.now[3][j] ?? 0}`])]
    : [`constant ${mark.dataset.constant}`];
  tip.textContent = lines.filter(Boolean).join("\n");
});
find("range").oninput = (e) => set(chosen, +(+e.target.value).toPrecision(3));
find("exact").onchange = (e) => set(chosen, typed(e.target.value));
find("exact").onblur = () => show(false);
find("nudge").onclick = nudge;
hold(find("descend"), descend);
find("reset").onclick = reset;
find("rate").oninput = () => { find("shown").textContent = rate(); };
find("first").onclick = () => step(0);
find("back").onclick = () => step(now - 1);
find("play").onclick = play;
find("next").onclick = () => step(now + 1);
find("last").onclick = () => step(last());
find("turn").onclick = turn;
find("earlier").onclick = () => jump(-1);
find("later").onclick = () => jump(1);
find("position").oninput = (e) => step(+e.target.value);
addEventListener("hashchange", () => step(+location.hash.slice(1)));
addEventListener("resized", () => { if (topic === "step") show(); });
addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.tagName === "INPUT" || (e.key === " " && e.target.tagName === "BUTTON")) return;
  const key = {
    ArrowRight: () => step(now + 1), ArrowLeft: () => step(now - 1), Home: () => step(0), End: () => step(last()),
    PageDown: () => jump(1), PageUp: () => jump(-1), b: turn, " ": play, n: nudge, d: descend, r: reset,
  }[e.key.length === 1 ? e.key.toLowerCase() : e.key];
  if (key) { e.preventDefault(); key(); }
});

chosen = graphs[film[0].picture].trained[0] ?? 0;
if (quiz) { light(); ask(elsewhere(current())); }
else if (/^#\d/.test(location.hash) || data.opens === "steps") go(+location.hash.slice(1));
else { topic = "number"; now = last(); tell(); show(false); }
