"""`sandbox`: a simulated store of one platform, to try the product without an account."""

import asyncio
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from tallyport.cli.session import Exit, Session, command
from tallyport.lifeline import end_with_starter
from tallyport.logs import configure_logs

if TYPE_CHECKING:
    from adapters.sandbox import Sandbox


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "sandbox", uses_api=False)(sandbox)


def sandbox(
    session: Session,
    *,
    platform: Annotated[str, typer.Argument(metavar="PLATFORM", help="Such as woocommerce.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 chooses one.")] = 0,
    image_host: Annotated[
        list[str] | None,
        typer.Option(
            "--image-host",
            metavar="HOST",
            help="A host whose pictures the store can fetch, besides *.example; repeatable.",
        ),
    ] = None,
    lifeline: Annotated[bool, typer.Option("--lifeline", hidden=True)] = False,
) -> None:
    """Serve a simulated store on this machine and print its address and keys as JSON."""
    from adapters.registry import PLATFORMS  # noqa: PLC0415 - loads every platform

    found = PLATFORMS.get(platform)
    if found is None or found.sandbox is None:
        with_one = ", ".join(sorted(p.name for p in PLATFORMS.values() if p.sandbox is not None))
        raise session.fail(
            f"There is no sandbox of {platform}; there are: {with_one}.",
            code="NOT_FOUND",
            exit_code=Exit.USAGE,
        )
    if lifeline:
        end_with_starter()
    configure_logs("warning")
    simulator = found.sandbox(image_hosts=frozenset(image_host or ()))
    try:
        asyncio.run(_serve(found.name, simulator, port))
    except OSError as error:
        raise session.fail(
            f"Cannot listen on port {port} ({error.strerror}); choose another with --port.",
            code="SYSTEM",
        ) from error


async def _serve(name: str, simulator: "Sandbox", port: int) -> None:
    from adapters.sandbox import serving  # noqa: PLC0415 - loads an HTTP server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(simulator.app, port) as url:
        _print({"platform": name, "url": url, "credentials": simulator.credentials_at(url)})
        await stop.wait()


def _print(answer: Mapping[str, object]) -> None:
    # Whoever started us waits for this line, through a pipe too.
    typer.echo(orjson.dumps(answer).decode())
