"""Child processes that end when whoever started them ends, however that happened.

The starter keeps the writing end of a pipe; the kernel closes it with the starter, kill -9
included, and the child, which reads its standard input, asks itself to stop. Nothing else may read
that input.
"""

import os
import signal
import threading
import time

_GRACE_SECONDS = 15.0
"""Time to stop in order before the process is ended hard."""


def end_with_starter() -> None:
    """Watch standard input from a thread, and end this process once it is closed."""
    threading.Thread(target=_watch, name="lifeline", daemon=True).start()


def _watch() -> None:
    try:
        while os.read(0, 1024):
            pass
    except OSError:
        pass  # no standard input at all: the same as a closed one
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)
