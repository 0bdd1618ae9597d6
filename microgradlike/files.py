"""Writing a file whole or not at all. Everything that the package saves goes through here."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write `content` to `path` so that a reader, or an interrupt, finds the old file or the new one.

    Args:
        path: the file; its folder must exist.
        content: text (written as UTF-8) or bytes.

    Returns:
        The path.

    Raises:
        FileNotFoundError: the folder does not exist; the message names it.
        OSError: the file cannot be written; an old one is left whole.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {str(target)!r}: the folder {str(target.parent)!r} does not exist")
    if target.is_dir():
        raise IsADirectoryError(f"cannot write {str(target)!r}: it is a folder")
    raw = content.encode("utf-8") if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # as open() would have made it, not private as mkstemp does
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return target


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
