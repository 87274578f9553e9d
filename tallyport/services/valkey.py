"""The embedded Valkey.

It is a doorbell and a request budget: losing all of it loses nothing, so nothing is saved.
"""

import signal
from pathlib import Path

from tallyport.services import processes
from tallyport.services.errors import ServicesError
from tallyport.services.layout import Account, Layout, Sockets, own_dir
from tallyport.services.probes import valkey_answers
from tallyport.services.programs import Programs


class Valkey:
    """One Valkey in one data directory, as its keeper sees it."""

    stop_steps = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))

    def __init__(
        self, layout: Layout, programs: Programs, account: Account | None, sockets: Sockets
    ) -> None:
        """Remember where everything is; nothing is touched before prepare."""
        self._layout = layout
        self._programs = programs
        self._account = account
        self._sockets = sockets

    @property
    def socket(self) -> Path:
        """The socket it listens on."""
        return self._sockets.valkey

    def prepare(self) -> None:
        """Make its directory and end what an earlier holder left."""
        own_dir(self._layout.valkey, self._account)
        try:
            pid = int((self._layout.valkey / "valkey.pid").read_text())
        except (OSError, ValueError):
            return
        if not processes.end_stranger(pid, self._layout.valkey, self.stop_steps):
            raise ServicesError(
                f"An earlier Valkey (process {pid}) does not end. Stop it, then try again."
            )

    def launch(self) -> processes.Launch:
        """Return how to start it: on a private socket, without a port, without files."""
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "pidfile": "valkey.pid",
            "save": "",
            "appendonly": "no",
            "databases": "64",
            "maxmemory": "256mb",
            # Dropping keys silently would lose queue entries; refusing writes is seen and survived.
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        argv = [str(self._programs.valkey)]
        for name, value in options.items():
            argv += [f"--{name}", value]
        return processes.Launch(argv, self._layout.valkey, self._account, signal.SIGTERM)

    def is_ready(self, pid: int) -> bool:  # noqa: ARG002 - the protocol's
        """Say whether it answers; each start makes the socket anew, so the id says no more."""
        return valkey_answers(self.socket)

    def complete(self) -> None:
        """Do nothing: an empty Valkey is complete."""
