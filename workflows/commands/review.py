"""`sightline review`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from workflows.sign_in import NAME_VARIABLE, AsPerson, open_as

if TYPE_CHECKING:  # loaded when a command runs
    from storage.mask_table import MaskVersion
    from storage.study import Study

StudyFolder = Annotated[Path, typer.Argument(help="The study's folder.")]
ImageId = Annotated[str, typer.Argument(help="The image.")]
Annotator = Annotated[str, typer.Argument(help="Whose mask.")]
Reviewer = Annotated[
    str,
    typer.Option(
        "--as",
        "--by",
        envvar=NAME_VARIABLE,
        show_envvar=False,
        help="The reviewer; the password is asked for where people have one.",
    ),
]
TargetName = Annotated[str, typer.Option("--target", help="Default: the first of the study.")]
Hard = Literal["", "easy", "medium", "hard"]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Look at masks that came back and decide on them.", no_args_is_help=True)
    cli.add_typer(group, name="review")

    @group.command("list")
    def list_(
        study: StudyFolder,
        state: Annotated[str, typer.Option(help="new, accepted, returned or flagged.")] = "",
        blind: Annotated[bool, typer.Option("--blind", help="Hide names.")] = False,
        as_: AsPerson = "",
    ) -> None:
        """Print the cases and where they stand."""
        from workflows.review import cases

        with open_as(study, as_) as opened:
            for case in cases(opened, state=state, blind=blind):
                who = ", ".join(f"{c.shown_name} v{c.version.version} {c.state}" for c in case.candidates)
                print(f"{case.shown_name:<32} {case.target:<12} {case.state:<9} {who}")

    @group.command()
    def accept(
        study: StudyFolder,
        image: ImageId,
        annotator: Annotator,
        by: Reviewer,
        target: TargetName = "",
        difficulty: Annotated[Hard, typer.Option(help="How hard the case is.")] = "",
        comment: str = "",
    ) -> None:
        """Accept an annotator's newest mask; it is closed from then on."""
        _decide(study, image, annotator, "accepted", by, target, "", difficulty, comment)

    @group.command("return")
    def return_(
        study: StudyFolder,
        image: ImageId,
        annotator: Annotator,
        by: Reviewer,
        reason: Annotated[str, typer.Option(help="Why; the annotator sees it.")],
        target: TargetName = "",
        comment: str = "",
    ) -> None:
        """Send a mask back to its annotator."""
        _decide(study, image, annotator, "returned", by, target, reason, "", comment)

    @group.command()
    def flag(
        study: StudyFolder,
        image: ImageId,
        annotator: Annotator,
        by: Reviewer,
        target: TargetName = "",
        comment: str = "",
    ) -> None:
        """Mark a mask for a second look."""
        _decide(study, image, annotator, "flagged", by, target, "", "", comment)

    @group.command()
    def undo(study: StudyFolder, image: ImageId, by: Reviewer, target: TargetName = "") -> None:
        """Take the last decision on an image back."""
        from workflows import review

        with open_as(study, by) as opened:
            name = target or opened.settings.targets[0].name
            last = review.undo(opened, image, name, reviewer=by)
        print(f"{last.decision} on {image} taken back")

    @group.command()
    def versions(
        study: StudyFolder, image: ImageId, annotator: Annotator, target: TargetName = "", as_: AsPerson = ""
    ) -> None:
        """Print all versions of a mask: who made them, when, and their Dice with the newest."""
        from workflows.mask_history import mask_history

        with open_as(study, as_) as opened:
            for past in mask_history(opened, _newest(opened, image, annotator, target)):
                one = past.version
                print(
                    f"{one.version:>4}  {one.saved_at}  {one.author:<16} {one.origin:<11} {past.dice_with_newest:.3f}"
                )

    @group.command()
    def restore(
        study: StudyFolder,
        image: ImageId,
        annotator: Annotator,
        by: Reviewer,
        version: Annotated[int, typer.Option(help="Which version comes back, as a new one.")],
        target: TargetName = "",
    ) -> None:
        """Make an older version of a mask the newest again; every version stays."""
        from domain.errors import UserFacingError
        from workflows import mask_history

        with open_as(study, by) as opened:
            newest = _newest(opened, image, annotator, target)
            all_versions = opened.mask_versions(image, annotator, newest.target)
            chosen = next((one for one in all_versions if one.version == version), None)
            if chosen is None:
                raise UserFacingError(f"There is no version {version}.", "See `sightline review versions`.")
            made = mask_history.restore(opened, chosen, reviewer=by)
        print(f"{image}: version {version} of {annotator} is back as version {made.version}")


def _newest(study: Study, image: str, annotator: str, target: str) -> MaskVersion:
    from domain.errors import UserFacingError

    name = target or study.settings.targets[0].name
    versions = study.mask_versions(image, annotator, name)
    if not versions:
        raise UserFacingError(f"{annotator} has no mask of {image} for {name}.", "See `sightline review list`.")
    return versions[-1]


def _decide(
    study: Path,
    image: str,
    annotator: str,
    decision: Literal["accepted", "returned", "flagged"],
    by: str,
    target: str,
    reason: str,
    difficulty: Hard,
    comment: str,
) -> None:
    from workflows import review

    with open_as(study, by) as opened:
        newest = _newest(opened, image, annotator, target)
        is_new = review.decide(
            opened, newest, decision, reviewer=by, reason=reason, difficulty=difficulty, comment=comment
        )
    already = "" if is_new else " already; nothing was written"
    print(f"{image}: version {newest.version} of {annotator} {decision}{already}")
