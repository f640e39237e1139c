"""Copies of DICOM files without what identifies a person (PS3.15 Annex E), and the key file kept apart from them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import warnings
from pathlib import Path
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from domain.errors import BadFileError
from storage.atomic_write import write_text_atomically
from storage.dicom_profile import EMPTIED, KEPT_UIDS, REMOVED, REMOVED_NAMES, UID_NAMES
from storage.image_readers.dicom import read_dataset

KEY_FILE = "keys.json"
_METHOD = "Sightline: DICOM PS3.15 Annex E basic profile; UIDs mapped; pixels as they are"
_UID_ROOT = "2.25."


class DicomCopier:
    """Removes identifiers the same way for all files of one study, so that slices and series stay together.

    The key (a secret number and the list of pseudonyms) lies in `<study>-keys/keys.json` beside the study folder,
    never in it: whoever gets the study without it cannot go back.
    """

    def __init__(self, study_folder: Path) -> None:
        self._key_path = study_folder.parent / f"{study_folder.name}-keys" / KEY_FILE
        self._secret, self._patients = self._read_key()
        self._is_changed = False

    def copy(self, source: Path, target: Path) -> None:
        """Write a de-identified copy of a DICOM file.

        Raises:
            BadFileError: not DICOM or truncated.
        """
        dataset = read_dataset(source)
        with warnings.catch_warnings():
            # Real files hold values that break their own rules; they are removed or copied as they are.
            warnings.simplefilter("ignore")
            self.deidentify(dataset)
            try:
                dataset.save_as(target, enforce_file_format=True)
            except (ValueError, TypeError, AttributeError, KeyError) as problem:
                raise BadFileError(
                    f"{source} cannot be written again: {problem}.", "Export the file again."
                ) from problem

    def pseudonym(self, patient: str) -> str:
        """The name that stands for a patient in this study; nothing for nothing."""
        if not patient:
            return ""
        if patient not in self._patients:
            self._patients[patient] = f"case-{self._digest('patient', patient)[:10]}"
            self._is_changed = True
        return self._patients[patient]

    def deidentify(self, dataset: Dataset) -> None:
        """Change a dataset in place."""
        patient = str(dataset.get("PatientID", "") or dataset.get("PatientName", "") or "")
        self._clean(dataset)
        pseudonym = self.pseudonym(patient)
        dataset.PatientID = pseudonym
        dataset.PatientName = f"{pseudonym}^" if pseudonym else ""  # the caret says that there is one part only
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = _METHOD[:64]
        dataset.DeidentificationMethodCodeSequence = Sequence([_basic_profile_code()])
        dataset.LongitudinalTemporalInformationModified = "REMOVED"
        if dataset.file_meta is not None:
            dataset.file_meta.MediaStorageSOPInstanceUID = UID(
                str(dataset.get("SOPInstanceUID", "")) or self.mapped_uid("x")
            )
            for name in ("SourceApplicationEntityTitle", "PrivateInformationCreatorUID", "PrivateInformation"):
                if name in dataset.file_meta:
                    del dataset.file_meta[name]
        dataset.preamble = b"\x00" * 128  # the free 128 bytes may hold anything

    def mapped_uid(self, uid: str) -> UID:
        """The UID that stands for another: the same for the same, in all files of the study."""
        return UID(_UID_ROOT + str(int(self._digest("uid", uid)[:32], 16)))

    def stack_key(self, stack: str) -> str:
        """The name that stands for a series in this study, the same at each import; nothing for nothing."""
        if not stack:
            return ""
        # Without a patient's name no key would be kept, and more slices of the series would not find it again.
        self._is_changed = self._is_changed or not self._key_path.is_file()
        return f"series-{self._digest('stack', stack)[:16]}"

    def write_key_file(self) -> None:
        """Store the key if a pseudonym was added."""
        if not self._is_changed:
            return
        values = {
            "what": "Key of de-identified DICOM files. Keep it apart from the study, and safe.",
            "secret": self._secret.hex(),
            "patients": self._patients,
        }
        write_text_atomically(self._key_path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        if os.name == "posix":
            self._key_path.chmod(0o600)
        self._is_changed = False

    def _read_key(self) -> tuple[bytes, dict[str, str]]:
        if not self._key_path.is_file():
            return secrets.token_bytes(32), {}
        try:
            values = json.loads(self._key_path.read_text(encoding="utf-8"))
            return bytes.fromhex(values["secret"]), dict(values["patients"])
        except (ValueError, KeyError, TypeError) as problem:
            raise BadFileError(f"{self._key_path} is damaged: {problem}.", "Put it back from a backup.") from problem

    def _digest(self, kind: str, text: str) -> str:
        return hmac.new(self._secret, f"{kind}|{text}".encode(), hashlib.sha256).hexdigest()

    def _clean(self, dataset: Dataset) -> None:
        dataset.remove_private_tags()
        for element in list(dataset):
            self._clean_element(dataset, element)

    def _clean_element(self, dataset: Dataset, element: DataElement) -> None:
        keyword, group = element.keyword, element.tag.group
        is_overlay_or_curve = 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF
        if keyword in REMOVED or is_overlay_or_curve or REMOVED_NAMES.search(keyword):
            del dataset[element.tag]
        elif keyword in EMPTIED:
            element.value = Sequence([]) if element.VR == "SQ" else ""
        elif element.VR == "SQ":
            for item in element.value:
                self._clean(item)
        elif element.VR == "UI" and (keyword in UID_NAMES or keyword not in KEPT_UIDS):
            element.value = self._mapped(element.value)

    def _mapped(self, value: Any) -> Any:  # pydicom gives one UID, several, or nothing
        if not value:
            return value
        if isinstance(value, str):
            return value if value.startswith("1.2.840.10008.") else self.mapped_uid(value)
        return [self._mapped(one) for one in value]


def _basic_profile_code() -> Dataset:
    code = Dataset()
    code.CodeValue = "113100"
    code.CodingSchemeDesignator = "DCM"
    code.CodeMeaning = "Basic Application Confidentiality Profile"
    return code
