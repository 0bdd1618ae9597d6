"""Files are written whole or not at all, at whatever instant an interrupt comes, and as what they were."""

from __future__ import annotations

import os
import stat
import threading

import pytest
from helpers import interrupted

import microgradlike as mg
from microgradlike import Value, nn, saving
from microgradlike.files import write_atomically

SAVES = {
    "text": lambda path: write_atomically(path, "new " * 5000),
    "network": lambda path: nn.MLP(2, [3, 1], seed=0).save(path),
    "picture": lambda path: mg.draw(Value(2.0) * Value(3.0)).save(path),
}
POSIX = pytest.mark.skipif(os.name != "posix", reason="modes, links and pipes are POSIX's")


@pytest.mark.parametrize("what", SAVES)
def test_ctrl_c_at_any_instant_of_saving(what, tmp_path):
    path = tmp_path / ("x.svg" if what == "picture" else "x.json")
    SAVES[what](path)
    new, hits = path.read_bytes(), 0
    path.write_text("old")
    for hit in interrupted(lambda: SAVES[what](path), tries=200 if what == "text" else 40):
        hits += hit
        assert path.read_bytes() in (b"old", new)
        assert os.listdir(tmp_path) == [path.name]  # nothing beside it
        path.write_text("old")
    assert hits > 10
    SAVES[what](path)
    assert path.read_bytes() == new


@POSIX
def test_a_file_keeps_its_mode_and_a_link_stays_one(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)
    assert write_atomically(link, "new") == link
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    fresh = write_atomically(tmp_path / "fresh", "x")
    (tmp_path / "plain").write_text("x")
    assert fresh.stat().st_mode == (tmp_path / "plain").stat().st_mode


@POSIX
def test_a_pipe_is_written_to(tmp_path):
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()), daemon=True)
    reader.start()
    write_atomically(pipe, "text")
    reader.join(10)
    assert found == ["text"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_half_a_surrogate_in_a_name_is_saved(tmp_path):
    saving.save({"\ud800": "\udfff and → é"}, tmp_path / "x.json")
    assert mg.load(tmp_path / "x.json") == {"\ud800": "\udfff and → é"}


@pytest.mark.parametrize(
    "content",
    [
        "1" * 5000,
        '{"array": {"type": "<U2000000000", "shape": [1], "items": ["a"]}}',
        '{"array": {"type": "<U500000000", "shape": [1], "items": ["a"]}}',
        '{"array": {"type": "float64", "shape": [0, ' + "1" + "0" * 30 + '], "items": []}}',
        '{"array": {"type": "float64", "shape": [' + ", ".join(["1"] * 100) + '], "items": [{"float": "0x0p0"}]}}',
        "[" * 10_000 + "]" * 10_000,
    ],
)
def test_whatever_a_file_holds_the_error_names_it(content, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text('{"format": "microgradlike", "schema": 1, "content": ' + content + "}")
    with pytest.raises(saving.LoadError, match=r"bad\.json"):
        mg.load(path)
