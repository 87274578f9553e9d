"""The settings of one Tallyport process, read once from the environment and passed by argument.

Every setting is an environment variable with the prefix ``TALLYPORT_``. This module reads and
checks; it opens nothing, and no other module of the project looks at the environment.
"""

import difflib
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "TALLYPORT_"

_HOST = re.compile(
    r"^(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]|[0-9a-f]*:[0-9a-f:.]+)$"
)


class SettingsError(ValueError):
    """A setting cannot be used; the text names the variable and never its value."""


class LogLevel(StrEnum):
    """How much the process writes to its log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def default_data_dir() -> Path:
    """Return the directory used when none is set: the system's for root, else the user's."""
    if os.geteuid() == 0:
        return Path("/var/lib/tallyport")
    return Path(platformdirs.user_data_dir("tallyport", appauthor=False))


class Settings(BaseSettings):
    """Everything an operator can set; immutable, and its repr shows no secret."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    database_url: SecretStr | None = None
    """Address of a PostgreSQL 16+ database, ``postgresql://user:password@host/name``. Default:
    none, and Tallyport runs its own PostgreSQL in the data directory. Secret because it carries the
    password."""

    redis_url: SecretStr | None = None
    """Address of a Redis or Valkey server, ``redis://host:6379/0``. Default: none, and Tallyport
    runs its own Valkey in the data directory. It holds no truth: losing it loses nothing."""

    secret_keys: SecretStr | None = None
    """Comma-separated Fernet keys for channel credentials; the first encrypts, all decrypt, so keys
    can be rotated. Default: none, and one key is kept in the data directory in a file only its
    owner can read."""

    data_dir: Path = Field(default_factory=default_data_dir)
    """Directory of everything Tallyport keeps on this machine. Default: ``/var/lib/tallyport`` as
    root, the user's data directory otherwise. Processes with the same directory share the same
    servers."""

    host: str = "127.0.0.1"
    """Address the API listens on. Default: this machine only, because the API is not meant to be
    open by accident."""

    port: int = Field(default=8420, ge=0, le=65535)
    """TCP port the API listens on. Default: 8420; 0 lets the system choose one."""

    public_url: str | None = None
    """Address under which others reach the API, such as ``https://tally.example.com``. Default:
    host and port."""

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Comma-separated hosts, each with an optional ``:port``, that may be contacted although they
    are private or speak plain HTTP: a shop on the same network, a sandbox. Default: none, because
    addresses come from users."""

    log_level: LogLevel = LogLevel.INFO
    """How much is logged: debug, info, warning or error. Default: info."""

    lease_seconds: float = Field(default=90.0, gt=0, le=3600)
    """Seconds a worker owns a channel or an action without renewing. Default: 90; it must exceed
    the HTTP time-out, since a request leaves only with its whole time-out still left on the
    lease."""

    slice_seconds: float = Field(default=15.0, gt=0, le=18)
    """Seconds one slice of a run may take. Default: 15; at most 18, because queue jobs end within
    20."""

    sweep_seconds: float = Field(default=3.0, gt=0, le=300)
    """Seconds between two looks for due work. Default: 3; it bounds how late work starts when the
    queue lost its ring."""

    settle_seconds: float | None = Field(default=None, ge=0, le=86400)
    """Seconds after which a request that got no answer can no longer take effect. Default: what
    each platform declares; set it for sandboxes and drills only."""

    worker_concurrency: int = Field(default=4, ge=1, le=64)
    """Jobs one worker runs at a time. Default: 4, enough to keep several channels busy on two
    cores."""

    http_timeout_seconds: float = Field(default=60.0, gt=0, le=600)
    """Seconds a request to a platform may take. Default: 60, because batch writes of slow shops
    take that long."""

    @field_validator("database_url")
    @classmethod
    def _postgres_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        scheme, separator, rest = value.get_secret_value().partition("://")
        if not separator or scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
            raise ValueError("must look like postgresql://user:password@host/name")
        return SecretStr(f"postgresql+asyncpg://{rest}")

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"(?:rediss?|unix)://.", value.get_secret_value()):
            raise ValueError("must look like redis://host:6379/0, rediss://… or unix:///path?db=0")
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.netloc
            or parts.query
            or parts.fragment
        ):
            raise ValueError("must look like https://tally.example.com")
        return value.rstrip("/")

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            host, separator, port = entry.rpartition(":")
            if separator and port.isdigit() and (":" not in host or host.startswith("[")):
                acceptable = _HOST.match(host) is not None and 0 < int(port) <= 65535
            else:
                acceptable = _HOST.match(entry) is not None
            if not acceptable:
                raise ValueError(
                    "must be host names or addresses with an optional :port, separated by commas"
                )
        return value

    @model_validator(mode="after")
    def _request_fits_lease(self) -> Self:
        if self.http_timeout_seconds >= self.lease_seconds:
            raise ValueError(
                f"{PREFIX}HTTP_TIMEOUT_SECONDS must be smaller than {PREFIX}LEASE_SECONDS, "
                "or no request could ever leave"
            )
        return self

    @property
    def base_url(self) -> str:
        """The address to show to people: the public one if set, else host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the environment, or raise SettingsError with a line for each variable to mend.

    ``environ`` is only looked at for misspelt names; None means the environment of the process.
    """
    problems = _misspelt(os.environ if environ is None else environ)
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False, include_context=False):
            name = "_".join(str(part) for part in detail["loc"][:1]).upper()
            text = detail["msg"].removeprefix("Value error, ")
            problems.append(f"{PREFIX}{name} {text}" if name else text)
        # The cause is dropped on purpose: a traceback must not be able to show what was set.
        raise SettingsError("\n".join(problems)) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def _misspelt(environ: Mapping[str, str]) -> list[str]:
    """Name each variable that looks like a setting and is none; others are left alone."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    problems = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.9)
            if near:
                problems.append(f"{name} is not a setting; did you mean {near[0]}?")
    return problems
