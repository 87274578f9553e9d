"""What the holder says about its servers, in one small file that users read.

The file is replaced atomically, never edited. It holds process ids, addresses and texts, and no
secret.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import orjson


class Server(StrEnum):
    """The servers a holder can run."""

    POSTGRES = "postgres"
    VALKEY = "valkey"


class Health(StrEnum):
    """How one server does."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    """It ended by itself and will be started again."""
    FAILED = "failed"
    """It cannot start; the note says why."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server as last seen by the holder."""

    health: Health
    pid: int | None = None
    socket: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class HolderState:
    """The holder's process id and its servers."""

    pid: int
    servers: dict[Server, ServerState] = field(default_factory=dict)


def write_state(path: Path, state: HolderState) -> None:
    """Replace the state file so that a reader sees the old one or the new one, whole."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(orjson.dumps(asdict(state), option=orjson.OPT_NON_STR_KEYS))
    fresh.replace(path)


def read_state(path: Path) -> HolderState | None:
    """Return the last state, or None when there is none that can be read."""
    try:
        raw = orjson.loads(path.read_bytes())
        return HolderState(
            pid=int(raw["pid"]),
            servers={
                Server(name): ServerState(
                    health=Health(entry["health"]),
                    pid=None if entry["pid"] is None else int(entry["pid"]),
                    socket=str(entry["socket"]),
                    note=str(entry["note"]),
                )
                for name, entry in raw["servers"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Absent, or of another version: both mean that nothing is known.
        return None
