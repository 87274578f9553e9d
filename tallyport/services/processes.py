"""Starts servers that cannot outlive their holder, and ends those an earlier one left."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tallyport.services.layout import Account

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one program."""

    argv: Sequence[str]
    cwd: Path
    account: Account | None
    parting_signal: signal.Signals
    """What the kernel sends the program when the holder dies."""


def environment() -> dict[str, str]:
    """Return the few variables servers get; ours may hold secrets, so none is handed on."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def start(launch: Launch, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the program in its directory and as its account, with its output in the log."""
    account = launch.account
    return subprocess.Popen(  # noqa: S603 - our own programs
        launch.argv,
        cwd=launch.cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else (),
        # It runs in the child after privileges are dropped, which would clear the setting. The
        # holder has no threads, so calling Python between fork and exec is safe.
        preexec_fn=_follow_parent(launch.parting_signal),  # noqa: PLW1509
    )


def run(argv: Sequence[str], cwd: Path, account: Account | None, seconds: float) -> tuple[int, str]:
    """Run a program to its end and return its exit status and the end of what it said."""
    done = subprocess.run(  # noqa: S603 - our own programs
        argv,
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else (),
    )
    return done.returncode, done.stdout.decode(errors="replace").strip()[-600:]


def end(process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """End a child with ever stronger signals, each given its seconds to work."""
    for number, seconds in steps:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def end_stranger(pid: int, cwd: Path, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
    """End a server known by its working directory, and say whether it is gone."""
    for number, seconds in steps:
        if not works_in(pid, cwd):
            return True
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and works_in(pid, cwd):
            time.sleep(0.02)
    return not works_in(pid, cwd)


def all_left(cwd: Path, seconds: float) -> bool:
    """Say whether no process works in this directory any more, waiting for the last to leave."""
    deadline = time.monotonic() + seconds
    while any(works_in(pid, cwd) for pid in _process_ids()):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def works_in(pid: int, cwd: Path) -> bool:
    """Say whether the process lives and works in this directory; ids alone are reused."""
    if pid <= 1:
        return False
    if sys.platform == "linux":
        try:
            # A zombie has no working directory any more, which is what we want: it is dead.
            return os.path.samestat(Path(f"/proc/{pid}/cwd").stat(), cwd.stat())
        except OSError:
            return False
    listed = subprocess.run(  # noqa: S603 - a fixed command and a number
        ["/usr/sbin/lsof", "-a", "-p", str(pid), "-d", "cwd", "-Fn"],
        capture_output=True,
        check=False,
        timeout=10,
    )
    return f"n{cwd}\n".encode() in listed.stdout


def _process_ids() -> list[int]:
    """Return the ids of all processes this system shows; Linux only."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _follow_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child calls so that the kernel signals it when the holder dies; Linux only."""
    if sys.platform != "linux":
        return None
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def follow() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return follow
