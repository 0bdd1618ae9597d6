"""Pictures as files: every format, any text as a label, whole files or none, pictures kept for comparison."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from drawn import SVG, Picture, Weight, branching, named, network, perceptron, product
from helpers import examples
from hypothesis import example, given
from hypothesis import strategies as st

import microgradlike as mg
from microgradlike import Value, draw, step_through
from microgradlike.draw.formats import dot as dot_module
from microgradlike.draw.formats.png import png
from microgradlike.draw.picture.font import FOLDER, embedded, font
from microgradlike.draw.picture.text import shortened, visible
from microgradlike.draw.picture.theme import LIGHT

GOLDEN = Path(__file__).parent / "golden"
DOT = shutil.which("dot")
needs_dot = pytest.mark.skipif(DOT is None, reason="the program dot of Graphviz is not installed")

NASTY = [
    "<script>alert(1)</script>", "</text></svg><script>", 'a"b', "a'b", "a&b &amp; &#0;", "]]>", "<!--", "-->", "${x}",
    "{0}", "%s", "a\\nb", "\\G \\N \\E", "\\", "a\nb\tc\rd", "\x00\x01\x1f\x7f\x85", "\ud800", "\ufffe\uffff", "\u2028",
    "\u202eabc", "\u202e", "e\u0301", "손실 J", "损失", "خسارة", "🙂", "a;b", "end", "click", "x[0]", "<b>", "#quot;",
    "#35;", "`code`", "---", '"', "''", "</title>", "</script>", "<img src=x onerror=alert(1)>", "a|b",
    "javascript:alert(1)", "{{x}}", "subgraph", '|"|', "%%{init}%%",
]  # fmt: skip
# Everything but what no file of text can hold unescaped is drawn as itself.
signs = st.text(st.sampled_from("<>&\"'\\/;#{}[]()|`%$\n\x00\u202e"), max_size=8)
labels = st.one_of(st.sampled_from(NASTY), st.text(max_size=8), signs)


def shown(text):
    """How a label is drawn: what cannot be seen written out, and no longer than fits a card."""
    return shortened(visible(text), 180, 13, bold=True)


def graph(name, other):
    x = Value(2, label=name)
    y = named(x * 3, other)
    y.backward()
    return y


# ── any text as a label ─────────────────────────────────────────────────────────────────────────
@examples(80)
@given(labels, labels)
def test_labels_survive_into_svg(one, other):
    drawing = draw(graph(one, other), title=one or None)
    svg = drawing.to_svg()
    svg.encode("utf-8")
    picture = Picture(svg)
    assert [json.loads(card.data["label"]) for card in picture.cards] == [one, other]
    if one.strip():
        assert picture.cards[0].text("head") == shown(one)
        assert picture.cards[0].tooltip.split("\n")[0] == visible(one)
    if other.strip():
        assert picture.cards[1].text("head").startswith(shown(other)[:10])
    tags = {element.tag.removeprefix(SVG) for element in picture.root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "g", "text", "tspan", "path"}
    names = {name for element in picture.root.iter() for name in element.attrib}
    assert not any(name.startswith("on") or "href" in name for name in names)


class Reader(HTMLParser):
    """The tags of a page, and the text of its scripts."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts, self.inside = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.inside = tag
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs), (tag, attrs)

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts.append(data)

    def handle_endtag(self, tag):
        self.inside = ""


@examples(40)
@given(labels, labels)
def test_labels_survive_into_html(one, other):
    J = graph(one, other)
    plain = Reader(step_through(graph("a", "b"), title="t").to_html())
    for page in (step_through(J, title=one or None).to_html(), draw(J, title=one or None).to_html()):
        page.encode("utf-8")
        reader = Reader(page)
        assert set(reader.tags) <= {*plain.tags, "tspan"}  # nothing that a label brought
        assert reader.tags.count("script") == 2
        for picture in json.loads(reader.scripts[0]).get("pictures", []):  # the script escapes what it writes
            words = "".join(text for _, text in picture["steps"][1]["sentence"] if isinstance(text, str))
            assert not one.strip() or shown(one) in words


@needs_dot
def test_labels_survive_into_dot():
    texts = [text for text in NASTY if text.strip()] + ["x" * 10]
    values = [Value(i, label=text) for i, text in enumerate(texts)]
    source = draw(values, title="<b>&\\n", detail="cards").to_dot()
    done = subprocess.run([DOT, "-Tsvg"], input=source.encode(), capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    root = ET.fromstring(done.stdout)
    found = {"".join(t.itertext()).replace("\xa0", " ") for t in root.iter(f"{SVG}text")}
    for text in texts:
        assert shown(text) in found, text
    assert not [e for e in root.iter() if e.tag.endswith("script")]


@examples(60)
@given(labels, labels)
def test_labels_survive_into_mermaid(one, other):
    drawing = draw(graph(one, other), title="t")
    text = drawing.to_mermaid()
    body = text.split("flowchart")[1]
    nodes = re.findall(r'^  n\d+[(\[]"<b>(.*?)</b>', body, re.MULTILINE)
    assert len(nodes) == 2

    def decoded(code):
        assert not set(code) & set('"<>`&;{}[]|\\%') - {";"}
        return re.sub(r"#(\d+);", lambda m: chr(int(m.group(1))), code.replace("#92;#8203;n", "#92;n"))

    if one.strip():
        assert decoded(nodes[0]) == shown(one)
    for line in body.splitlines()[1:]:
        assert re.fullmatch(
            r'  (n\d+[(\[]".*"[)\]]:::\w+|e\d+\(\[".*"\]\):::\w+|\w+ (-->|-\.->)(\|".*"\|)? \w+'
            r"|classDef \w+ [\w:#,. -]+|%% .*)",
            line,
        ), line
        assert line.count('"') % 2 == 0


@examples(40)
@given(labels, labels)
def test_labels_survive_into_text(one, other):
    text = str(draw(graph(one, other)))
    assert len(text.splitlines()) == 4  # a label cannot add a line
    if one.strip():
        assert shown(one).rstrip() in text


@examples(30)
@given(labels, st.sampled_from(["neurons", "layers"]))
@example("0", "layers")
def test_labels_survive_in_folded_cards(name, detail):
    w = [[Weight(0.5, label=f"{name}.{j}.w{i}") for i in range(2)] for j in range(2)]
    x = [Value(1, label=name), Value(2)]
    outputs = [mg.tanh(mg.dot(ws, x)) for ws in w]
    drawing = draw(outputs, detail=detail)
    picture = Picture(drawing.to_svg())
    assert len(picture.cards) in (2, 3, 4)  # 2 where the labels read as places of one layer: "0.1.w0"
    for text in (
        drawing.to_dot(),
        drawing.to_mermaid(),
        drawing.to_html(),
        str(drawing),
        step_through(mg.sum(outputs)).to_html(),
    ):
        text.encode("utf-8")
        assert not set(text) & {"\x00", "\u202e", "\ud800", "\x1f"}


def test_long_labels_are_shortened_but_kept():
    name = "a very long name " * 30
    drawing = draw(graph(name, "y"))
    card = Picture(drawing.to_svg()).cards[0]
    assert card.text("head").endswith("…")
    assert len(card.text("head")) < 40
    assert json.loads(card.data["label"]) == name
    assert name in card.tooltip


# ── SVG ─────────────────────────────────────────────────────────────────────────────────────────
def test_svg_carries_its_font_and_says_what_it_is():
    root = ET.fromstring(draw(product(), title="J = 3(a + b·c)").to_svg())
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "J = 3(a + b·c)"
    assert "6 values, 5 edges" in root.find(f"{SVG}desc").text
    style = root.find(f"{SVG}style").text
    assert style.count("@font-face") == 2
    assert re.search(r"font-family:(mg-\w+)", style).group(1) in root.get("font-family")
    assert not re.search(r"url\((?!data:)", style)


def test_the_embedded_font_has_the_letters_and_their_widths():
    fonttools = pytest.importorskip("fontTools.ttLib", reason="the font is read back with fontTools")
    text = "∂J/∂a = 30 + 30 = 60 σ√∛⌊x⌋₀₉ ŵ 損"
    import base64

    _, rules = embedded(text, "")
    data = base64.b64decode(re.search(r"base64,([^)]*)\)", rules).group(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        face = fonttools.TTFont(io.BytesIO(data))
        for tag in face.keys():  # noqa: SIM118  (not a dictionary)
            face[tag]  # decompiles
    cmap = face.getBestCmap()
    assert {chr(c) for c in cmap} == set(text) - {"損"}
    for code, glyph in cmap.items():
        assert face["hmtx"][glyph][0] / face["head"].unitsPerEm == pytest.approx(font().advances[chr(code)], abs=1e-9)
        if chr(code) != " ":
            assert face["glyf"][glyph].numberOfContours > 0
    assert len(data) < 12_000


def test_the_font_covers_what_formulas_need():
    signs = "σΣΠ√∛∂∇′⁻ˣʸ₀₁₂₃₄₅₆₇₈₉ⁿ‖⌊⌋⌈⌉≤≥≠×÷−·½²³∞≈→←∈∘…ΑΒΓΔΘΛΞΦΨΩαβγδεζηθικλμνξοπρστυφχψωéüñŵŷАяж"
    assert font(bold=False).has(signs)
    assert font(bold=True).has(signs)
    assert (FOLDER / "OFL.txt").read_text(encoding="utf-8").count("SIL OPEN FONT LICENSE") == 1


def test_auto_theme_follows_the_reader():
    svg = draw(product(), theme="auto").to_svg()
    assert "@media (prefers-color-scheme:dark)" in svg
    assert "prefers-color-scheme" not in draw(product(), theme="dark").to_svg()
    assert '"#14181d"' in draw(product(), theme="dark").to_svg()


# ── PNG, PDF, DOT ───────────────────────────────────────────────────────────────────────────────
def size_of(image):
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")


@pytest.mark.parametrize("scale", [1, 2.0, 0.5])
def test_png_has_the_size_asked_for(scale):
    drawing = draw(product())
    w, h = size_of(drawing.to_png(scale))
    assert (w, h) == pytest.approx((drawing.canvas.width * scale, drawing.canvas.height * scale), abs=1)


def test_png_shows_text():
    image = pytest.importorskip("PIL.Image", reason="the PNG is read back with Pillow")
    drawing = draw(product())
    with image.open(io.BytesIO(drawing.to_png(2))) as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert (0, 0x60, 0xA8) in colours  # the middle of a stroke of a bold blue digit
    assert (0xB8, 0x4A, 0) in colours


def test_png_has_a_limit_and_says_what_to_do():
    drawing = draw(product())
    with pytest.raises(ValueError, match=r"would be .* × .* pixels; .* or less, save as .svg") as refused:
        drawing.to_png(100)
    fits = float(re.search(r"use scale=([\d.]+) or", str(refused.value)).group(1))
    assert 10 < fits < 100
    for scale in (0, -1, float("nan"), "2"):
        with pytest.raises(ValueError, match="scale must be a positive number"):
            png(drawing.canvas, LIGHT, scale)


def test_pdf_has_the_texts_as_text():
    pytest.importorskip("reportlab", reason="PDF is an extra")
    pypdf = pytest.importorskip("pypdf", reason="the PDF is read back with pypdf")
    drawing = draw(named(product() * 1, "비용"), title="J = 3(a + b·c)", legend=True)
    page = pypdf.PdfReader(io.BytesIO(drawing.to_pdf())).pages[0]
    assert float(page.mediabox.width) == pytest.approx(0.75 * drawing.canvas.width, abs=0.01)
    text = page.extract_text()
    for expected in ("J = 3(a + b·c)", "u = b × c", "∂u/∂b = 2", "비용", "gradient, flowing back"):
        assert expected in text
    assert drawing.to_pdf() == drawing.to_pdf()


@needs_dot
def test_dot_lays_out_and_renders_without_a_warning():
    layered = draw(perceptron([2, 3, 2], random.Random(0)), detail="neurons", highlight=[])
    assert layered.to_dot().count("subgraph cluster") == 1
    for detail in ("full", "cards", "neurons", "layers", "perceptron"):
        drawing = draw(network()[1], detail=detail, title="E6") if detail != "perceptron" else layered
        source = drawing.to_dot()
        done = subprocess.run([DOT, "-Tsvg"], input=source.encode(), capture_output=True, timeout=60, check=True)
        assert done.stderr == b""
    drawing = draw(product(), engine="dot")
    assert "∂u/∂b = 2" in drawing.to_svg()
    assert size_of(drawing.to_png(1))[0] > 100
    assert drawing.to_pdf().startswith(b"%PDF")


def test_what_steps_back_is_faint_in_every_format():
    x, y = Value(2, label="x"), Value(3, label="y")
    drawing = draw(x * 2 + y * 2, highlight=x)
    assert drawing.to_svg().count('opacity="0.22"') == 6
    assert drawing.to_dot().count('color="#ccd3db"') == 4
    pytest.importorskip("reportlab", reason="PDF is an extra")
    assert drawing.to_pdf() != draw(x * 2 + y * 2).to_pdf()


def test_graphviz_object():
    graphviz = pytest.importorskip("graphviz")
    digraph = draw(product()).to_graphviz()
    assert isinstance(digraph, graphviz.Digraph)
    assert digraph.source.count(" -> ") == 6


def test_without_dot_the_error_names_it_and_the_alternative(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        FileNotFoundError, match=r"program `dot` .* built-in layout needs no program: leave out engine='dot'"
    ):
        draw(product(), engine="dot").to_svg()


def test_dot_has_a_time_limit_and_its_failure_is_told(tmp_path, monkeypatch):
    fake = tmp_path / "dot"
    fake.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TimeoutError, match=r"did not finish within 0.2 s; the built-in layout"):
        dot_module.run_dot("digraph {}", "svg", seconds=0.2)
    fake.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('Error: out of memory')\n")
    with pytest.raises(RuntimeError, match=r"exit code 1: Error: out of memory; the built-in layout"):
        dot_module.run_dot("digraph {}", "svg")


def test_mermaid_of_e1():
    text = draw(product()).to_mermaid()
    assert text.splitlines()[0] == "flowchart LR"
    assert 'n1 -->|"∂u/∂b = 2<br/>◀ 6"| n3' in text
    assert 'n5["<b>J = 3 × v</b><br/>value 33<br/>∂J/∂J 1"]:::output' in text


def test_mermaid_says_when_it_is_too_large():
    xs = [Value(i) for i in range(600)]
    assert "600 edges" in draw(mg.sum(xs), detail="cards").to_mermaid()


def test_text_tree_of_e2():
    assert str(draw(branching())).splitlines()[0].split() == ["value", "gradient", "local"]
    lines = [" ".join(line.split()) for line in str(draw(branching())).splitlines()[1:]]
    assert lines == [
        "J = 3 × p 150 1",
        "├─ 3",
        "└─ p = y × z 50 3 × 3",
        "├─ y = 2 × x 10 15 × 5",
        "│ ├─ 2",
        "│ └─ x 5 30 + 30 = 60 × 2",
        "└─ z = x 5 30 × 10",
        "└─ x 5 30 + 30 = 60 × 1",
    ]


def test_text_of_a_deep_graph_stays_narrow():
    v = Value(1, label="x")
    for _ in range(150):
        v = mg.tanh(v)
    text = str(draw(v, detail="cards"))
    assert max(map(len, text.splitlines())) < 120
    assert text.count("(continued below)") == 12
    assert text.count("tanh") >= 150


# ── files ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("suffix", [".svg", ".png", ".dot", ".gv", ".mmd", ".html", ".txt", ".SVG"])
def test_save_by_suffix(tmp_path, suffix):
    target = tmp_path / f"picture; rm -rf $(x) 'ü'{suffix}"  # a path is a path, not a command
    assert draw(product()).save(target) == target
    assert target.stat().st_size > 100
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


def test_unknown_formats_name_the_known(tmp_path):
    for name in ("a.bmp", "a", "a.svg.gz"):
        with pytest.raises(ValueError, match=r"end its name in one of \.svg \.png \.pdf \.dot \.mmd \.html \.txt"):
            draw(product()).save(tmp_path / name)
    with pytest.raises(ValueError, match=r"one of \.html \.svg \.gif \.txt"):
        step_through(product()).save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_file_whole(tmp_path, monkeypatch):
    target = tmp_path / "graph.svg"
    target.write_text("old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        draw(product()).save(target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["graph.svg"]
    with pytest.raises(FileNotFoundError, match="does not exist"):
        draw(product()).save(tmp_path / "missing" / "graph.svg")


def test_extras_that_are_missing_are_named(monkeypatch):
    for module, attempt, hint in (
        ("reportlab.pdfbase", lambda: draw(product()).to_pdf(), r"microgradlike\[pdf\]"),
        ("PIL", lambda: step_through(product()).to_gif(), r"microgradlike\[animation\]"),
        ("resvg_py", lambda: draw(product()).to_png(), "pip install resvg-py"),
        ("graphviz", lambda: draw(product()).to_dot(), "pip install graphviz"),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(ImportError, match=hint):
                attempt()


# ── pictures that were looked at, and kept ──────────────────────────────────────────────────────
KEPT = {
    "product": lambda: draw(product(), title="J = 3(a + b·c)", legend=True),
    "branching": lambda: draw(branching(), title="y = 2x, z = x, J = 3yz", theme="dark"),
    "branching-down": lambda: draw(branching(), direction="TB"),
    "network": lambda: draw(swept(network()[1]), detail="full", title="The 2-2-2 network", legend=True),
    "network-neurons": lambda: draw(swept(network()[1]), detail="neurons", legend=True),
}


def swept(root):
    root.backward()
    return root


@pytest.mark.parametrize("name", KEPT)
def test_pictures_are_as_they_were_reviewed(name):
    """To renew them: MICROGRADLIKE_GOLDEN=1 pytest tests/test_draw_formats.py, then look at each one."""
    svg = KEPT[name]().to_svg()
    file = GOLDEN / f"{name}.svg"
    if os.environ.get("MICROGRADLIKE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(svg, encoding="utf-8")
    # The compressed font may differ between versions of zlib; what is drawn may not.
    assert re.sub("<style>.*?</style>", "", svg) == re.sub("<style>.*?</style>", "", file.read_text(encoding="utf-8"))
