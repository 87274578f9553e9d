"""Looks at the servers without starting or stopping anything."""

from dataclasses import dataclass
from pathlib import Path

from tallyport.services.errors import ServicesError
from tallyport.services.layout import Layout, explain
from tallyport.services.locks import is_held
from tallyport.services.opening import answers
from tallyport.services.state import Health, Server, ServerState, read_state
from tallyport.settings import Settings


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One server as found."""

    server: Server
    embedded: bool
    """False when an address was given; such a server is not ours to look after and is not asked."""
    health: Health | None
    """None for a server that is not embedded."""
    pid: int | None = None
    socket: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ServicesStatus:
    """Both servers, and the process that owns embedded ones."""

    data_dir: Path
    holder_pid: int | None
    log_file: Path
    servers: tuple[ServiceStatus, ...]


def services_status(settings: Settings) -> ServicesStatus:
    """Return how both servers do now, or raise ServicesError when that may not be seen."""
    layout = Layout(settings.data_dir.resolve())
    try:
        return _look(settings, layout)
    except OSError as error:
        raise ServicesError(explain(layout.data_dir, error)) from error


def _look(settings: Settings, layout: Layout) -> ServicesStatus:
    state = read_state(layout.state_file) if is_held(layout.holder_lock) else None
    given = {Server.POSTGRES: settings.database_url, Server.VALKEY: settings.redis_url}
    found = []
    for server, address in given.items():
        if address is not None:
            found.append(ServiceStatus(server, embedded=False, health=None))
            continue
        seen = (
            ServerState(Health.STOPPED)
            if state is None
            else state.servers.get(server, ServerState(Health.STOPPED))
        )
        if seen.health is Health.READY and not answers(server, Path(seen.socket)):
            seen = ServerState(Health.RESTARTING, seen.pid, seen.socket, "does not answer")
        found.append(ServiceStatus(server, True, seen.health, seen.pid, seen.socket, seen.note))
    return ServicesStatus(
        layout.data_dir, None if state is None else state.pid, layout.log_file, tuple(found)
    )
