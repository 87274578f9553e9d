"""Writes docs/cli.md from the commands themselves: `python -m tallyport.cli.reference`."""

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer.main

from tallyport.cli import build_app

_INTRODUCTION = """\
# The command line

`tallyport` is a client of the same GraphQL API that every frontend uses. Only `up`, `serve`,
`worker`, `migrate`, `recheck`, `token` (without `--url`), `sandbox` and `demo` work without the
API.

**Which instance.** `--url` and `--token`, else the environment variables `TALLYPORT_URL` and
`TALLYPORT_TOKEN`, else the instance on this machine: `tallyport up` leaves its address and an admin
token in `local.json` in the data directory, readable by its owner only.

**Names.** Channels are named by their name, listings and variants by SKU, orders by their number,
runs and shipments by the id that `runs list` and `orders show` show. `--channel` is not needed
where only one channel is connected, nor for an order whose number only one channel has.

**Output.** Tables on standard output, progress and notes on standard error. With `--json` standard
output holds one JSON value and nothing else; what was refused is then
`{"errors": [{"code", "message", "path"}]}`.

**Exit codes.**

| code | means |
|---|---|
| 0 | done |
| 1 | refused or failed; each reason is printed with its code and what to do |
| 2 | wrong usage |
| 3 | some rows were not done: a run is PARTIAL or waits for approval, a file had bad rows |
| 130 | interrupted; what was asked for goes on in the worker |

**Credentials.** `channel connect NAME --platform woocommerce --set domain=shop.example` asks for
what is missing and says where it is found; secrets are not echoed. `--set consumer_secret=@file`
reads a file, `--set consumer_secret=-` a line of standard input.
"""

_SHARED = frozenset({"as_json", "url", "token", "help"})


def reference() -> str:
    """The whole reference as Markdown."""
    lines = [_INTRODUCTION]
    # Typer's own command classes, which carry no public types.
    root: Any = typer.main.get_command(build_app())
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            lines.append(f"## {name}\n\n{_help(command)}\n")
            for inner, part in command.commands.items():
                lines += _section(f"{name} {inner}", part, "###")
        else:
            lines += _section(name, command, "##")
    return "\n".join(lines).rstrip() + "\n"


def _help(command: Any) -> str:
    return inspect.cleandoc(command.help or "")


def _section(name: str, command: Any, level: str) -> Iterator[str]:
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    arguments = [each for each in shown if each.param_type_name == "argument"]
    options = [each for each in shown if each.param_type_name == "option"]
    own = [each for each in options if each.name not in _SHARED]
    usage = " ".join(
        ["tallyport", name, *(each.metavar or each.name.upper() for each in arguments)]
        + (["[OPTIONS]"] if own else [])
    )
    yield f"{level} {name}\n\n    {usage}\n\n{_help(command)}\n"
    rows = [(f"`{each.metavar or each.name.upper()}`", each.help or "") for each in arguments]
    rows += [
        (" ".join(f"`{flag}`" for flag in (*each.opts, *each.secondary_opts)), each.help or "")
        for each in own
    ]
    if rows:
        table = ["| | |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows)]
        yield "\n".join(line.rstrip() for line in table) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
