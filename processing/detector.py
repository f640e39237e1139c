"""Event detection: one registry, one contract, recorded and live alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, Protocol

from domain.display import Display
from domain.errors import UserFacingError
from domain.gaze import GazeSamples
from domain.registry import Registry
from processing.event import Detection, Event


class DetectorStream(Protocol):
    """Finds events in samples as they come. The events do not depend on how the samples were cut into chunks."""

    def push(self, samples: GazeSamples) -> list[Event]:
        """Add samples; gives the events that became certain, in time order."""
        ...

    def finish(self) -> list[Event]:
        """The remaining events: no more samples will come."""
        ...

    def provisional(self) -> Event | None:
        """The fixation that is going on, for live display; None where there is none or the detector cannot tell."""
        ...


class Detector(Protocol):
    """One way to find events."""

    # Any: each detector has its own parameters, a frozen dataclass; the registry treats them all alike.
    parameters_type: type[Any]
    presets: dict[str, Any]

    def stream(self, display: Display, parameters: Any) -> DetectorStream:
        """A detector for one run of samples."""
        ...


detectors: Registry[Any] = Registry("detector", "processing.detectors")
"""Detectors by name; each entry follows `Detector`."""

Parameters = Mapping[str, object] | object | None
"""The detector's own dataclass, the name of a preset, plain values as `parameters_as_json` gives them, or None."""


def detect(name: str, samples: GazeSamples, display: Display, parameters: Parameters = None) -> Detection:
    """All events of a recorded run of samples.

    Args:
        name: of a registered detector.
        samples: in time order; a step back in time or a new segment starts a new stretch.
        display: the screen, for geometry where the tracker does not give the eyes' positions.
        parameters: the detector's own; None takes its defaults.

    Raises:
        UserFacingError: no such detector or preset, or parameters it does not know.
    """
    chosen = parameters_for(name, parameters)
    running = detectors.get(name).stream(display, chosen)
    events = [*running.push(samples), *running.finish()]
    plain = parameters_as_json(chosen)
    return Detection(name, plain, parameters_digest(name, plain), len(samples), tuple(events))


def stream(name: str, display: Display, parameters: Parameters = None) -> DetectorStream:
    """A detector for samples as they come."""
    running: DetectorStream = detectors.get(name).stream(display, parameters_for(name, parameters))
    return running


def parameters_for(name: str, parameters: Parameters = None) -> object:
    """The detector's parameters from whatever form they are in."""
    detector = detectors.get(name)
    kind: type[object] = detector.parameters_type
    if parameters is None:
        return kind()
    if isinstance(parameters, kind):
        return parameters
    if isinstance(parameters, str):
        if parameters not in detector.presets:
            raise UserFacingError(
                f"The detector {name!r} has no preset {parameters!r}.", f"Known: {', '.join(detector.presets)}."
            )
        preset: object = detector.presets[parameters]
        return preset
    if isinstance(parameters, Mapping):
        return _from_json(kind, parameters)
    raise UserFacingError(f"The detector {name!r} cannot use {type(parameters).__name__} as parameters.")


def parameters_as_json(parameters: object) -> dict[str, object]:
    """Plain values of a detector's parameters, for a JSON file."""
    if not is_dataclass(parameters) or isinstance(parameters, type):
        raise TypeError(f"parameters must be a dataclass, got {type(parameters).__name__}")
    return asdict(parameters)


def parameters_digest(name: str, plain: dict[str, object]) -> str:
    """Short hash of a detector's name and parameters, the same on every machine."""
    return hashlib.sha256(json.dumps([name, plain], sort_keys=True).encode()).hexdigest()[:16]


def _from_json(kind: type[Any], values: Mapping[str, object]) -> object:
    """A dataclass, also a nested one, from plain values."""
    defaults = kind()
    known = {entry.name for entry in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise UserFacingError(
            f"Unknown parameter {', '.join(unknown)} of {kind.__name__}.", f"Known: {', '.join(sorted(known))}."
        )
    given: dict[str, object] = {}
    for key, value in values.items():
        default = getattr(defaults, key)
        nested = is_dataclass(default) and isinstance(value, Mapping)
        given[key] = _from_json(type(default), value) if nested else value  # type: ignore[arg-type]  # checked above
    return kind(**given)
