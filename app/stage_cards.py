"""The words of the stage's cards: heading, sentences, and what the keys do."""

from __future__ import annotations

from dataclasses import dataclass

from app.texts import counted, tr
from domain.errors import UserFacingError
from domain.study import Protocol

SKIP_REASONS = ("The image is not good enough", "I am not sure", "This image does not belong here", "Another reason")


@dataclass(frozen=True)
class Card:
    """What stands on one card. choices: lines that can be clicked on, each with the number that it stands for."""

    heading: str
    words: str = ""
    keys: str = ""
    choices: tuple[tuple[int, str], ...] = ()


def opening() -> Card:
    """While the tracker is being opened."""
    return Card(tr("Opening the tracker…"))


def going_back() -> Card:
    """The annotator wants out while the tracker is being opened."""
    return Card(tr("Going back…"), tr("As soon as the tracker has answered."))


def no_mask() -> Card:
    """The mask of a look could not be made."""
    words = tr("Its gaze is kept in the session. You can look at the image again.")
    return Card(tr("There is no mask of this look"), words, tr("Enter looks again · Esc goes back to the worklist"))


def cannot_open(error: BaseException) -> Card:
    """The tracker did not open."""
    hint = error.hint if isinstance(error, UserFacingError) else str(error)
    message = error.message if isinstance(error, UserFacingError) else tr("The tracker cannot be opened.")
    return Card(message, hint, tr("Enter tries again · Esc goes back"))


def cannot_show(error: BaseException) -> Card:
    """The image cannot be read."""
    message = str(error) if isinstance(error, UserFacingError) else tr("An unexpected error; the log has its trace.")
    return Card(
        tr("This image cannot be shown"), message, tr("Enter tries again · S skips it · Esc goes back to the worklist")
    )


def instruction(protocol: Protocol, target: str, clutch_keys: str) -> Card:
    """How to look at the images. clutch_keys: held while looking; empty where gaze is recorded all the time."""
    how = (
        tr("Hold {key} while you look at the target.").format(key=clutch_keys)
        if clutch_keys
        else tr("Gaze is recorded from the moment the image appears until you press Enter.")
    )
    words = (
        f"{tr('Target')}: {target}\n\n"
        + tr("1   Find the target.")
        + "\n"
        + tr("2   Look over all of it, from its centre to its border.")
        + (f"\n\n{protocol.instruction}" if protocol.instruction != type(protocol)().instruction else "")
        + f"\n\n{how}"
    )
    keys = tr("Enter starts · N no target in this image · F1 all keys · Esc goes back")
    return Card(tr("Look at each image in two steps"), words, keys)


def skip() -> Card:
    """Why an image is skipped."""
    lines = [(n, f"{n}   {tr(reason)}") for n, reason in enumerate(SKIP_REASONS, start=1)]
    keys = tr("Press a number, or click on a line · Esc does not skip · Backspace looks again")
    return Card(tr("Skip this image?"), "", keys, (*lines, (0, tr("Esc   Do not skip"))))


def drift_check() -> Card:
    """Behind a drift check."""
    return Card(tr("Drift check"), tr("Look at the dot until it disappears."), tr("Enter goes on"))


def rest(n_images: int) -> Card:
    """Time for a rest after this many images."""
    done = counted(n_images, tr("1 image is done."), tr("{n} images are done."))
    words = f"{done} {tr('Look into the distance for a minute; blink; move your shoulders.')}"
    return Card(tr("Time for a rest"), words, tr("Enter goes on · Esc ends for today"))


def all_done() -> Card:
    """The list is at its end."""
    words = tr("Thank you. Everything is saved.")
    return Card(tr("All images are done"), words, tr("Enter goes back to the worklist"))


def paused() -> Card:
    """The annotator asked for a pause."""
    return Card(
        tr("Paused"), tr("Nothing is lost. Take your time."), tr("Enter goes on · Esc goes back to the worklist")
    )


def away() -> Card:
    """Nobody was seen."""
    words = tr("The tracker has not seen your eyes for two seconds.")
    return Card(tr("Are you there?"), words, tr("Enter goes on · Esc goes back to the worklist"))


def silent() -> Card:
    """The tracker sends nothing, though its process lives."""
    words = tr("No gaze arrives from the tracker. What was recorded is kept; check its cable and its light.")
    return Card(tr("The tracker is silent"), words, tr("Enter goes on · Esc goes back to the worklist"))


def tracker_gone(problem: BaseException | None = None) -> Card:
    """The tracker was lost, and why it cannot be had again."""
    if problem is not None:
        return cannot_open(problem)
    words = tr("What was recorded is kept. It is being opened again; check its cable. You go on where you were.")
    return Card(tr("The tracker is gone"), words, tr("Enter connects it anew · Esc goes back to the worklist"))


def tracker_back() -> Card:
    """A tracker that was lost answers again."""
    words = tr("You go on where you were. If you have moved, press T for a drift check first.")
    return Card(tr("The tracker is there again"), words, tr("Enter goes on · T drift check · Esc goes back"))
