"""What every command runs in: where the API is, how answers are printed, how faults end.

`command` adds `--url`, `--token` and `--json` to a function and gives it a `Session`. Exit codes:
0 done, 1 refused or failed, 2 wrong usage, 3 ended with rows not done, 130 interrupted.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from types import TracebackType
from typing import Annotated, Any, Self, TypeAlias

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, ProgressColumn

from tallyport.cli.tables import print_facts, print_table
from tallyport.client import (
    ApiClient,
    ClientError,
    Json,
    NotAllowedError,
    RefusedError,
    UnreachableError,
)
from tallyport.keys import SecretKeyError
from tallyport.local import read_local
from tallyport.services import ServicesError
from tallyport.settings import Settings, SettingsError, load_settings

_WIDE = 200
"""Columns where standard output is no terminal: a table in a file is not cut at 80."""


class Exit(IntEnum):
    """Exit codes, documented in docs/cli.md."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    PARTIAL = 3
    INTERRUPTED = 130


_CODES: Mapping[type[Exception], str] = {
    UnreachableError: "UNREACHABLE",
    NotAllowedError: "NOT_ALLOWED",
    SettingsError: "SETTINGS",
    SecretKeyError: "SECRET_KEY",
    ServicesError: "SERVICES",
}
"""Codes of faults that no API told; all other ones are `FAULT`."""

Body: TypeAlias = Callable[..., None]

Cell: TypeAlias = str | int | float | bool | None


class Output:
    """Prints: answers on standard output, everything else on standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.notes = Console(stderr=True)
        plain = Console()
        self._answers = plain if plain.is_terminal else Console(width=_WIDE)

    def answer(self, value: Json) -> None:
        """Print one JSON value on one line, when asked for JSON."""
        if self.as_json:
            typer.echo(orjson.dumps(value, default=str).decode())

    def say(self, text: str) -> None:
        """Print a line for a person; nothing when asked for JSON."""
        if not self.as_json:
            self._answers.print(text, highlight=False, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a line about the command itself, on standard error."""
        self.notes.print(text, highlight=False, markup=False, soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        *,
        title: str = "",
        empty: str = "",
    ) -> None:
        """Print rows for a person, or what it means that there are none; nothing for JSON."""
        if self.as_json:
            return
        texts = [[shown(cell) for cell in row] for row in rows]
        if not texts and empty:
            self.say(empty)
            return
        print_table(self._answers, columns, texts, title=title)

    def facts(self, pairs: Mapping[str, Cell]) -> None:
        """Print names and values below each other, without what is empty; nothing for JSON."""
        if self.as_json:
            return
        print_facts(
            self._answers,
            {name: shown(value) for name, value in pairs.items() if value not in (None, "")},
        )

    def progress(self, *columns: ProgressColumn) -> Progress:
        """A bar on standard error while something goes on; nothing where nobody watches."""
        return Progress(
            *columns, console=self.notes, transient=True, disable=not self.notes.is_terminal
        )

    def problems(self, problems: Sequence[Mapping[str, Json]]) -> None:
        """Print what was refused: as JSON on standard output, else on standard error."""
        if self.as_json:
            self.answer({"errors": list(problems)})
            return
        for problem in problems:
            where = ".".join(problem.get("path") or ())
            code = problem.get("code") or "ERROR"
            text = f"[bold red]{escape(code)}[/] {escape(str(problem['message']))}"
            self.notes.print(
                text + (f" [dim]({escape(where)})[/]" if where else ""), soft_wrap=True
            )


def shown(value: Cell) -> str:
    """Text of a cell: nothing for None, yes or no for a flag."""
    match value:
        case None:
            return ""
        case True:
            return "yes"
        case False:
            return "no"
        case _:
            return str(value)


class Session:
    """One run of a command: the API to speak to and the way to print."""

    def __init__(self, url: str | None, token: str | None, *, as_json: bool) -> None:
        self.out = Output(as_json=as_json)
        self._url = None if url is None else url.rstrip("/")
        self._token = token
        self._api: ApiClient | None = None
        self._settings: Settings | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._api is not None:
            self._api.close()

    @property
    def settings(self) -> Settings:
        """The settings of this machine, read when first needed."""
        if self._settings is None:
            self._settings = load_settings()
        return self._settings

    @property
    def names_an_api(self) -> bool:
        """Whether the caller said which API to use."""
        return self._url is not None

    @property
    def api(self) -> ApiClient:
        """A client of the API the caller named, else of the instance on this machine."""
        if self._api is None:
            url, token = self._url, self._token
            if url is None or token is None:
                local = read_local(self.settings.data_dir)
                # A local token is for the local address only; it is never sent anywhere else.
                if local is not None and url in (None, local.url.rstrip("/")):
                    url, token = local.url, token or local.token
            self._api = ApiClient(url or self.settings.base_url, token)
        return self._api

    def fail(self, message: str, *, code: str = "", exit_code: Exit = Exit.REFUSED) -> typer.Exit:
        """Print a message, and return what ends the command, to be raised."""
        self.out.problems([{"code": code, "message": message, "path": []}])
        return typer.Exit(exit_code)


UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="TALLYPORT_URL", help="Address of the API.", rich_help_panel="Connection"
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="TALLYPORT_TOKEN",
        help="Token for the API. Default: the one `tallyport up` left on this machine.",
        rich_help_panel="Connection",
        show_envvar=True,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON value on standard output, nothing else.")
]


def command(app: typer.Typer, name: str, *, uses_api: bool = True) -> Callable[[Body], Body]:
    """Register a function whose first parameter is a `Session` as a command."""

    def register(body: Body) -> Body:
        signature = inspect.signature(body, eval_str=True)
        own = list(signature.parameters.values())[1:]
        shared: list[tuple[str, Any, Any]] = [("as_json", JsonOption, False)]
        if uses_api:
            shared += [("url", UrlOption, None), ("token", TokenOption, None)]
        keyword = inspect.Parameter.KEYWORD_ONLY
        added = [
            inspect.Parameter(label, keyword, default=default, annotation=annotation)
            for label, annotation, default in shared
        ]

        def run(**values: Any) -> None:
            session = Session(
                values.pop("url", None), values.pop("token", None), as_json=values.pop("as_json")
            )
            with session:
                _guarded(session, body, values, uses_api=uses_api)

        parameters = [parameter.replace(kind=keyword) for parameter in own] + added
        # Typer reads both; a decorated function has neither of its own.
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__doc__ = body.__doc__
        app.command(name)(run)
        return body

    return register


def _guarded(session: Session, body: Body, values: Mapping[str, Any], *, uses_api: bool) -> None:
    try:
        body(session, **values)
    except KeyboardInterrupt as error:
        on = " What was asked for goes on in the worker." if uses_api else ""
        session.out.note(f"Interrupted.{on}")
        raise typer.Exit(Exit.INTERRUPTED) from error
    except RefusedError as error:
        session.out.problems(
            [
                {"code": refusal.code, "message": refusal.message, "path": list(refusal.path)}
                for refusal in error.refusals
            ]
        )
        raise typer.Exit(Exit.REFUSED) from error
    except (ClientError, SettingsError, ServicesError, SecretKeyError) as error:
        code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), "FAULT")
        session.out.problems([{"code": code, "message": str(error), "path": []}])
        raise typer.Exit(Exit.REFUSED) from error
    except OSError as error:
        # A file that cannot be read, a port that is taken: the system says it well enough.
        name = f"{error.filename}: " if error.filename else ""
        text = f"{name}{error.strerror or error}"
        session.out.problems([{"code": "SYSTEM", "message": text, "path": []}])
        raise typer.Exit(Exit.REFUSED) from error
