"""A point on the screen is the point on the image: any zoom, pan, flip, window place, scale and screen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = Path(__file__).with_name("view_probe.py")
SCALES = ("1", "1.25", "1.5", "2")


def worst_error(environment: dict[str, str]) -> dict[str, object]:
    result = subprocess.run(
        [sys.executable, str(PROBE)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    return json.loads(result.stdout.strip().splitlines()[-1])


@pytest.mark.window
@pytest.mark.parametrize("scale", SCALES)
def test_that_a_spot_on_the_screen_maps_to_its_place_on_the_image_within_half_a_pixel(virtual_screen: str, scale: str):
    if virtual_screen != "xcb":
        pytest.skip("no X screen: only the off-screen test below runs")
    found = worst_error({"QT_SCALE_FACTOR": scale})
    assert found["platform"] == "xcb"
    assert found["n"] >= 20
    assert found["worst_px"] <= 0.5, found


@pytest.mark.parametrize("scale", SCALES)
def test_that_the_mapping_holds_on_a_second_screen(tmp_path: Path, scale: str):
    left = {"name": "left", "x": 0, "y": 0, "width": 1600, "height": 900, "logicalDpi": 96, "logicalBaseDpi": 96}
    right = {**left, "name": "right", "x": 1600, "y": 120, "width": 1280, "height": 1024}
    path = tmp_path / "screens.json"
    path.write_text(json.dumps({"screens": [{**left, "dpr": 1}, {**right, "dpr": 1}]}))
    found = worst_error({"QT_QPA_PLATFORM": f"offscreen:configfile={path}", "QT_SCALE_FACTOR": scale})
    assert found["screens"] == 2
    assert found["n"] >= 40
    assert found["worst_px"] <= 0.5, found
