"""The detached process that owns the embedded servers for as long as somebody uses them.

``python -m tallyport.services.holder --data-dir …`` is started by the first user and by nobody
else. It learns that the last user is gone from a file lock, which the kernel releases whatever
happened to that user.
"""

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tallyport.services.errors import ServicesError
from tallyport.services.keeper import Keeper
from tallyport.services.layout import Layout, Sockets, prepare_data_dir, side_path, socket_dir
from tallyport.services.locks import FileLock
from tallyport.services.postgres import Postgres
from tallyport.services.programs import find_programs, server_account
from tallyport.services.state import Health, HolderState, Server, ServerState, write_state
from tallyport.services.valkey import Valkey

_GRACE = 1.5
"""Seconds without users before the servers stop, so that a quick restart finds them running."""
_LONGEST_FAREWELL = 10.0
"""Seconds that users are given after the system asked us to end."""
_IDLE_TICK = 0.25
_BUSY_TICK = 0.02
_LONGEST_LOG = 4 * 1024 * 1024


class Holder:
    """Runs what is wanted, says how it does, and leaves when nobody is left."""

    def __init__(self, layout: Layout, log: IO[bytes]) -> None:
        """Find programs, account and sockets, or raise ServicesError."""
        self._layout = layout
        self._log = log
        self._account = server_account(layout)
        self._programs = find_programs(layout, self._account)
        self._sockets: Sockets = socket_dir(layout, self._account)
        self._side = side_path(layout)
        self._keepers: dict[Server, Keeper] = {}
        self._failed: dict[Server, ServerState] = {}
        self._said: HolderState | None = None
        self._alone_since: float | None = None
        self._asked_to_end_at: float | None = None

    def ask_to_end(self, _number: int, _frame: object) -> None:
        """Remember that the system wants us to end; users still get a moment to finish."""
        self._asked_to_end_at = self._asked_to_end_at or time.monotonic()

    def serve(self, users: FileLock, start: FileLock) -> None:
        """Run until the last user has left, then stop; both locks are the caller's to close."""
        try:
            while True:
                now = time.monotonic()
                self._take_orders()
                for keeper in self._keepers.values():
                    keeper.tick(now)
                self._drop_failed()
                self._say()
                if self._should_leave(now, users, start):
                    return
                busy = any(k.state.health is not Health.READY for k in self._keepers.values())
                time.sleep(_BUSY_TICK if busy else _IDLE_TICK)
        finally:
            # The start lock is held here when we leave in good order: nobody starts anew before all
            # has ended.
            for keeper in self._keepers.values():
                keeper.stop()
            self._say()
            if self._side is not None:
                # Copies and sockets: nothing to keep, and nobody else would clear it away.
                shutil.rmtree(self._side, ignore_errors=True)

    def _take_orders(self) -> None:
        """Take charge of every server somebody marked as wanted."""
        for server in Server:
            if server not in self._keepers and (self._layout.wanted / server).exists():
                kind = Postgres if server is Server.POSTGRES else Valkey
                program = kind(self._layout, self._programs, self._account, self._sockets)
                self._keepers[server] = Keeper(program, self._log)
                self._failed.pop(server, None)

    def _drop_failed(self) -> None:
        """Let go of servers that cannot start, so that the next request tries afresh."""
        for server, keeper in list(self._keepers.items()):
            if keeper.state.health is Health.FAILED:
                self._failed[server] = keeper.state
                del self._keepers[server]
                # In this order: users take a failure for theirs only when the mark is gone.
                self._say()
                (self._layout.wanted / server).unlink(missing_ok=True)

    def _should_leave(self, now: float, users: FileLock, start: FileLock) -> bool:
        """Say whether to end now; if for want of users, both locks are held."""
        if not self._keepers or not users.stands():
            return True
        if self._asked_to_end_at is not None and now - self._asked_to_end_at > _LONGEST_FAREWELL:
            return True
        with FileLock(self._layout.users_lock) as probe:
            if not probe.take():
                self._alone_since = None
                return False
        if self._alone_since is None:
            self._alone_since = now
        if now - self._alone_since < _GRACE and self._asked_to_end_at is None:
            return False
        if not start.take():
            # Somebody is about to become a user.
            self._alone_since = None
            return False
        if users.take():
            for server in Server:
                (self._layout.wanted / server).unlink(missing_ok=True)
            return True
        return False

    def _say(self) -> None:
        servers = self._failed | {server: keeper.state for server, keeper in self._keepers.items()}
        state = HolderState(os.getpid(), servers)
        if state != self._said and self._layout.root.exists():
            write_state(self._layout.state_file, state)
            self._said = state


def hold(data_dir: Path) -> int:
    """Be the holder of a data directory until nobody uses it; return the exit status."""
    layout = prepare_data_dir(data_dir)
    # Closed from the last to the first: whoever gets the start lock next finds no holder any more.
    with (
        FileLock(layout.start_lock) as start,
        FileLock(layout.holder_lock) as own,
        FileLock(layout.users_lock) as users,
    ):
        # A user that merely looks whether a holder lives has the lock for an instant.
        if not own.wait(2.0):
            return 0
        with _open_log(layout.log_file) as log:
            os.dup2(log.fileno(), sys.stdout.fileno())
            os.dup2(log.fileno(), sys.stderr.fileno())
            try:
                holder = Holder(layout, log)
            except (ServicesError, OSError) as error:
                refused = ServerState(Health.FAILED, note=str(error))
                write_state(
                    layout.state_file, HolderState(os.getpid(), dict.fromkeys(Server, refused))
                )
                return 1
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, holder.ask_to_end)
            holder.serve(users, start)
    return 0


def detach() -> None:
    """Leave the starter's family, so that it need not wait and its signals stay its own."""
    if os.fork() > 0:
        os._exit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the holder in the background of whoever calls this module."""
    parser = argparse.ArgumentParser(prog="tallyport.services.holder", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    os.umask(0o077)
    detach()
    return hold(chosen.data_dir)


def _open_log(path: Path) -> IO[bytes]:
    """Open the log for appending, putting a long one aside first."""
    if path.exists() and path.stat().st_size > _LONGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)


if __name__ == "__main__":
    sys.exit(main())
