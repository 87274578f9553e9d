"""`tallyport up`: survives kill -9 of its parts, and leaves nothing behind, however it ends."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tallyport.local import read_local

_WAIT_SECONDS = 30


def _processes(data_dir: Path) -> dict[int, str]:
    """Living processes of an instance, by what their command line or environment names."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it has just ended
        about = f"TALLYPORT_DATA_DIR={data_dir}".encode()
        if state != "Z" and (about in environment or str(data_dir) in command):
            found[int(entry.name)] = command
    return found


def _pid(data_dir: Path, part: str) -> int:
    return next(pid for pid, command in _processes(data_dir).items() if f" {part} " in command)


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(what)


def _is_well(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/health", timeout=5).json()
    except (httpx.TransportError, ValueError):
        return False
    return bool(answer["database"] == "ok" and answer["worker"] == "ok")


def test_killed_parts_come_back_and_nothing_is_left(tmp_path: Path, start_process: Any) -> None:
    """Kill -9 of the parts is mended; SIGTERM ends all; a second start has no first token."""
    data_dir = tmp_path / "data"
    environment = {"TALLYPORT_DATA_DIR": str(data_dir), "TALLYPORT_SWEEP_SECONDS": "0.5"}
    up = start_process(["up", "--port", "0", "--json"], environment, tmp_path / "up.log")
    url = str(up.said["url"])
    try:
        assert str(up.said["firstToken"]).startswith("tp_")
        _until(lambda: _is_well(url), "it never became well")
        for part in ("serve", "worker"):
            before = _pid(data_dir, part)
            os.kill(before, signal.SIGKILL)
            _until(
                lambda part=part, before=before: (  # type: ignore[misc] # defaults bind the values
                    any(
                        f" {part} " in command and pid != before
                        for pid, command in _processes(data_dir).items()
                    )
                    and _is_well(url)
                ),
                f"{part} did not come back",
            )
        local = read_local(data_dir)
    finally:
        assert up.stop() == 0
    _until(lambda: not _processes(data_dir), f"still there: {_processes(data_dir)}")
    assert up.said["firstToken"] not in up.log.read_text()

    again = start_process(["up", "--port", "0", "--json"], environment, tmp_path / "up.log")
    try:
        assert again.said["firstToken"] is None
        known = read_local(data_dir)
        assert known is not None
        assert local is not None
        assert known.token == local.token
    finally:
        again.process.kill()
        again.process.wait()
        again.process.stdout.close()
    _until(lambda: not _processes(data_dir), f"still there after kill -9: {_processes(data_dir)}")


def test_a_taken_port_is_told(tmp_path: Path, instance: Any) -> None:
    """A port in use ends with a sentence and starts no servers."""
    port = instance.url.rpartition(":")[2]
    result = instance.run("up", "--data-dir", str(tmp_path / "data"), "--port", port)

    assert result.exit_code == 1
    assert "--port" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_second_one_with_the_same_directory_is_refused(instance: Any) -> None:
    """It would hide the first from the command line; the answer says where that one is."""
    before = read_local(instance.data_dir)
    result = instance.run("up", "--data-dir", str(instance.data_dir), "--port", "0")

    assert result.exit_code == 1
    assert instance.url in result.stderr
    assert read_local(instance.data_dir) == before


def test_serve_on_a_taken_port_is_told(instance: Any) -> None:
    """A server beside the first one ends with a sentence about the port, never a traceback."""
    result = instance.run("serve", "--port", instance.url.rpartition(":")[2])

    assert result.exit_code == 1
    assert "--port" in result.stderr
    assert "Traceback" not in result.output
