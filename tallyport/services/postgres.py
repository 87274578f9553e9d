"""The embedded PostgreSQL: how its data is made, how it is started, and when it is ready.

It listens on a socket in a private directory, with a password besides, and on no port. ``fsync``
stays on: what is committed survives kill -9 and a power cut.
"""

import asyncio
import os
import secrets
import shutil
import signal
import sys
from pathlib import Path

import asyncpg

from tallyport.services import processes
from tallyport.services.errors import ServicesError
from tallyport.services.layout import Account, Layout, Sockets, can_enter, own_dir, program_dir
from tallyport.services.probes import postgres_answers
from tallyport.services.programs import Programs

USER = "tallyport"
DATABASE = "tallyport"
MAJOR_VERSION = "18"

_ROOM_TO_CREATE = 256 * 1024 * 1024
_ROOM_TO_START = 48 * 1024 * 1024

# For a machine of two cores that does other things too; every value is passed at each start, so
# that a new release can change it without touching the data.
_CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "512MB",
    "min_wal_size": "64MB",
    "max_wal_size": "1GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    # Short statements gain nothing from either, and small /dev/shm of containers breaks parallel
    # ones.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # A failed statement, its values and its DETAIL may hold personal data.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
}


class Postgres:
    """One PostgreSQL in one data directory, as its keeper sees it."""

    stop_steps = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

    def __init__(
        self, layout: Layout, programs: Programs, account: Account | None, sockets: Sockets
    ) -> None:
        """Remember where everything is; nothing is touched before prepare."""
        self._layout = layout
        self._programs = programs
        self._account = account
        self._sockets = sockets
        reachable = can_enter(layout.root, account)
        if not reachable and sys.platform != "linux":
            raise ServicesError(
                f"The account {account.name if account else ''} cannot enter {layout.data_dir}. "
                "Set TALLYPORT_DATA_DIR to a directory everyone may pass through."
            )
        # PostgreSQL enters its directory by name. Where its account may not walk there, it is
        # started inside and told the name that always leads to where one stands.
        self._name = str(layout.cluster) if reachable else "/proc/self/cwd"

    @property
    def socket(self) -> Path:
        """The socket it listens on."""
        return self._sockets.postgres

    def prepare(self) -> None:
        """Make the data if there is none, and end or clear what an earlier holder left."""
        cluster = self._layout.cluster
        fresh = not cluster.exists()
        self._check_room(_ROOM_TO_CREATE if fresh else _ROOM_TO_START)
        if fresh:
            self._create()
        version = (cluster / "PG_VERSION").read_text().strip()
        if version != MAJOR_VERSION:
            raise ServicesError(
                f"{cluster} was made by PostgreSQL {version}; this is {MAJOR_VERSION}. "
                "Use the Tallyport that made it and dump the database, then load it into a "
                "new data directory."
            )
        self._clear_stale(cluster / "postmaster.pid")

    def launch(self) -> processes.Launch:
        """Return how to start it."""
        configuration = _CONFIGURATION | {"unix_socket_directories": str(self._sockets.directory)}
        argv = [str(self._programs.postgres), "-D", self._name]
        for name, value in configuration.items():
            argv += ["-c", f"{name}={value}"]
        return processes.Launch(argv, self._layout.cluster, self._account, signal.SIGINT)

    def is_ready(self, pid: int) -> bool:
        """Say whether the process with this id accepts connections and has our database."""
        try:
            lines = (self._layout.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        if len(lines) < 8 or lines[0].strip() != str(pid) or lines[7].strip() != "ready":
            return False
        return postgres_answers(self.socket)

    def complete(self) -> None:
        """Create our database where it is missing."""
        asyncio.run(self._ensure_database())

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(
            host=str(self._sockets.directory),
            user=USER,
            password=read_password(self._layout),
            database="postgres",
            timeout=30,
        )
        try:
            if not await connection.fetchval(
                "SELECT true FROM pg_database WHERE datname = $1", DATABASE
            ):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await connection.close(timeout=10)

    def _clear_stale(self, pid_file: Path) -> None:
        """End an earlier PostgreSQL and clear its lock files once none of its processes is left.

        PostgreSQL itself would refuse to start when the number in one of them belongs to any
        process of its account by now, which is usual after a restart of a container, or to one
        that is dead and not yet reaped.
        """
        cluster = self._layout.cluster
        pid = _first_number(pid_file)
        gone = pid is None or processes.end_stranger(pid, cluster, self.stop_steps)
        if gone and sys.platform != "linux":
            return  # only there can we see all processes; elsewhere PostgreSQL decides by itself
        if not gone or not processes.all_left(cluster, seconds=10):
            raise ServicesError(
                f"An earlier PostgreSQL (process {pid or 'unknown'}) works in {cluster} and does "
                "not end. Stop it, then try again."
            )
        # The sockets' directory is this data's alone, so what is found there is stale as well.
        for stale in (pid_file, self.socket, self.socket.with_name(f"{self.socket.name}.lock")):
            stale.unlink(missing_ok=True)

    def _create(self) -> None:
        """Make the data beside its place and move it there when whole."""
        cluster = self._layout.cluster
        fresh = cluster.with_name("postgres-new")
        if fresh.exists():
            shutil.rmtree(fresh)
        own_dir(fresh, self._account)
        password = secrets.token_urlsafe(24)
        handed = program_dir(self._layout, self._account) / "initdb.password"
        handed.unlink(missing_ok=True)
        _write_private(handed, password)
        try:
            if self._account is not None:
                os.chown(handed, self._account.uid, self._account.gid)
            status, said = processes.run(
                [
                    str(self._programs.initdb),
                    *("-D", str(fresh) if self._name == str(cluster) else self._name),
                    f"--username={USER}",
                    f"--pwfile={handed}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                ],
                fresh,
                self._account,
                seconds=300,
            )
        finally:
            handed.unlink(missing_ok=True)
        if status != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise ServicesError(f"PostgreSQL could not create its data in {cluster}: {said}")
        self._layout.password_file.unlink(missing_ok=True)
        _write_private(self._layout.password_file, password)
        fresh.rename(cluster)

    def _check_room(self, needed: int) -> None:
        """Refuse to start where the disk is about to fill up."""
        free = shutil.disk_usage(self._layout.root).free
        if free < needed:
            raise ServicesError(
                f"{self._layout.data_dir} has {free >> 20} MB of room and PostgreSQL needs "
                f"{needed >> 20} MB. "
                "Free some room, or set TALLYPORT_DATA_DIR to a larger disk."
            )


def read_password(layout: Layout) -> str:
    """Return the password of the embedded PostgreSQL."""
    try:
        return layout.password_file.read_text().strip()
    except OSError as error:
        raise ServicesError(
            f"{layout.password_file} cannot be read ({error.strerror}). Run Tallyport as the user "
            "that made the data directory, or restore that file from a backup."
        ) from None


def _write_private(path: Path, text: str) -> None:
    """Write a file its owner alone can read, on the disk before this returns."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def _first_number(path: Path) -> int | None:
    """Return the number in the file's first line, or None."""
    try:
        return int(path.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
