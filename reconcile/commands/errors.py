"""How a command says no: a code, a sentence with what to do, and the input field it is about."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason a command was not carried out."""

    code: str
    """SCREAMING_SNAKE: NOT_FOUND, INVALID, WRONG_STATE, UNSUPPORTED, CONFLICT, UNAUTHORIZED, ..."""
    message: str
    path: tuple[str, ...] = ()
    """Path into the command's input."""


class CommandError(Exception):
    """A command was refused; nothing was changed."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


def refuse(code: str, message: str, *path: str) -> CommandError:
    """A `CommandError` of one problem, to be raised."""
    return CommandError(Problem(code, message, path))
