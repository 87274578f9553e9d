"""The address and token of the instance on this machine, in a file that only its owner can read.

`tallyport up` writes it into the data directory; the command line of the same user finds it there.
"""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import orjson

FILE_NAME = "local.json"


@dataclass(frozen=True, slots=True)
class LocalInstance:
    """Where the instance of this machine answers, and a token for it."""

    url: str
    token: str = field(repr=False)


def read_local(data_dir: Path) -> LocalInstance | None:
    """Return what `up` wrote, or None where it never ran, or ran for another user."""
    try:
        content = orjson.loads((data_dir / FILE_NAME).read_bytes())
        return LocalInstance(url=str(content["url"]), token=str(content["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_local(data_dir: Path, instance: LocalInstance) -> None:
    """Replace the file in one step; it is never readable by others, not even for a moment."""
    handle, name = tempfile.mkstemp(dir=data_dir, prefix=f".{FILE_NAME}.")  # mode 0600
    with os.fdopen(handle, "wb") as file:
        file.write(orjson.dumps({"url": instance.url, "token": instance.token}))
    Path(name).replace(data_dir / FILE_NAME)
