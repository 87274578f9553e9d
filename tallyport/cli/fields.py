"""Reads `--set name=value` against the fields a platform declares.

`value` may be `@file` (its text), `-` (a line of standard input) and, for text that begins with @,
`@@…`; a missing secret is asked for without being shown. The fields come from the API, so that
nothing here knows a platform.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from getpass import getpass
from pathlib import Path

import typer

from tallyport.cli.session import Exit, Session
from tallyport.client import Json

FIELD_SELECTION = "name inputName title help type isRequired isSecret choices default"
"""What a query must select of a field for it to be read here."""

_YES = frozenset({"yes", "true", "on", "1"})
_NO = frozenset({"no", "false", "off", "0"})


@dataclass(frozen=True, slots=True)
class Field:
    """One credential or setting, as the API describes it."""

    name: str
    input_name: str
    title: str
    help: str
    type: str
    is_required: bool
    is_secret: bool
    choices: tuple[str, ...]

    @classmethod
    def of(cls, answer: Mapping[str, Json]) -> "Field":
        """The field an answer with `FIELD_SELECTION` describes."""
        return cls(
            name=str(answer["name"]),
            input_name=str(answer["inputName"]),
            title=str(answer["title"]),
            help=str(answer["help"]),
            type=str(answer["type"]),
            is_required=bool(answer["isRequired"]),
            is_secret=bool(answer["isSecret"]),
            choices=tuple(answer["choices"]),
        )


def member(platform: str, operation: str = "") -> str:
    """Name of a platform, or of an operation of it, in the API's choices of inputs."""
    first, *others = f"{platform}_{operation.lower()}".rstrip("_").split("_")
    return first + "".join(part.title() for part in others)


def read_assignments(session: Session, said: Sequence[str]) -> dict[str, str]:
    """Split `name=value` pairs, reading files and standard input where a value says so."""
    values: dict[str, str] = {}
    for pair in said:
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise _usage(session, f"--set takes name=value, not {pair.partition('=')[0]!r}")
        values[name.strip().replace("-", "_")] = _read_value(session, name.strip(), value)
    return values


def typed_values(
    session: Session, fields: Sequence[Field], values: Mapping[str, str]
) -> dict[str, Json]:
    """Convert the values by the types of their fields, under the names the API's inputs have."""
    known = {field.name: field for field in fields}
    result: dict[str, Json] = {}
    for name, text in values.items():
        field = known.get(name)
        if field is None:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
            raise _usage(session, f"There is no field {name}{hint}")
        result[field.input_name] = _converted(session, field, text)
    return result


def settings_text(settings: Mapping[str, Json]) -> str:
    """Settings for people, each spelled as `--set` takes it."""
    spelled = {True: "yes", False: "no"}
    return ", ".join(
        f"{name}={spelled[value] if isinstance(value, bool) else value}"
        for name, value in settings.items()
    )


def ask_missing(
    session: Session, fields: Sequence[Field], values: Mapping[str, str]
) -> dict[str, str]:
    """Complete required fields from a prompt; without a terminal, say where each one is found."""
    missing = [field for field in fields if field.is_required and field.name not in values]
    if not missing:
        return dict(values)
    if session.out.as_json or not sys.stdin.isatty():
        session.out.problems(
            [
                {
                    "code": "MISSING",
                    "message": f"{field.title} is missing: --set {field.name}=…  {field.help}",
                    "path": [field.name],
                }
                for field in missing
            ]
        )
        raise typer.Exit(Exit.USAGE)
    completed = dict(values)
    for field in missing:
        session.out.note(f"{field.title}: {field.help}")
        ask = getpass if field.is_secret else input
        completed[field.name] = ask(f"{field.title}: ").strip()
    return completed


def _read_value(session: Session, name: str, value: str) -> str:
    if value.startswith("@@"):
        return value[1:]
    if value.startswith("@"):
        return Path(value[1:]).expanduser().read_text(encoding="utf-8").strip()
    if value == "-":
        line = sys.stdin.readline()
        if not line:
            raise _usage(session, f"{name} was to come from standard input, which is empty")
        return line.strip()
    return value


def _converted(session: Session, field: Field, text: str) -> Json:
    if field.choices and text not in field.choices:
        raise _usage(session, f"{field.name} is one of: {', '.join(field.choices)}")
    match field.type:
        case "WHOLE_NUMBER":
            if not text.lstrip("-").isdecimal():
                raise _usage(session, f"{field.name} is a whole number")
            return int(text)
        case "YES_NO":
            if text.lower() not in _YES | _NO:
                raise _usage(session, f"{field.name} is yes or no")
            return text.lower() in _YES
        case _:
            return text


def _usage(session: Session, message: str) -> typer.Exit:
    return session.fail(message, code="USAGE", exit_code=Exit.USAGE)
