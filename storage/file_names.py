"""Names that people gave, as file names that every system takes."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote

from domain.errors import UserFacingError

_RESERVED = {"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10))}
MAX_ID_LENGTH = 120


def file_name_for(name: str) -> str:
    """A file name for any text, different for different texts; letters of all alphabets stay readable.

    What a file name cannot hold becomes %XX as in web addresses; so does an underscore, which joins parts.
    """
    text = unicodedata.normalize("NFC", name)
    shown = "".join(c if c.isalnum() or c in "-. " else quote(c, safe="").replace("_", "%5F") for c in text)
    if shown.startswith((".", " ")) or shown.endswith((".", " ")) or not shown:
        shown = f"%{shown}%"
    return f"%{shown}" if shown.split(".")[0].lower() in _RESERVED else shown


def name_from_file(shown: str) -> str:
    """The text that `file_name_for` was given, for names without reserved words or dots at their ends."""
    return unquote(shown)


def checked_image_id(image_id: str) -> str:
    """The id itself, where it can be the name of a file or folder everywhere.

    Raises:
        UserFacingError: empty, too long, or with characters that lead out of a folder.
    """
    text = unicodedata.normalize("NFC", image_id)
    bad = re.search(r'[\x00-\x1f<>:"/\\|?*]', text)
    is_reserved = text.split(".")[0].lower() in _RESERVED
    if not text or bad or is_reserved or text != text.strip(" .") or len(text) > MAX_ID_LENGTH:
        raise UserFacingError(
            f"{image_id[:MAX_ID_LENGTH]!r} cannot be the name of an image.",
            f'Use 1 to {MAX_ID_LENGTH} characters without < > : " / \\ | ? * and without dots or spaces at the ends.',
        )
    return text


def image_id_for(stem: str) -> str:
    """A good image id near the stem of a file name."""
    text = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", unicodedata.normalize("NFC", stem)).strip(" .")[:MAX_ID_LENGTH]
    text = text.strip(" .") or "image"
    return f"_{text}" if text.split(".")[0].lower() in _RESERVED else text
