"""Where the embedded servers keep what, and the checks that a data directory can work at all.

Nothing here changes the mode of a directory that exists: when the data directory lies where the
servers' account cannot go, sockets and programs move to a side directory instead.
"""

import errno
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from tallyport.services.errors import ServicesError

# A socket address holds 108 bytes on Linux and 104 on macOS, the closing zero included.
_LONGEST_SOCKET_PATH = 102
# Other characters would have to be quoted, and each reader of an address unquotes differently.
_PLAIN = re.compile(r"[A-Za-z0-9/._~-]+")
_POSTGRES_SOCKET = ".s.PGSQL.5432"
_VALKEY_SOCKET = "valkey.sock"
_CHOOSE = "Set TALLYPORT_DATA_DIR to a directory that works"


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account the servers run as when Tallyport itself is root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one data directory; both users and the holder derive the same paths from it."""

    data_dir: Path

    @property
    def root(self) -> Path:
        """The directory of everything that belongs to the servers."""
        return self.data_dir / "services"

    @property
    def users_lock(self) -> Path:
        """Held shared by every process that uses the servers."""
        return self.data_dir / "users.lock"

    @property
    def start_lock(self) -> Path:
        """Held exclusively by whoever starts the holder, and by the holder when it leaves."""
        return self.data_dir / "start.lock"

    @property
    def holder_lock(self) -> Path:
        """Held exclusively by the holder for as long as it lives."""
        return self.root / "holder.lock"

    @property
    def state_file(self) -> Path:
        """What the holder last said about its servers."""
        return self.root / "state.json"

    @property
    def log_file(self) -> Path:
        """The log of the holder and of both servers."""
        return self.root / "services.log"

    @property
    def password_file(self) -> Path:
        """The password of the embedded PostgreSQL, readable by its owner only."""
        return self.root / "postgres.password"

    @property
    def wanted(self) -> Path:
        """The directory in which users mark the servers they need."""
        return self.root / "wanted"

    @property
    def side_name(self) -> Path:
        """The file that holds the name of the side directory."""
        return self.root / "side.name"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data."""
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        """Valkey's working directory; nothing in it is worth keeping."""
        return self.root / "valkey"


@dataclass(frozen=True, slots=True)
class Sockets:
    """The directory of both sockets and the paths in it."""

    directory: Path

    @property
    def postgres(self) -> Path:
        """The socket of PostgreSQL, named by its fixed rule."""
        return self.directory / _POSTGRES_SOCKET

    @property
    def valkey(self) -> Path:
        """The socket of Valkey."""
        return self.directory / _VALKEY_SOCKET


def prepare_data_dir(data_dir: Path) -> Layout:
    """Make the data directory if needed and return its layout, or say what to do."""
    as_root = os.geteuid() == 0
    # Search permission only: the servers' account must reach its own directories below, and can
    # list nothing.
    mode = 0o711 if as_root else 0o700
    try:
        resolved = data_dir.resolve()
        if resolved.exists() and not resolved.is_dir():
            raise ServicesError(f"The data directory {resolved} is a file. {_CHOOSE}.")
        if not resolved.exists():
            resolved.parent.mkdir(parents=True, exist_ok=True)
        layout = Layout(resolved)
        for directory in (layout.data_dir, layout.root):
            make_dir(directory, mode)
        _check_owner(layout, as_root)
        make_dir(layout.wanted, 0o700)
        # The root directory's locks are opened by every user: this shows at once whether files can
        # be written.
        for lock in (layout.start_lock, layout.users_lock):
            os.close(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise ServicesError(explain(data_dir, error)) from error
    return layout


def make_dir(path: Path, mode: int) -> None:
    """Make a directory with exactly this mode, and leave one that exists as it is."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    path.chmod(mode)


def can_enter(path: Path, account: Account | None) -> bool:
    """Say whether the account may pass every directory down to ``path``."""
    if account is None:
        return True
    for directory in (path, *path.parents):
        found = directory.stat()
        if found.st_uid == account.uid:
            needed = stat.S_IXUSR
        elif found.st_gid == account.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not found.st_mode & needed:
            return False
    return True


def side_dir(layout: Layout) -> Path:
    """Make the short directory that stands in where the data directory is too deep or closed."""
    path = side_path(layout)
    if path is None:
        # Random, so that a data directory made anew at the same place does not meet the old one's.
        layout.side_name.write_text(f"tallyport-{os.geteuid()}-{secrets.token_hex(6)}")
        return side_dir(layout)
    make_dir(path, 0o711 if os.geteuid() == 0 else 0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise ServicesError(f"{path} exists and is not ours alone. Remove {layout.side_name}.")
    return path


def side_path(layout: Layout) -> Path | None:
    """Return where the side directory is, or None when there never was one."""
    try:
        name = layout.side_name.read_text()
    except FileNotFoundError:
        return None
    # Short, and the same for all processes whatever their TMPDIR.
    return Path("/tmp") / Path(name).name  # noqa: S108 - its owner is checked


def program_dir(layout: Layout, account: Account | None) -> Path:
    """Return the directory for copies of the programs, one the account can enter."""
    return layout.root if can_enter(layout.root, account) else side_dir(layout)


def socket_dir(layout: Layout, account: Account | None) -> Sockets:
    """Make the directory of the sockets, open to the servers' account alone."""
    inside = Sockets(layout.root / "sockets")
    longest = max(len(os.fsencode(inside.postgres)), len(os.fsencode(inside.valkey)))
    fits = longest <= _LONGEST_SOCKET_PATH and _PLAIN.fullmatch(str(inside.directory)) is not None
    if not can_enter(layout.root, account):
        fits = False
    sockets = inside if fits else Sockets(side_dir(layout) / "sockets")
    own_dir(sockets.directory, account)
    return sockets


def own_dir(path: Path, account: Account | None) -> None:
    """Make a private directory of the servers' account, or ours when there is none."""
    make_dir(path, 0o700)
    if account is not None and path.stat().st_uid != account.uid:
        os.chown(path, account.uid, account.gid)


def _check_owner(layout: Layout, as_root: bool) -> None:
    """Refuse a directory of somebody else: its locks and its password could not be shared."""
    for directory in (layout.data_dir, layout.root):
        owner = directory.stat().st_uid
        if not as_root and owner != os.geteuid():
            raise ServicesError(
                f"The data directory {directory} belongs to user id {owner} and this process runs "
                f"as {os.geteuid()}. Run Tallyport as that user. Or: {_CHOOSE}."
            )


def explain(data_dir: Path, error: OSError) -> str:
    """Turn the system's refusal into one sentence with a way out."""
    match error.errno:
        case errno.EACCES | errno.EPERM:
            why = "may not be written by this user"
        case errno.EROFS:
            why = "is on a read-only file system"
        case errno.ENOSPC | errno.EDQUOT:
            why = "has no room left"
        case errno.ENOTDIR | errno.EEXIST:
            why = "lies below a file"
        case errno.ENAMETOOLONG:
            why = "has too long a name"
        case errno.ELOOP:
            why = "is a symbolic link that leads nowhere"
        case _:
            why = f"cannot be used ({error.strerror})"
    return f"The data directory {data_dir} {why}. {_CHOOSE}."
