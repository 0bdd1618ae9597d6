// A model trains on its data: what it says of the plane is painted as it changes, and one example is in the picture.
{
  const play = data.play, { kind, names, classes, scale } = play;
  const width = names.length, rows = play.rows.map((row) => [...row]);
  const p = [...play.start], graph = graphs[0];
  const plane = find("plane"), pen = plane.getContext("2d");
  const across = find("across"), up = find("up");
  const COLOURS = ["--gradient", "--value", "--output-line", "--parameter-line"], MARKS = ["diamond", "circle", "square", "triangle"];
  let example = 0, steps = 0, curve = [], training = false, watched = null, order = [], states = [], best = 1, colours = {};
  let columns = play.columns.length > 1 ? [...play.columns] : [0, 0];
  const flat = width === 1; // one column: a curve, or a strip

  const leaves = (row) => { const all = [...row, ...p, ...play.fixed]; return play.from.map((i) => all[i]); };
  const lossOf = (row) => graph.compute(leaves(row));
  const said = (values) => play.outputs.map((node) => values[node]);
  const largest = (xs) => xs.indexOf(Math.max(...xs));
  const sigma = (z) => 1 / (1 + Math.exp(-z));
  const classOf = (out) => (out.length > 1 ? largest(out) : +(kind === "probability" ? out[0] > 0.5 : out[0] > 0));
  const given = (x, column) => (scale[column] ? scale[column][0] + scale[column][1] * x : x);
  const chance = (out) => { // of the class that the model names
    if (kind === "probability" || kind === "logit") { const q = kind === "logit" ? sigma(out[0]) : out[0]; return Math.max(q, 1 - q); }
    if (kind === "probabilities") return Math.max(...out);
    const top = Math.max(...out);
    return 1 / out.reduce((sum, z) => sum + Math.exp(z - top), 0);
  };

  // ── the plane ──
  const hue = (k) => (k < COLOURS.length ? COLOURS[k] : `extra-${k}`);
  const recolour = () => {
    const style = getComputedStyle(document.body), dark = parseInt(style.getPropertyValue("--paper").trim().slice(1, 3), 16) < 128;
    const rgb = (name) => { const hex = style.getPropertyValue(name).trim(); return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)); };
    colours = Object.fromEntries([...COLOURS, "--paper", "--ink", "--faint", "--muted"].map((n) => [n, rgb(n)]));
    for (let k = COLOURS.length; k < classes.length; k++) {
      const t = (k * 137.5 * Math.PI) / 180, c = (shift) => Math.round((dark ? 165 : 95) + 70 * Math.cos(t + shift));
      colours[`extra-${k}`] = [c(0), c(2.1), c(4.2)];
    }
  };
  const css = (name, alpha = 1) => `rgba(${colours[name].join()},${alpha})`;
  let box;
  const frame = () => { // the part of the plane that is seen
    const side = (column) => {
      const xs = rows.map((row) => row[column]), low = Math.min(...xs), high = Math.max(...xs);
      return [(low + high) / 2, (high - low || 1) * 0.58];
    };
    const [x, w] = side(columns[0]), [y, h] = flat ? (classes.length ? [0, 1] : side(width)) : side(columns[1]);
    box = { x, y, w, h };
  };
  const toX = (x) => (0.5 + (x - box.x) / box.w / 2) * plane.width, toY = (y) => (0.5 - (y - box.y) / box.h / 2) * plane.height;
  const fromX = (u) => box.x + box.w * ((2 * u) / plane.width - 1), fromY = (v) => box.y - box.h * ((2 * v) / plane.height - 1);
  const heightOf = (row) => (flat ? (classes.length ? 0 : row[width]) : row[columns[1]]);

  const sheet = new OffscreenCanvas(1, 1), sheetPen = sheet.getContext("2d");
  const field = () => { // what is seen at every point: the model, or the neuron that is watched
    const n = training ? 56 : graph.boxes.length > 60 ? 72 : 110, tall = flat ? 1 : n, image = new ImageData(n, tall), row = [...rows[example]];
    const values = new Float64Array(n * tall), picks = new Uint8Array(n * tall);
    for (let j = 0, k = 0; j < tall; j++) for (let i = 0; i < n; i++, k++) {
      row[columns[0]] = fromX(((i + 0.5) / n) * plane.width);
      if (!flat) row[columns[1]] = fromY(((j + 0.5) / n) * plane.height);
      const all = look(leaves(row));
      if (watched !== null) values[k] = all[watched];
      else if (classes.length) { const out = said(all); picks[k] = classOf(out); values[k] = chance(out); }
      else values[k] = all[play.outputs[0]];
    }
    const paper = colours["--paper"], isClass = watched === null && classes.length;
    const finite = values.filter(Number.isFinite), low = Math.min(...finite), high = Math.max(...finite);
    const middle = watched !== null ? 0 : (low + high) / 2, span = watched !== null ? Math.max(Math.abs(low), Math.abs(high)) || 1 : (high - low) / 2 || 1;
    for (let k = 0; k < values.length; k++) {
      const t = (values[k] - middle) / span, mix = isClass ? 0.14 + 0.5 * Math.max(0, (values[k] - 1 / Math.max(classes.length, 2)) * 1.6) : 0.62 * Math.min(Math.abs(t), 1);
      const colour = colours[isClass ? hue(picks[k]) : t > 0 ? "--value" : "--gradient"];
      for (let c = 0; c < 3; c++) image.data[4 * k + c] = paper[c] + (colour[c] - paper[c]) * Math.min(mix, 0.7);
      image.data[4 * k + 3] = 255;
    }
    sheet.width = n; sheet.height = tall;
    sheetPen.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(sheet, 0, 0, plane.width, plane.height);
    return [low, high];
  };
  const line = (node) => { // of one column: what the model, or a neuron, makes of it
    const row = [...rows[example]], n = 160;
    pen.beginPath();
    for (let i = 0; i <= n; i++) {
      row[0] = fromX((i / n) * plane.width);
      const y = toY(look(leaves(row))[node]);
      if (Number.isFinite(y)) pen.lineTo((i / n) * plane.width, clamp(y, -1e4, 1e4));
    }
    pen.lineWidth = 5;
    pen.strokeStyle = css(watched === null ? "--value" : "--output-line");
    pen.stroke();
  };
  const mark = (k, u, v, r) => {
    const shape = MARKS[k % MARKS.length];
    pen.beginPath();
    if (shape === "circle") pen.arc(u, v, r, 0, 2 * Math.PI);
    else if (shape === "square") pen.rect(u - r, v - r, 2 * r, 2 * r);
    else for (const [x, y] of shape === "diamond" ? [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]] : [[0, -1.25], [1.2, 0.9], [-1.2, 0.9]]) pen.lineTo(u + r * x, v + r * y);
    pen.closePath();
  };
  const paint = () => {
    pen.fillStyle = css("--paper");
    pen.fillRect(0, 0, plane.width, plane.height);
    const curved = flat && !classes.length, [low, high] = curved ? [0, 0] : field();
    if (curved) { pen.strokeStyle = css("--faint"); pen.lineWidth = 2; pen.strokeRect(1, 1, plane.width - 2, plane.height - 2); line(watched ?? play.outputs[0]); }
    let right = 0, square = 0;
    rows.forEach((row, i) => {
      const out = said(look(leaves(row))), t = row[width];
      if (classes.length) right += classOf(out) === t; else square += (out[0] - t) ** 2;
      const u = toX(row[columns[0]]), v = toY(heightOf(row)), k = classes.length ? t : 1;
      mark(k, u, v, i === example ? 15 : 10);
      if (classes.length || curved) pen.fillStyle = css(classes.length ? hue(k) : "--gradient");
      else { const s = clamp((t - low) / (high - low || 1), 0, 1); pen.fillStyle = css(s > 0.5 ? "--value" : "--gradient", 0.25 + 1.5 * Math.abs(s - 0.5)); }
      pen.fill();
      pen.lineWidth = i === example ? 6 : 2.5;
      pen.strokeStyle = css(i === example ? "--ink" : "--paper");
      pen.stroke();
    });
    return classes.length ? right : Math.sqrt(square / rows.length) * (scale[width]?.[1] ?? 1);
  };

  // ── what is said of it ──
  const about = () => {
    const row = rows[example], out = said(look(leaves(row))), at = names.map((name, i) => `${plain(name)} = ${number(given(row[i], i))}`).slice(0, 6).join(", ");
    let text = `Example ${example + 1} of ${rows.length} (${at}${names.length > 6 ? ", …" : ""})`;
    if (classes.length) text += `, of class <b>${plain(classes[row[width]])}</b>: the model says <b class="v">${plain(classes[classOf(out)])}</b>, with ${number(chance(out), 3)}.`;
    else text += `: the target is <b class="g">${number(given(row[width], width))}</b>, the model says <b class="v">${number(given(out[0], width))}</b>.`;
    if (watched !== null) { const found = graph.boxes.find((b) => b.node === watched); text += ` The ${flat && !classes.length ? "curve" : "plane"} shows <b>${plain(found.name)}</b>, ${flat && !classes.length ? "" : "blue where it is positive, "}here ${number(look(leaves(row))[watched])}.`; }
    return text;
  };
  const meanLoss = () => rows.reduce((sum, row) => sum + look(leaves(row))[graph.root], 0) / rows.length;
  const refresh = (measure = true) => {
    const score = paint(), pass = current();
    pass.p = leaves(rows[example]);
    pass.now = graph.compute(pass.p);
    tell();
    show(false);
    find("steps").textContent = steps.toLocaleString("en");
    if (measure) find("loss").textContent = number(curve.length && training ? curve.at(-1) : meanLoss());
    find("score-name").textContent = classes.length ? "Right" : "Root mean square error";
    find("score").textContent = classes.length ? `${score} of ${rows.length}` : number(score);
    const html = about();
    if (find("said").innerHTML !== html) find("said").innerHTML = html;
    chart(find("chart"), curve, "Mean loss");
    const rest = names.length - 2, left = play.leftOut ? `Every ${Math.round((rows.length + play.leftOut) / rows.length)}th row is here, ${rows.length} of ${rows.length + play.leftOut}. ` : "";
    find("projection").textContent = left + (rest > 0 ? `Of ${names.length} columns the plane shows ${names[columns[0]]} and ${names[columns[1]]}; the others are held at the chosen example's.` : "");
    find("whole").hidden = watched === null;
  };

  // ── training ──
  const batchSize = () => +find("batch").value || rows.length;
  const forget = () => { states = p.map(() => [...optimisers[find("optimizer").value].state]); steps = 0; curve = []; order = []; };
  const trainOnce = () => {
    const { coefficients, rule } = optimisers[find("optimizer").value], size = Math.min(batchSize(), rows.length);
    if (order.length < size) { order = [...order, ...rows.map((_, i) => i).sort(() => Math.random() - 0.5)]; }
    const chosen = size === rows.length ? rows.map((_, i) => i) : order.splice(0, size), g = new Float64Array(p.length);
    let loss = 0;
    for (const i of chosen) {
      const now = lossOf(rows[i]);
      loss += now[0][graph.root];
      play.from.forEach((place, k) => { const j = place - width - 1; if (j >= 0 && j < p.length) g[j] += now[1][graph.leaves[k].node] ?? 0; });
    }
    const c = coefficients(++steps, rate());
    for (let j = 0; j < p.length; j++) { [p[j], states[j]] = rule(p[j], g[j] / chosen.length, c, states[j]); }
    curve.push(loss / chosen.length);
    if (curve.length > 20000) curve = curve.filter((_, i) => i % 2 === 0);
  };
  const one = () => { trainOnce(); refresh(); };
  const frames = () => {
    if (!training) return;
    const until = performance.now() + 9;
    for (let k = 0; k < 20 && performance.now() < until; k++) trainOnce();
    refresh();
    requestAnimationFrame(frames);
  };
  const train = () => {
    training = !training;
    find("train").textContent = training ? "Pause" : "Train";
    find("train").setAttribute("aria-pressed", training);
    if (training) frames(); else refresh();
  };
  const begin = (numbers) => { numbers.forEach((x, j) => { p[j] = x; }); forget(); refresh(); };
  const renew = () => begin(p.map((_, j) => (play.biases[j] ? 0 : (Math.random() * 2 - 1) * play.spreads[j])));

  // ── hands ──
  const pointed = (e) => { const r = plane.getBoundingClientRect(); return [((e.clientX - r.left) / r.width) * plane.width, ((e.clientY - r.top) / r.height) * plane.height]; };
  let moving = false;
  plane.addEventListener("pointerdown", (e) => {
    const [u, v] = pointed(e), far = rows.map((row) => (toX(row[columns[0]]) - u) ** 2 + (toY(heightOf(row)) - v) ** 2);
    example = far.indexOf(Math.min(...far));
    moving = far[example] < 34 ** 2;
    plane.setPointerCapture(e.pointerId);
    refresh();
  });
  plane.addEventListener("pointermove", (e) => {
    if (!moving || !e.buttons) return;
    const [u, v] = pointed(e), row = rows[example];
    row[columns[0]] = fromX(u);
    if (!flat) row[columns[1]] = fromY(v); else if (!classes.length) row[width] = fromY(v);
    if (!training) refresh();
  });
  for (const end of ["pointerup", "pointercancel"]) plane.addEventListener(end, () => { moving = false; });
  hooks.changed = (i, x) => { // a number of the picture: of the example, or of the model
    const place = play.from[i];
    if (place <= width) rows[example][place] = x; else if (place - width - 1 < p.length) p[place - width - 1] = x;
    if (!training) refresh();
  };
  hooks.card = (i) => { // a neuron shows what it computes
    const { node, single } = graph.boxes[i];
    if (!single || node === graph.root) return false;
    watched = watched === node ? null : node;
    refresh();
    return true;
  };
  find("whole").onclick = () => { watched = null; refresh(); plane.focus(); };
  find("train").onclick = train;
  hold(find("one"), one);
  find("fresh").onclick = renew;
  const again = () => { rows.forEach((row, i) => row.splice(0, row.length, ...play.rows[i])); begin(play.start); };
  find("start").onclick = again;
  for (const name of Object.keys(optimisers)) find("optimizer").add(new Option(name.replace("_", " "), name, name === play.optimizer, name === play.optimizer));
  for (const n of [...new Set([0, 1, 8, 32, play.batch])].filter((n) => n < rows.length).sort((a, b) => a - b)) find("batch").add(new Option(n || "all", n, n === play.batch, n === play.batch));
  find("optimizer").onchange = (e) => { find("rate").value = Math.log10(play.rates[e.target.value]); states = p.map(() => [...optimisers[e.target.value].state]); steps = 0; find("shown").textContent = rate(); };
  if (flat) { document.querySelector(".axes").firstChild.hidden = find("up-label").hidden = true; }
  names.forEach((name, i) => { across.add(new Option(name, i)); up.add(new Option(name, i)); });
  across.value = columns[0]; up.value = columns[1];
  document.querySelector(".axes").classList.toggle("few", names.length < 3);
  for (const select of [across, up]) select.onchange = () => { // two columns, never the same twice
    const other = select === across ? up : across;
    if (select.value === other.value) other.value = columns[select === across ? 0 : 1];
    columns = [+across.value, +up.value];
    frame();
    refresh();
  };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || ["INPUT", "SELECT"].includes(e.target.tagName)) return;
    const by = e.target === plane ? { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key] : 0;
    if (by) { e.preventDefault(); e.stopImmediatePropagation(); example = (example + by + rows.length) % rows.length; refresh(); }
    const key = { t: train, s: one, w: renew, r: again, d: () => {} }[e.key.toLowerCase()];
    if (key) { e.preventDefault(); e.stopImmediatePropagation(); key(); }
  }, true);
  matchMedia("(prefers-color-scheme:dark)").addEventListener("change", () => { recolour(); refresh(); });
  addEventListener("colours", () => { recolour(); refresh(); });
  recolour();
  frame();
  forget();
  refresh();
}
