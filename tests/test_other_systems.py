"""What Windows and macOS do otherwise, simulated here: locales, line ends, `spawn`, files in use, names, what os lacks.

The workflow tests.yml runs the suite on those systems themselves.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from microgradlike import Value, draw, nn

ROOT = Path(__file__).resolve().parent.parent

USE = """
import microgradlike as mg
from microgradlike import Value, datasets, losses, nn, optim
from microgradlike.__main__ import main
X, y = datasets.iris()
net = nn.MLP(4, [3], seed=1)
step = mg.compile(lambda x, label: losses.cross_entropy(net(x), label))
step.backward(X[::10], y[::10])
optim.Adam(net.parameters(), 0.1).step()
net.save("net.json")
assert mg.load("net.json")(X[0])[0].data == net(X[0])[0].data
x = Value(2.0, label="σ − naïve 값")
J = mg.tanh(x) * x
J.backward()
for suffix in (".svg", ".html", ".txt", ".mmd"):
    mg.draw(J, title="∂J/∂σ").save("graph" + suffix)
mg.live(J).save("live.html")
assert main(["explain", "x", "2*x * x", "x=5"]) == 0
assert main(["version", "--all"]) == 0
print("done")
"""


def python(code, folder, *options, path=ROOT, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHON"))}
    environment |= {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"} | variables
    command = [sys.executable, *options, "-c", f"exec({code!a})"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The files that USE writes on a system with UTF-8."""
    folder = tmp_path_factory.mktemp("usual")
    python(USE, folder, PYTHONUTF8="1")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("encoding", ["cp1252", "cp949", "ascii:strict"])
def test_a_locale_of_another_encoding_changes_no_file(encoding, usual, tmp_path):
    """Every file says its encoding; what a console lacks becomes a question mark, no traceback."""
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    code = USE.replace('assert main(["', 'import sys; sys.stdout.reconfigure(errors="replace"); assert main(["')
    told = python(code, tmp_path, "-X", "warn_default_encoding", "-W", "error::EncodingWarning", **locale)
    assert told.rstrip().endswith(b"done")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == usual


def test_the_command_line_speaks_to_any_console(tmp_path):
    code = "import sys; from microgradlike.__main__ import main; sys.argv = ['m', 'explain', 'x', 'x*x', 'x=5']; main()"
    told = python(code, tmp_path, LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert b"dresult/dx = x + x = 10, the sum over 2 paths" in told


WINDOWS_LACKS = """
import os, signal, sys
for name in ("fork", "forkpty", "register_at_fork", "sched_getaffinity", "getuid", "geteuid", "getgid", "fchmod"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGKILL", "setitimer", "alarm", "pthread_sigmask"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("resource", "fcntl", "pwd", "grp", "termios", "tty", "pty"):
    sys.modules[name] = None
"""


def test_nothing_is_asked_of_os_that_windows_lacks(usual, tmp_path):
    python(WINDOWS_LACKS + USE, tmp_path, PYTHONUTF8="1")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == usual


def test_a_checkout_with_other_line_ends_works(usual, tmp_path):
    """Git on Windows may write \\r\\n into every text file, and so may editors: the package reads both."""
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")
    shutil.copytree(ROOT / "microgradlike", copy / "microgradlike", ignore=ignored)
    for path in copy.rglob("*"):
        if path.suffix in (".py", ".csv", ".js", ".css", ".html"):
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    (tmp_path / "made").mkdir()
    python(USE, tmp_path / "made", PYTHONUTF8="1", MICROGRADLIKE_ENGINE="python", path=copy)  # (it has no extension)
    made = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    assert {name: text.replace(b"\r\n", b"\n") for name, text in made.items()} == usual


SPAWNED = """
import multiprocessing, sys
import microgradlike as mg
from microgradlike import Value, nn

def work(task):
    value, net = task
    value.backward()
    return [p.grad for p in mg.topological_order(value) if p.is_leaf], net([1.0, 2.0]).data

if __name__ == "__main__":
    x = Value(2.0, label="x")
    net = nn.MLP(2, [3, 1], activation="tanh", seed=1)
    tasks = [(mg.tanh(x * k) * x, net) for k in (1.0, 2.0)]
    expected = []
    for value, _ in tasks:
        expected.append((mg.grad(lambda a, k=float(len(expected) + 1): mg.tanh(a * k) * a)(2.0), net([1.0, 2.0]).data))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        got = pool.map(work, tasks)
    assert [(g[0], out) for g, out in got] == expected, (got, expected)
    print("done")
"""


def test_values_and_modules_go_to_processes_that_are_spawned(tmp_path):
    """As on Windows and macOS, where a child starts with nothing: graphs and modules travel as pickles."""
    (tmp_path / "spawned.py").write_text(SPAWNED, "utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "spawned.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("done", 0), done.stderr[-3000:]


@pytest.mark.parametrize("save", [lambda p: draw(Value(1) * 2).save(p), lambda p: nn.MLP(1, [1], seed=0).save(p)])
def test_a_file_that_another_program_holds_open_stays_whole(save, tmp_path, monkeypatch):
    """Windows refuses to replace such a file: the old one is left, and nothing beside it."""
    path = tmp_path / ("graph.svg" if "draw" in save.__code__.co_names else "net.json")
    path.write_text("old", "utf-8")

    def refused(source, target):
        raise PermissionError(13, "Access is denied", str(source), 5, str(target))

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(PermissionError, match=re.escape(path.name)):
        save(path)
    assert path.read_text("utf-8") == "old" and [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_of_files_may_have_any_letters(form, tmp_path):
    """macOS may take them apart into letters and accents; capitals in a suffix are what Windows' programs write."""
    path = tmp_path / unicodedata.normalize(form, "é 값 graph.SVG")
    draw(Value(1) * 2).save(path)
    assert [unicodedata.normalize("NFC", p.name) for p in tmp_path.iterdir()] == ["é 값 graph.SVG"]
    assert path.read_bytes().startswith(b"<svg")


def test_names_in_the_checkout_fit_every_system():
    """No two names differ in capitals only; none has a character or a word that Windows keeps to itself."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("no checkout, or git is not installed")
    command = ["git", "ls-files", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode("utf-8").split("\0")
    if not any(names):
        pytest.skip("git lists nothing here")
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert len(name) < 120 and not re.search(r'[<>:"\\|?*]|[. ](?:/|$)', name), name
        assert not {part.split(".")[0].lower() for part in name.split("/")} & {
            "con",
            "prn",
            "aux",
            "nul",
            "com1",
            "lpt1",
        }


def test_texts_have_the_line_ends_of_this_repository():
    for path in (ROOT / "microgradlike").rglob("*"):
        if path.suffix in (".py", ".c", ".h", ".pyx", ".js", ".css", ".html", ".csv"):
            assert b"\r" not in path.read_bytes(), path
