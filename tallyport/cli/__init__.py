"""The command line: a client of the API, one module per noun, and what starts the product.

No business rule lives here: a command asks the API and prints what it answers.
"""

import sys

import typer

from tallyport import __version__
from tallyport.cli import (
    channels,
    demos,
    imports,
    items,
    links,
    listings,
    mappings,
    operations,
    orders,
    runs,
    sandboxes,
    shipping,
    start,
    stock_sums,
    templates,
    tokens,
)
from tallyport.cli.session import Exit

EPILOG = (
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 a run ended with rows not done, "
    "130 interrupted."
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


def build_app() -> typer.Typer:
    """The whole command with all its parts."""
    app = typer.Typer(
        name="tallyport",
        help="Keeps listings and orders in agreement with every sales channel.",
        epilog=EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def _root(
        *,
        _version_asked: bool = typer.Option(
            False, "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ) -> None:
        pass

    start.add_to(app)
    runs.add_run_to(app)
    sandboxes.add_to(app)
    demos.add_to(app)
    for name, text, parts in (
        ("token", "Tokens that open the API.", (tokens,)),
        ("channel", "Connected accounts on platforms.", (channels, operations, templates)),
        ("listings", "Our wishes for products on channels.", (listings, links, imports)),
        ("items", "Stated quantities, shared by all channels.", (items, stock_sums)),
        ("orders", "What was ordered, what became of it, what has left.", (orders, shipping)),
        ("mappings", "Shipping texts of a channel and our shipping policies.", (mappings,)),
        ("runs", "What was done, what waits, and why.", (runs,)),
    ):
        group = typer.Typer(name=name, help=text, no_args_is_help=True, epilog=EPILOG)
        for part in parts:
            part.add_to(group)
        app.add_typer(group)
    return app


def main() -> None:
    """Run the command; the console script."""
    try:
        build_app()()
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
