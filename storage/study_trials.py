"""The trials of a study and the maps made from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from domain.errors import BadFileError
from domain.labels import LabelMaps, LabelParameters
from domain.trial import TrialRecord
from storage import assignment_table, trial_table
from storage.file_names import file_name_for
from storage.map_file import read_map, write_map
from storage.png_text import read_values
from storage.study_images import StudyImages


class StudyTrials(StudyImages):
    """A study's trials and maps."""

    def save_trial(self, record: TrialRecord, *, is_recovered: bool = False) -> None:
        """Store a trial durably; the same trial_id again replaces it, earlier trials stay.

        is_recovered: it comes from the file of a sitting that was cut off, before anybody could sign in again.
        """
        if not is_recovered:
            self.require("annotate", own=record.annotator)
        self.image(record.image_id)
        with self.catalog.writing() as connection:
            trial_table.insert(connection, record)
            assignment_table.set_status(
                connection, record.image_id, record.annotator, target=record.target, status=record.status
            )
            facts = {"image": record.image_id, "outcome": record.outcome.value, "status": record.status.value}
            self._append(connection, "trial", record.trial_id, {**facts, "n_fixations": len(record.fixations)})

    def trial(self, image_id: str, annotator: str, target: str) -> TrialRecord | None:
        """The newest trial of this annotator on this image."""
        found = self.trials(image_id=image_id, annotator=annotator, target=target)
        return found[-1] if found else None

    def trials(
        self,
        *,
        image_id: str = "",
        annotator: str = "",
        target: str = "",
        trial_id: str = "",
        newest_only: bool = False,
    ) -> list[TrialRecord]:
        """Trials that fit all that is given, oldest first; or the newest of each (image, annotator, target)."""
        with self.catalog.reading() as connection:
            found = trial_table.find(
                connection, image_id=image_id, annotator=annotator, target=target, trial_id=trial_id
            )
        if not newest_only:
            return found
        return list({(t.image_id, t.annotator, t.target): t for t in found}.values())

    def save_maps(self, trial_id: str, maps: LabelMaps, *, facts: Mapping[str, object] | None = None) -> None:
        """Store the heatmap and the refined map of a trial with their parameters, and further facts beside them."""
        parameters: dict[str, object] = {"parameters": maps.parameters.as_json(), "warnings": list(maps.warnings)}
        parameters["facts"] = dict(facts or {})
        heatmap, refined = self._map_paths(trial_id)
        write_map(heatmap, maps.heatmap, parameters)
        write_map(refined, maps.refined, parameters)

    def maps_record(self, trial_id: str) -> dict[str, object] | None:
        """How the maps of a trial were made ("parameters", "warnings", "facts"), without reading the maps; or None."""
        heatmap, refined = self._map_paths(trial_id)
        if not (heatmap.is_file() and refined.is_file()):
            return None
        try:
            return read_values(refined)
        except (OSError, SyntaxError, ValueError):
            return None

    def maps(self, trial_id: str) -> LabelMaps | None:
        """The maps of a trial, None where none were made."""
        heatmap, refined = self._map_paths(trial_id)
        if not (heatmap.is_file() and refined.is_file()):
            return None
        heat, _ = read_map(heatmap)
        fine, values = read_map(refined)
        parameters, warnings = values.get("parameters"), values.get("warnings")
        if not isinstance(parameters, dict) or not isinstance(warnings, list):
            raise BadFileError(f"{refined} does not say how it was made.", "Make the labels again.")
        return LabelMaps(heat, fine, LabelParameters.from_json(parameters), tuple(str(w) for w in warnings))

    def _map_paths(self, trial_id: str) -> tuple[Path, Path]:
        folder = self.folder / "maps" / file_name_for(trial_id)
        return folder / "heatmap.png", folder / "refined.png"
