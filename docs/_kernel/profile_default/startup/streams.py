"""What a cell prints is sent in one piece when it ends: MyST-NB joins pieces by line breaks, even amid a line."""

import sys

for _stream in (sys.stdout, sys.stderr):
    if hasattr(_stream, "flush_interval"):
        _stream.flush_interval = 3600.0
del _stream, sys
