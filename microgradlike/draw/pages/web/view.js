// The picture in its frame: zoom, moving it, colours. Nothing about numbers.
const view = find("view");
const pictures = [...document.querySelectorAll(".picture")];
const still = matchMedia("(prefers-reduced-motion: reduce)");
let shown = 0, scale = 1, chosenScale = 0;

const size = () => { const box = pictures[shown].querySelector("svg").viewBox.baseVal; return [box.width, box.height]; };
const rescale = (k) => {
  scale = k;
  const svg = pictures[shown].querySelector("svg"), [w, h] = size();
  svg.style.width = `${w * k}px`;
  svg.style.height = `${h * k}px`;
};
const fitting = (least) => { // all of the picture, if it can be read then; else it is to be scrolled
  const all = (view.clientWidth - 2) / size()[0];
  return all > 0.85 * least ? Math.min(all, 1.25) : least;
};
const zoom = (factor) => {
  const [x, y, k] = [view.scrollLeft + view.clientWidth / 2, view.scrollTop + view.clientHeight / 2, scale];
  rescale(chosenScale = clamp(scale * factor, 0.05, 6));
  view.scrollTo(x * (scale / k) - view.clientWidth / 2, y * (scale / k) - view.clientHeight / 2);
};
const fit = () => rescale(chosenScale = fitting(0.05));
const follow = (elements) => { // bring what a step is about into view, all of it if that can be read
  const boxes = elements.map((e) => (e.querySelector(".frame, .pill") ?? e).getBBox());
  if (!boxes.length) return;
  const left = Math.min(...boxes.map((b) => b.x)), right = Math.max(...boxes.map((b) => b.x + b.width));
  const top = Math.min(...boxes.map((b) => b.y)), bottom = Math.max(...boxes.map((b) => b.y + b.height));
  const base = chosenScale || fitting(0.7);
  rescale(clamp((view.clientWidth - 2) / (right - left + 28), Math.min(0.5, base), base));
  const near = (from, room, low, high) => {
    if (low * scale - 14 >= from && high * scale + 14 <= from + room) return from;
    return ((low + high) * scale - room) / 2;
  };
  view.scrollTo({ left: near(view.scrollLeft, view.clientWidth, left, right), top: near(view.scrollTop, view.clientHeight, top, bottom), behavior: still.matches ? "auto" : "smooth" });
};

{
  let from = null; // the mouse moves the picture; fingers scroll it as they scroll everything
  view.addEventListener("pointerdown", (e) => {
    if (e.pointerType !== "mouse" || e.target.closest(".leaf, input")) return;
    from = { x: e.clientX + view.scrollLeft, y: e.clientY + view.scrollTop };
  });
  addEventListener("pointermove", (e) => { if (from) view.scrollTo(from.x - e.clientX, from.y - e.clientY); });
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => { from = null; });
  view.addEventListener("wheel", (e) => { // the page scrolls, unless asked
    if (!e.ctrlKey && !e.metaKey) return;
    e.preventDefault();
    zoom(Math.exp(-e.deltaY / 300));
  }, { passive: false });
  find("nearer").onclick = () => zoom(1.25);
  find("farther").onclick = () => zoom(0.8);
  find("fit").onclick = fit;
  find("dark").onclick = () => {
    const now = document.body.dataset.theme || (matchMedia("(prefers-color-scheme:dark)").matches ? "dark" : "light");
    document.body.dataset.theme = now === "dark" ? "light" : "dark";
    dispatchEvent(new Event("colours"));
  };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, .leaf")) return;
    if (e.key === "+" || e.key === "=") zoom(1.25);
    else if (e.key === "-" || e.key === "−") zoom(0.8);
    else if (e.key === "0") fit();
  });
  let wide = view.clientWidth;
  new ResizeObserver(() => {
    if (view.clientWidth === wide) return;
    wide = view.clientWidth;
    if (!chosenScale) rescale(fitting(0.7));
    dispatchEvent(new Event("resized"));
  }).observe(view);
  if (self !== top) { // in a notebook or a page of documentation, the frame is as high as what it shows
    document.body.classList.add("framed");
    const grow = () => {
      try { window.frameElement.style.height = `${document.documentElement.scrollHeight}px`; } catch { /* not ours */ }
    };
    new ResizeObserver(grow).observe(document.querySelector("main"));
  }
  rescale(fitting(0.7));
}
