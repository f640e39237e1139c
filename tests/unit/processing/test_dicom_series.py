"""Which slices belong together: headers that lie, break off or claim the impossible never end in anything but words."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from processing.dicom_series import find_series
from storage.dicom_geometry import SliceFacts, affine_of, slice_facts, uneven_steps

PLANE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def facts(number: int, **more: object) -> SliceFacts:
    values = {
        "series_uid": "1.2",
        "modality": "CT",
        "kind": (4, 4),
        "position": (0.0, 0.0, 2.0 * number),
        "orientation": PLANE,
        "spacing_mm": (1.0, 1.0),
    }
    return SliceFacts(**(values | more))  # type: ignore[arg-type]


def find(ones: list[SliceFacts]) -> tuple[list[list[int]], tuple[str, ...]]:
    """Numbers of the slices of each stack in their order, and the warnings."""
    found = find_series(dict(enumerate(ones)), {number: f"f{number}" for number in range(len(ones))})
    stacks: dict[str, list[int]] = {}
    for number, place in sorted(found.places.items(), key=lambda item: item[1].position):
        stacks.setdefault(place.stack, []).append(number)
    return list(stacks.values()), found.warnings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ImagePositionPatient", ["nan", "0", "0"]),
        ("ImagePositionPatient", ["1e300", "0", "0"]),
        ("ImagePositionPatient", []),
        ("ImagePositionPatient", ["0", "0"]),
        ("ImageOrientationPatient", ["0"] * 6),
        ("ImageOrientationPatient", ["1", "0", "0", "1", "0", "0"]),
        ("ImageOrientationPatient", ["5", "0", "0", "0", "5", "0"]),
        ("PixelSpacing", ["0", "0"]),
        ("PixelSpacing", ["-1", "1"]),
        ("SliceLocation", ""),
        ("InstanceNumber", None),
        ("NumberOfFrames", None),
    ],
)
def test_that_nonsense_in_a_header_counts_as_not_said(name: str, value: object) -> None:
    header = Dataset()
    header.SeriesInstanceUID = "1.2.3"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's words about the nonsense that is written here
        setattr(header, name, value)
    said = slice_facts(header)
    assert (said.position, said.orientation, said.spacing_mm, said.slice_location) == (None, None, None, None)
    assert (said.instance_number, said.n_frames, said.series_uid) == (None, 1, "1.2.3")


def test_that_slices_lie_in_order_also_where_the_normal_points_to_the_feet() -> None:
    turned = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    stacks, said = find([facts(number, orientation=turned) for number in (2, 0, 1)])
    assert stacks == [[0, 2, 1]]
    assert said == ()


def test_that_a_rotation_about_an_axis_is_no_stack() -> None:
    def turned(number: int) -> tuple[float, ...]:
        angle = math.radians(20 * number)
        return (math.cos(angle), math.sin(angle), 0.0, 0.0, 0.0, -1.0)

    stacks, said = find([facts(0, orientation=turned(number)) for number in range(9)])
    assert stacks == []
    assert said == ()


def test_that_two_marks_together_tell_echoes_and_phases_apart() -> None:
    ones = [
        facts(number, marks={"EchoTime": str(echo), "TemporalPositionIdentifier": str(phase)})
        for phase in range(2)
        for echo in range(2)
        for number in range(5)
    ]
    stacks, said = find(ones)
    assert sorted(map(sorted, stacks)) == [list(range(start, start + 5)) for start in (0, 5, 10, 15)]
    assert any("4 stacks" in text for text in said)


def test_that_a_mark_which_differs_on_every_slice_tells_nothing_apart() -> None:
    ones = [
        facts(number % 6, marks={"ContentTime": str(number), "AcquisitionNumber": str(number)}) for number in range(12)
    ]
    stacks, said = find(ones)
    assert stacks == []
    assert any("nothing tells them apart" in text for text in said)


@pytest.mark.parametrize("n", [0, 1])
def test_that_nothing_and_one_slice_are_no_stack(n: int) -> None:
    assert find([facts(number) for number in range(n)]) == ([], ())


def test_that_thousands_of_slices_are_sorted_at_once() -> None:
    order = np.random.default_rng(1).permutation(5000)
    (stack,), said = find([facts(int(number)) for number in order])
    assert [order[number] for number in stack] == list(range(5000))
    assert said == ()


def test_that_steps_are_judged_by_the_usual_one() -> None:
    assert uneven_steps([0, 1, 2, 3]) == (1.0, 0, 0)
    assert uneven_steps([0, 1.25, 2.5, 5.0, 6.25]) == (1.25, 1, 0)
    assert uneven_steps([0, 1, 2, 3.4, 4.4])[1:] == (0, 1)
    assert uneven_steps([5]) == (0.0, 0, 0)
    assert uneven_steps([0, 1.0004, 1.9996, 3.0])[1:] == (0, 0)


def test_that_a_matrix_needs_places_and_a_volume() -> None:
    assert affine_of([facts(0), facts(1)]) is not None
    assert affine_of([replace(facts(0), position=None), facts(1)]) is None
    assert affine_of([facts(0), facts(0)]) is None  # no way between the slices
    one = affine_of([facts(3, slice_thickness=5.0)])
    assert one is not None
    assert np.allclose(one, [[-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 5, 6], [0, 0, 0, 1]])
