"""Writing a file whole or not at all. Everything that the package saves goes through here."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from secrets import token_hex


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write `content` to `path` so that a reader, or an interrupt, finds the old file or the new one.

    Args:
        path: the file; its folder must exist. An old file keeps its mode; a pipe or a terminal is written to.
        content: text (written as UTF-8) or bytes.

    Returns:
        The path.

    Raises:
        FileNotFoundError: the folder does not exist; the message names it.
        OSError: the file cannot be written; an old one is left whole.
    """
    target = Path(os.path.realpath(path))  # a link stays, and what it leads to is written
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {os.fspath(path)!r}: the folder {str(target.parent)!r} does not exist")
    if target.is_dir():
        raise IsADirectoryError(f"cannot write {os.fspath(path)!r}: it is a folder")
    raw = content.encode("utf-8") if isinstance(content, str) else content
    if target.is_fifo() or target.is_char_device():
        target.write_bytes(raw)
        return Path(path)
    old = target.exists()
    if old and not target.is_file():
        raise OSError(f"cannot write {os.fspath(path)!r}: it is no file, pipe or terminal")
    temporary = target.with_name(f".{target.name[:40]}.{token_hex(8)}.part")
    try:
        with open(temporary, "xb") as file:  # as the user's umask has it
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        if old:
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):  # an interrupt may come when it is there no more
            os.unlink(temporary)
        raise
    return Path(path)


def in_browser(page: str) -> Path:
    """Open a page in the browser, from a file in a folder of its own; where there is no browser, say where it is.

    Returns:
        The file, which stays: the browser reads it when it likes.
    """
    import webbrowser

    file = write_atomically(Path(tempfile.mkdtemp(prefix="microgradlike-")) / "page.html", page)
    if not webbrowser.open(file.as_uri()):
        print(f"there is no browser to open it here: open {file.as_uri()} in one")
    return file
