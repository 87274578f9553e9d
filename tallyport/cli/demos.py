"""`demo`: the life of a shop, on sandbox stores, with every effect counted in their books."""

from pathlib import Path
from typing import Annotated

import typer

from tallyport.cli.session import Exit, Session, command
from tallyport.logs import configure_logs


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "demo", uses_api=False)(demo)


def demo(
    session: Session,
    *,
    once: Annotated[bool, typer.Option("--once", help="End when the story is told.")] = False,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Keep everything here instead of for now.")
    ] = None,
) -> None:
    """Show everything on a simulated store, from linking and publishing to orders and tracking.

    Starts an instance and two stores of its own, and leaves nothing behind. Without --once it stays
    up to be looked at.
    """
    from tallyport.demo.play import play  # noqa: PLC0415 - loads the platforms

    configure_logs("warning")
    if not play(session.out.notes, once=once, as_json=session.out.as_json, data_dir=data_dir):
        raise typer.Exit(Exit.REFUSED)
