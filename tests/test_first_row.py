"""docs/first-row.md works as it stands: its blocks make a row in a copy of the package, and its commands pass there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```\{code-block\} (\w+)\n(?::caption: '([^\n]*)'\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def blocks():
    page = (ROOT / "docs" / "first-row.md").read_text("utf-8")
    return BLOCK.findall(page)


@pytest.fixture(scope="module")
def copy(blocks, tmp_path_factory):
    """The tree with every block that names a file put where its caption says."""
    tree = tmp_path_factory.mktemp("first") / "tree"
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "_build", "build")
    for name in ("microgradlike", "tests", "docs"):
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, tree / name)
    edits = [(caption, code) for _, caption, code in blocks if caption.startswith("`")]
    assert len(edits) == 5
    for caption, code in edits:
        file, where, anchor = re.fullmatch(r"`(\S+)`, (before|after) `(.*)`", caption).groups()
        text = (tree / file).read_text("utf-8")
        assert text.count(anchor) == 1, caption
        at = text.index(anchor) if where == "before" else text.index("\n", text.index(anchor)) + 1
        (tree / file).write_text(text[:at] + code + text[at:], "utf-8")
    return tree


def run(copy, *words):
    environment = os.environ | {"PYTHONPATH": str(copy), "MICROGRADLIKE_ENGINE": "python"}
    done = subprocess.run(
        words, cwd=copy, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_laws_and_judges_pass(blocks, copy):
    (command,) = (code for kind, _, code in blocks if kind == "shell" and "-k rsqrt" in code)
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "pytest"]
    told = run(copy, sys.executable, *words[1:], "-p", "no:cacheprovider", "-o", "addopts=")
    assert int(re.search(r"(\d+) passed", told).group(1)) >= 8 and "failed" not in told


def test_everything_that_reads_the_table_has_it(blocks, copy):
    (code,) = (code for _, caption, code in blocks if caption == "in Python")
    assert "over one path" in run(copy, sys.executable, "-c", code)


def test_the_c_of_the_table_has_it(copy):
    """What installing writes, and a compiler takes."""
    text = run(copy, sys.executable, "-c", "from microgradlike.native import rows; print(rows.text())")
    assert re.search(r"\bdouble mg_rsqrt\(double x0\)", text)
