"""Advisory file locks that the kernel releases when their process ends, even by kill -9.

A lock lives on an open file, so it is dropped by closing and never by unlocking: a forked child
that shares the open file must not be able to take the lock from its parent.
"""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class FileLock:
    """One lock on one file; it is held from the first successful take until close."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, readable by its owner only, without taking the lock."""
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take(self, *, shared: bool = False) -> bool:
        """Take the lock if it is free now, and say whether it is held."""
        try:
            fcntl.flock(self._fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self, seconds: float, *, shared: bool = False) -> bool:
        """Take the lock, waiting at most ``seconds`` for it, and say whether it is held."""
        deadline = time.monotonic() + seconds
        while not self.take(shared=shared):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def stands(self) -> bool:
        """Say whether the path still names the file that is open here."""
        try:
            return os.path.samestat(os.fstat(self._fd), self.path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Give the lock back; harmless when repeated."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        """Return the lock itself, taken or not."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lock back."""
        self.close()


def is_held(path: Path) -> bool:
    """Say whether some process holds the file's exclusive lock at this moment."""
    if not path.exists():
        return False
    with FileLock(path) as lock:
        return not lock.take(shared=True)
