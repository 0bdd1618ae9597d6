// Cards that hold more than they show: a click opens them. Nothing about numbers.
const path = [0];
const list = find("way");
const go = () => {
  shown = path.at(-1);
  pictures.forEach((picture, k) => { picture.hidden = k !== shown; });
  list.replaceChildren(...path.flatMap((k, depth) => {
    const button = document.createElement("button");
    button.textContent = data.names[k];
    button.disabled = depth === path.length - 1;
    button.onclick = () => { path.length = depth + 1; go(); };
    return depth ? [" › ", button] : [button];
  }));
  chosenScale = 0;
  rescale(fitting(0.7));
  view.scrollTo(0, 0);
};
pictures.forEach((picture, k) => {
  for (const [i, to] of Object.entries(data.opens[k])) {
    const card = picture.querySelector(`.card[data-card="${i}"]`);
    card.setAttribute("role", "button");
    card.setAttribute("tabindex", 0);
    card.onclick = () => { path.push(to); go(); };
    card.onkeydown = (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); path.push(to); go(); } };
  }
});
addEventListener("keydown", (e) => { if ((e.key === "Escape" || e.key === "Backspace") && path.length > 1) { path.pop(); go(); } });
go();
