"""Signing in to a study on the command line: a name, and a password that is asked for or comes from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from domain.errors import NotAllowedError

if TYPE_CHECKING:  # a command line that only prints its help does without
    from storage.study import Study

PASSWORD_VARIABLE = "SIGHTLINE_PASSWORD"
NAME_VARIABLE = "SIGHTLINE_USER"

AsPerson = Annotated[
    str,
    typer.Option(
        "--as",
        envvar=NAME_VARIABLE,
        show_envvar=False,
        help=f"Who does it. The password is asked for, or taken from {PASSWORD_VARIABLE}.",
    ),
]


def open_as(folder: Path, name: str) -> Study:
    """A study opened as that person; where nobody has a password, the name is only noted in the audit log.

    Raises:
        NotAllowedError: the study asks who one is, and no name is given.
        UserFacingError: wrong name or password, or locked.
    """
    from storage.study import Study

    study = Study.open(folder, actor=name)
    try:
        if study.is_guarded:
            if not name:
                raise NotAllowedError(
                    "The people of this study have passwords: say who you are.",
                    f"Add --as NAME, or set {NAME_VARIABLE}; the password is asked for, or taken from "
                    f"{PASSWORD_VARIABLE}.",
                )
            password = os.environ.get(PASSWORD_VARIABLE) or typer.prompt(f"Password of {name}", hide_input=True)
            study.sign_in(name, password)
    except BaseException:
        study.close()
        raise
    return study
