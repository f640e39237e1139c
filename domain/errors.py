"""What can go wrong, in words for the person in front of the screen."""

from __future__ import annotations


class UserFacingError(Exception):
    """Something the user can mend: what happened, and what to do about it.

    The command line prints both and leaves with exit code 2; the application shows both in one dialog.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadFileError(UserFacingError):
    """A file is missing, unreadable, truncated or not of the kind it should be."""


class BrokenFilesError(BadFileError):
    """Some files of a source cannot be read, each told in `problems`; the others can be taken without them."""

    def __init__(self, problems: tuple[str, ...], hint: str = "") -> None:
        first = problems[0] if problems else ""
        message = first if len(problems) < 2 else f"{len(problems)} files cannot be read. The first: {first}"
        super().__init__(message, hint)
        self.problems = problems


class NewerVersionError(UserFacingError):
    """A file or study was written by a newer Sightline."""


class MissingPackageError(UserFacingError):
    """An optional package is not installed; the hint is the line that installs it."""


class TrackerError(UserFacingError):
    """An eye tracker cannot be found, opened or driven."""


class NotAllowedError(UserFacingError):
    """The role of whoever works here does not allow it, or nobody is signed in."""


class StorageFullError(UserFacingError):
    """The disk has no room for what should be written."""


class Cancelled(Exception):  # noqa: N818 - a decision of the user, not an error
    """The user stopped a long piece of work."""
