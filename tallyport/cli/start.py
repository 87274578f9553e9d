"""`up`, `serve`, `worker`, `migrate`, `recheck`: what runs here and needs no API to ask."""

import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from tallyport.cli.session import Session, command
from tallyport.lifeline import end_with_starter
from tallyport.logs import configure_logs
from tallyport.settings import LogLevel, Settings

DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where everything is kept.", show_default="the settings'"),
]
HostOption = Annotated[str | None, typer.Option("--host", help="Address to listen on.")]
PortOption = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 chooses a free one."),
]
LifelineOption = Annotated[bool, typer.Option("--lifeline", hidden=True)]
SocketOption = Annotated[int | None, typer.Option("--socket", hidden=True)]
ReplacesOption = Annotated[int | None, typer.Option("--replaces", hidden=True)]


def chosen(
    settings: Settings,
    *,
    data_dir: Path | None = None,
    host: str | None = None,
    port: int | None = None,
) -> Settings:
    """The settings with what the command line says instead."""
    said: dict[str, Path | str | int] = {}
    if data_dir is not None:
        said["data_dir"] = data_dir.expanduser().absolute()
    if host is not None:
        said["host"] = host
    if port is not None:
        said["port"] = port
    return settings.model_copy(update=said)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "up", uses_api=False)(up)
    command(app, "serve", uses_api=False)(serve)
    command(app, "worker", uses_api=False)(worker)
    command(app, "migrate", uses_api=False)(migrate)
    command(app, "recheck", uses_api=False)(recheck)


def up(
    session: Session,
    *,
    data_dir: DataDirOption = None,
    host: HostOption = None,
    port: PortOption = None,
    lifeline: LifelineOption = False,
) -> None:
    """Run everything on this machine: PostgreSQL, Valkey, the API and a worker.

    Prints a first admin token once. Stops in order on Ctrl-C or SIGTERM.
    """
    from tallyport.up import Running, run_up  # noqa: PLC0415 - loads the servers, which others need not

    settings = chosen(session.settings, data_dir=data_dir, host=host, port=port)
    # The lines of `up` are for the person who started it; what is worth a look comes as a warning.
    level = LogLevel.WARNING if settings.log_level is LogLevel.INFO else settings.log_level
    configure_logs(level.value)
    if lifeline:
        end_with_starter()

    def announce(running: Running) -> None:
        session.out.answer(
            {"url": running.url, "dataDir": running.data_dir, "firstToken": running.first_token}
        )
        session.out.say(f"Tallyport answers at {running.url} (data in {running.data_dir})")
        if running.first_token is not None:
            session.out.say(f"First admin token, shown only now: {running.first_token}")
        session.out.note("`tallyport` on this machine needs no token. Ctrl-C stops everything.")

    run_up(settings, announce, note=session.out.note)


def serve(
    session: Session,
    *,
    host: HostOption = None,
    port: PortOption = None,
    lifeline: LifelineOption = False,
    socket_number: SocketOption = None,
) -> None:
    """Run the API alone; start a worker beside it or on another machine."""
    from tallyport.server import run_server  # noqa: PLC0415 - loads the whole API

    settings = chosen(session.settings, host=host, port=port)
    configure_logs(settings.log_level.value)
    if lifeline:
        end_with_starter()
    listener = None if socket_number is None else socket.socket(fileno=socket_number)

    def ready(url: str) -> None:
        session.out.note(f"The API answers at {url} (process {os.getpid()})")

    # Below `up` it is `up` that says where the API answers.
    run_server(settings, listener=listener, on_ready=None if lifeline else ready)


def worker(
    session: Session, *, lifeline: LifelineOption = False, replaces: ReplacesOption = None
) -> None:
    """Run a worker; as many as wanted may run, on any machine that reaches the database."""
    from tallyport.worker import run_worker_process  # noqa: PLC0415 - loads every adapter

    configure_logs(session.settings.log_level.value)
    if lifeline:
        end_with_starter()
    run_worker_process(session.settings, replaces=replaces)


def migrate(session: Session) -> None:
    """Bring the database up to date; `up` does it by itself."""
    from tallyport.migrate import current, upgrade  # noqa: PLC0415 - loads the migrations
    from tallyport.services import open_services  # noqa: PLC0415 - same

    configure_logs(LogLevel.WARNING.value)
    with open_services(session.settings) as services:
        before = current(services.database_url)
        upgrade(services.database_url)
        after = current(services.database_url)
    session.out.answer({"before": before, "after": after})
    if before == after:
        session.out.say(f"The database is at {after}, which is the newest version.")
    else:
        session.out.say(f"The database went from {before or 'empty'} to {after}.")


def recheck(session: Session) -> None:
    """Say that the database was restored: nothing is sent before the stores were looked at.

    Noticed by itself where the copy is older than ten minutes. Plans and approvals of before end,
    runs under way begin anew, and the next run of every channel reads all of its store.
    """
    from tallyport.migrate import distrust_all, upgrade  # noqa: PLC0415 - loads the migrations
    from tallyport.services import open_services  # noqa: PLC0415 - same

    configure_logs(LogLevel.ERROR.value)
    with open_services(session.settings) as services:
        upgrade(services.database_url)  # the copy may be of an older version
        distrust_all(services.database_url)
    session.out.answer({"rechecked": True})
    session.out.say("Every store is looked at before anything is sent to it.")
