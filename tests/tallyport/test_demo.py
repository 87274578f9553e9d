"""The demo as a user runs it: one command, its last line, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pytest


def _demo(tmp_path: Path, *arguments: str) -> subprocess.Popen[bytes]:
    # Settings of the operator that the demo must not use.
    foreign = {
        "TALLYPORT_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/production",
        "TALLYPORT_DATA_DIR": str(tmp_path / "untouched"),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tallyport", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **foreign, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    )


def _left_over(tmp_path: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if entry.name.isdigit() and f"{tmp_path}/tallyport-demo" in command + environment:
            found.append(command)
    return found


@pytest.mark.timeout(180)
def test_the_demo_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    """`demo --once --json` tells every step, and its last line says ok and settled."""
    process = _demo(tmp_path, "--once", "--json")
    out, told = process.communicate(timeout=170)
    assert process.returncode == 0, told.decode()[-6000:]
    result: dict[str, Any] = orjson.loads(out.splitlines()[-1])

    assert result["ok"] is True
    (channel,) = result["channels"]
    assert channel.pop("requests") > 0
    assert channel == {
        "platform": "woocommerce",
        "linked": 16,
        "published": 51,
        "synced": 26,
        "hidden": 4,
        "unhidden": 3,
        "broken": 2,
        "delisted": 3,
        "imported": 3,
        "orders_imported": 4,
        "orders_held": 1,
        "orders_skipped": 2,
        "orders_unsavable": 1,
        "shipments_pushed": 3,
        "settled": True,
    }
    assert "differs" in told.decode()
    assert "from the sale seen to the other store's books" in told.decode()
    assert not _left_over(tmp_path)
    assert not list(tmp_path.glob("tallyport-demo-*"))
    assert not (tmp_path / "untouched").exists()


@pytest.mark.timeout(120)
def test_the_demo_can_be_interrupted(tmp_path: Path) -> None:
    """Ctrl-C in the middle ends every process it started."""
    process = _demo(tmp_path)
    assert process.stderr is not None
    for line in process.stderr:
        if b"Tallyport answers at" in line:
            break
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)

    deadline = time.monotonic() + 10
    while _left_over(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _left_over(tmp_path), told.decode()
    assert not list(tmp_path.glob("tallyport-demo-*"))
