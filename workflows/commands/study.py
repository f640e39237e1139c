"""`sightline study`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from workflows.progress_bar import progress_bar
from workflows.sign_in import NAME_VARIABLE, AsPerson, open_as

StudyFolder = Annotated[Path, typer.Argument(help="The study's folder.")]
Doer = Annotated[
    str, typer.Option("--as", "--by", envvar=NAME_VARIABLE, show_envvar=False, help="Who does it, for the audit log.")
]
RoleName = Literal["annotator", "reviewer", "admin"]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Set a study up and keep it in order.", no_args_is_help=True)
    cli.add_typer(group, name="study")

    @group.command()
    def create(
        folder: StudyFolder,
        name: str = "",
        target: Annotated[list[str] | None, typer.Option(help="What is annotated; may be repeated.")] = None,
        preset: Annotated[str, typer.Option(help="polyp, prostate or own.")] = "",
        sigma: Annotated[float | None, typer.Option(help="Width of the heatmap's Gaussian.")] = None,
        threshold: Annotated[list[float] | None, typer.Option(help="One per level; may be repeated.")] = None,
        reads: Annotated[int, typer.Option(help="Annotators per image.")] = 1,
        seed: Annotated[int, typer.Option(help="Seed of everyone's order.")] = 1,
    ) -> None:
        """Make a new, empty study."""
        from storage.study import Study
        from workflows.study import new_settings

        settings = new_settings(
            name or folder.absolute().name,
            target or ["target"],
            preset=preset,
            sigma=sigma,
            thresholds=tuple(threshold or ()),
            reads_per_image=reads,
            order_seed=seed,
        )
        Study.create(folder, settings).close()
        print(f"Study {settings.name!r} made in {folder.absolute()}")

    @group.command()
    def show(study: StudyFolder) -> None:
        """Print settings, counts, and what needs care."""
        from storage.study import Study
        from workflows.study import duplicates, missing_files

        with Study.open(study) as opened:
            settings, images = opened.settings, opened.images()
            print(f"{settings.name}{'  (SIMULATED gaze)' if settings.is_simulated else ''}")
            labels = settings.labels
            levels = ", ".join(f"{t:g}" for t in labels.thresholds)
            print(
                f"targets: {', '.join(t.name for t in settings.targets)}; reads per image: "
                f"{settings.protocol.reads_per_image}; source {labels.source}, sigma {labels.sigma:g}, levels {levels}"
            )
            splits = {split: sum(i.split == split for i in images) for split in ("train", "val", "test", "")}
            shares = ", ".join(f"{name or 'undecided'} {count}" for name, count in splits.items() if count)
            print(
                f"{len(images)} images ({shares or 'none'}), {len(opened.trials())} trials, "
                f"{len(opened.mask_versions())} masks"
            )
            for person in opened.people():
                print(f"  {person.role.value:<10} {person.name}{'' if person.has_password else '  (no password)'}")
            if lost := missing_files(opened):
                print(f"{len(lost)} image files are not where they were: sightline study repair-paths")
            if same := duplicates(opened):
                print(f"{len(same)} groups of images have the same content (first: {', '.join(same[0][:3])})")
            print(f"catalog: {'PostgreSQL' if opened.catalog_url else 'in the folder'}")

    @group.command()
    def person(
        study: StudyFolder,
        name: Annotated[str, typer.Argument(help="A pseudonym, best.")],
        role: Annotated[RoleName, typer.Option()] = "annotator",
        by: Doer = "",
    ) -> None:
        """Enter a person, or change their role."""
        from domain.study import Role

        with open_as(study, by) as opened:
            opened.add_annotator(name, Role(role))
        print(f"{name} is {role}")

    @group.command()
    def password(
        study: StudyFolder,
        name: Annotated[str, typer.Argument()],
        by: Doer = "",
    ) -> None:
        """Set a person's password; asked for, never on the command line. Unlocks the account.

        The first password is an admin's: from then on everybody who changes something signs in with --as NAME.
        """
        with open_as(study, by) as opened:
            secret = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
            opened.set_password(name, secret)
        print(f"password of {name} set")

    @group.command()
    def target(
        study: StudyFolder,
        name: Annotated[str, typer.Argument(help="Its present name, or that of a new one.")],
        rename: Annotated[str, typer.Option(help="A new name; only while nothing was recorded for it.")] = "",
        colour: Annotated[str, typer.Option(help="As #RRGGBB.")] = "",
        describe: Annotated[str, typer.Option(help="What counts as this target.")] = "",
        remove: Annotated[bool, typer.Option("--remove", help="Only while nothing was recorded for it.")] = False,
        as_: AsPerson = "",
    ) -> None:
        """Add a target, or rename, recolour, describe or remove one."""
        from workflows.targets import WantedTarget, change_targets

        with open_as(study, as_) as opened:
            present = opened.settings.targets
            wanted = [WantedTarget(one.name, one.name, one.colour, one.description) for one in present]
            place = next((n for n, one in enumerate(present) if one.name == name), None)
            if place is None:
                wanted.append(WantedTarget("", rename or name, colour, describe))
            elif remove:
                del wanted[place]
            else:
                one = present[place]
                wanted[place] = WantedTarget(name, rename or name, colour or one.colour, describe or one.description)
            change_targets(opened, wanted)
            print(", ".join(f"{one.number} {one.name} {one.colour}" for one in opened.settings.targets))

    @group.command()
    def split(
        study: StudyFolder,
        file: Annotated[Path, typer.Argument(help="Text file: one image id per line.")],
        name: Annotated[Literal["train", "val", "test"], typer.Argument(help="What they are for.")],
        as_: AsPerson = "",
    ) -> None:
        """Decide which images are for training, validation or testing."""
        from processing.table_text import read_text
        from workflows.study import set_splits

        ids = [line.split()[0] for line in read_text(file).splitlines() if line.strip()]
        with open_as(study, as_) as opened:
            n_changed = set_splits(opened, dict.fromkeys(ids, name))
        print(f"{n_changed} images changed to {name}")

    @group.command("repair-paths")
    def repair_paths(
        study: StudyFolder,
        folder: Annotated[Path, typer.Argument(help="Where the images are now.")],
        as_: AsPerson = "",
    ) -> None:
        """Find image files that were moved, by their content."""
        from workflows import study as work

        with open_as(study, as_) as opened, progress_bar("Looking") as on_progress:
            repair = work.repair_paths(opened, folder, on_progress=on_progress)
        print(
            f"{len(repair.found)} found, {len(repair.lost)} still lost{': ' if repair.lost else ''}"
            f"{', '.join(repair.lost[:5])}"
        )
        if repair.lost:
            raise typer.Exit(1)

    @group.command("move-catalog")
    def move_catalog(
        study: StudyFolder,
        url: Annotated[str, typer.Argument(help="postgresql+psycopg://user@server/database, or `file`.")],
        as_: AsPerson = "",
    ) -> None:
        """Put the catalog into a PostgreSQL database that several workstations share, or back into the folder."""
        from workflows import study as work

        with open_as(study, as_) as opened:
            n_rows = work.move_catalog(opened, "" if url == "file" else url)
        print(f"{n_rows} rows moved")
