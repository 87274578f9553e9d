"""Tests of the supervisor and the lifeline, with real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tallyport.supervise import Child, Supervisor

_CHILD = """
import os, sys, time
from tallyport.lifeline import end_with_starter
end_with_starter()
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(60)
"""


def _pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def _await_pids(path: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if len(_pids(path)) >= count:
            return _pids(path)
        time.sleep(0.05)
    raise AssertionError(f"{count} starts were expected, {len(_pids(path))} seen")


def _is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_killed_child_is_started_again_and_all_end_with_the_supervisor(tmp_path: Path) -> None:
    """Kill -9 brings a new process; stopping leaves none."""
    marks = tmp_path / "pids"
    child = Child("one", [sys.executable, "-c", _CHILD, str(marks)], os.environ)
    supervisor = Supervisor([child])
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        (first,) = _await_pids(marks, 1)
        os.kill(first, signal.SIGKILL)
        _, second = _await_pids(marks, 2)
    finally:
        supervisor.stop()
        thread.join(20)

    assert not thread.is_alive()
    assert _is_gone(second)


def test_children_end_when_their_starter_is_killed(tmp_path: Path) -> None:
    """The lifeline ends a child whose starter got kill -9."""
    marks = tmp_path / "pids"
    starter = """
import os, sys
from tallyport.supervise import Child, Supervisor
Supervisor([Child("one", [sys.executable, "-c", sys.argv[1], sys.argv[2]], os.environ)]).run()
"""
    process = subprocess.Popen([sys.executable, "-c", starter, _CHILD, str(marks)])
    try:
        (child,) = _await_pids(marks, 1)
    finally:
        process.kill()
        process.wait()

    assert _is_gone(child)
