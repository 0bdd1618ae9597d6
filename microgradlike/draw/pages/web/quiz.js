// Questions: the numbers of the backward pass are hidden, and asked for in the order of the sweep.
let asked = 0;
const hiding = (graph) => {
  const keys = new Set();
  graph.questions.slice(asked).forEach((q) => q.keys.forEach((key) => keys.add(key)));
  return keys;
};
const about = (x, y) => Math.abs(x - y) <= 0.005 * Math.abs(y) + 1e-12 || number(x) === number(y);
const ask = (warning = "", verdict = "") => {
  const pass = current(), graph = graphs[pass.picture], question = graph.questions[asked];
  find("question").hidden = !question;
  const count = `<span class="count">${Math.min(asked + 1, graph.questions.length)} of ${graph.questions.length}</span> `;
  say(`${verdict ? `<p class="verdict">${verdict}</p>` : ""}${question ? count + spelled(question.sentence, pass.now) : "That was the last one: every gradient is known."}${warning}`, "backward");
  if (question) find("asked").textContent = `${question.name} =`;
};
const light = () => { // what a question is about
  const question = graphs[current().picture].questions[asked];
  topic = "step";
  now = question ? question.step : last();
  show();
};
const why = (question, x, pass) => {
  const y = exact(question.answer, pass.now), [above, local] = [question.above, question.local].map((w) => (w ? exact(w, pass.now) : NaN));
  const same = (z) => about(x, z);
  if (same(-y)) return "The size is right; the sign is not.";
  if (question.local) {
    if (same(local)) return `That is the local derivative alone: the factor ${question.aboveName} = ${number(above)}, which arrives from above, is missing.`;
    if (same(above)) return `That is what arrives from above alone: the factor ${question.localName} = ${number(local)}, the local derivative, is missing.`;
    if (same(above + local)) return "Along a path, derivatives are multiplied, not added.";
  }
  if (question.terms) {
    const terms = question.terms.map((j) => pass.now[3][j] ?? 0);
    if (terms.some(same)) return `That is one path alone: ${terms.length} paths reach it, and contributions add.`;
    if (same(terms.reduce((a, b) => a * b, 1))) return "Paths that meet are added, not multiplied.";
  }
  if (question.others?.some((w) => same(exact(w, pass.now)))) return "That is the derivative with respect to another operand.";
  return "Not yet.";
};
find("question").addEventListener("submit", (e) => {
  e.preventDefault();
  const pass = current(), question = graphs[pass.picture].questions[asked], x = typed(find("answer").value);
  if (!question) return;
  if (!Number.isFinite(x) && !Number.isNaN(exact(question.answer, pass.now))) return ask(elsewhere(pass), "Write a number, such as −0.25.");
  if (about(x, exact(question.answer, pass.now))) {
    asked++;
    find("answer").value = "";
    light();
    ask(elsewhere(pass), `<b class="right">Right:</b> ${plain(question.name)} = ${number(exact(question.answer, pass.now))}.`);
  } else ask(elsewhere(pass), `<b class="wrong">${why(question, x, pass)}</b>`);
});
find("tell").onclick = () => {
  const pass = current(), question = graphs[pass.picture].questions[asked];
  if (!question) return;
  asked++;
  find("answer").value = "";
  light();
  ask(elsewhere(pass), `${plain(question.name)} = <b class="g">${number(exact(question.answer, pass.now))}</b>.`);
};
