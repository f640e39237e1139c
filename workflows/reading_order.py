"""In which order an annotator reads: their own random one, or the images first that a model is most doubtful of.

The random order needs no model and biases nothing. The other is chosen by a person, for one annotator and target; the
choice is in the study's log, where every later one is too, and in each session recorded under it.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from enum import Enum

from domain.errors import BadFileError
from storage import audit_log
from storage.study import Study
from workflows.doubt import read_doubts

_log = logging.getLogger(__name__)
_ACTION = "reading order chosen"


class ReadingOrder(str, Enum):
    """How the images of a worklist are ordered."""

    RANDOM = "random"
    DOUBT = "most doubtful first"


def reading_order(study: Study, annotator: str, target: str) -> ReadingOrder:
    """What was chosen last; random where nothing was."""
    with study.catalog.reading() as connection:
        entry = audit_log.newest(connection, _ACTION, f"{annotator}/{target}")
    return ReadingOrder(json.loads(entry.details)["order"]) if entry is not None else ReadingOrder.RANDOM


def choose_order(study: Study, annotator: str, target: str, order: ReadingOrder) -> bool:
    """Read in this order from now on; False where that is so already, and nothing is written."""
    study.require("annotate", own=annotator)
    if reading_order(study, annotator, target) is order:
        return False
    model, _ = read_doubts(study, target)
    facts: dict[str, object] = {"order": order.value, "seed": study.settings.protocol.order_seed}
    study.note(_ACTION, f"{annotator}/{target}", facts | ({"model": model} if order is ReadingOrder.DOUBT else {}))
    return True


def uncertainties(study: Study, target: str) -> dict[str, float]:
    """How doubtful the last prediction was of each image; empty where there is none, or its list is damaged."""
    try:
        found = read_doubts(study, target)[1]
    except BadFileError as problem:
        _log.warning("the worklist goes on without it: %s", problem)
        return {}
    return {one.image_id: one.uncertainty for one in found if math.isfinite(one.uncertainty)}


def in_order(
    study: Study, annotator: str, target: str, seeded: Sequence[str]
) -> tuple[list[str], ReadingOrder, dict[str, float]]:
    """The image ids as they are to be read, by which order, and the uncertainties; `seeded` is the random order.

    Ties, and images that nobody predicted, which come last, keep it.
    """
    doubts = uncertainties(study, target)
    order = reading_order(study, annotator, target) if doubts else ReadingOrder.RANDOM
    if order is ReadingOrder.RANDOM:
        return list(seeded), order, doubts
    return sorted(seeded, key=lambda image_id: -doubts.get(image_id, -1.0)), order, doubts


def order_facts(study: Study, annotator: str, target: str) -> dict[str, str]:
    """What a session keeps of the order it was recorded in."""
    order = in_order(study, annotator, target, ())[1]
    facts = {"reading_order": order.value, "order_seed": str(study.settings.protocol.order_seed)}
    return facts | ({"order_model": read_doubts(study, target)[0]} if order is ReadingOrder.DOUBT else {})
