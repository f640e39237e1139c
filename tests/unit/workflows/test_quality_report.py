from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.known_gaze import DISPLAY, PLANE, look_at
from calibration.drift import DriftLog, assess, correction_for
from calibration.plots import drift_svg, loss_svg, offsets_svg
from calibration.report import ImageQuality, methods_paragraph
from calibration.report_page import report_html
from calibration.validation import point_quality, validate
from domain.calibration import DriftCheck
from domain.gaze import GazeSamples
from domain.markers import IMAGE_OFFSET, IMAGE_ONSET, Marker, view_as_json
from domain.session import Gap, GapCause, SessionHeader, SessionRecord, TrackerInfo
from domain.view import ImageView
from workflows.drift_check import corrected_samples, journal_values
from workflows.quality_report import session_quality

VALIDATION = validate(
    [
        q
        for i, t in enumerate(((0.3, 0.3), (0.7, 0.7)))
        for q in point_quality(look_at(t, offset_deg=(0.4, -0.2), sd_deg=0.2, seed=i), t, PLANE)
    ]
    + list(point_quality(GazeSamples.empty(), (0.5, 0.8), PLANE)),
    made_at="2026-05-04T09:30:00+00:00",
)


def check(offset: float, minute: float) -> DriftCheck:
    points = list(point_quality(look_at((0.5, 0.5), offset_deg=(offset, 0.0)), (0.5, 0.5), PLANE))
    return assess(points, time_ns=round(minute * 60e9))


def record(*, is_simulated: bool = True) -> SessionRecord:
    samples = look_at((0.4, 0.5), n=1200, rate_hz=60.0, sd_deg=0.1)
    samples.gaze_valid[300:420] = False
    samples.gaze_norm[300:420] = np.nan
    view = view_as_json(ImageView.fitted((800, 600), (1920, 1080)))
    markers = tuple(
        marker
        for number in range(4)
        for marker in (
            Marker(
                IMAGE_ONSET,
                {"trial_id": f"t{number}", "image_id": f"polyp <{number}>", "view": view, "instruction": "Look at it."},
                presented_ns=number * 5_000_000_000,
            ),
            Marker(IMAGE_OFFSET, {"trial_id": f"t{number}"}, presented_ns=number * 5_000_000_000 + 4_500_000_000),
        )
    )
    log = DriftLog()
    offered = check(1.0, 0.1)
    log.apply(correction_for([((0.5, 0.5), look_at((0.5, 0.5), offset_deg=(1.0, 0.0)))], PLANE))
    tracker = TrackerInfo("tobii", "Tobii Pro Spark", "IS5", "2.1", "SDK 2.1", rate_hz=60.0, is_simulated=is_simulated)
    return SessionRecord(
        header=SessionHeader(
            "s-1",
            "2026-05-04T09:00:00+00:00",
            0,
            "0.1.0",
            tracker,
            DISPLAY,
            annotator="anna",
            settings={"detector": {"name": "ivt", "threshold_deg_s": 30}},
        ),
        samples=samples,
        markers=markers,
        gaps=(Gap(5_000_000_000, 7_000_000_000, GapCause.EYES_LOST, 0),),
        calibrations=(
            {"reason": "in force at the start", "data": ""},
            {
                "reason": "accepted",
                "made_at": "x",
                "profile": "adult",
                "eyes": "both eyes",
                "points": [[0.5, 0.5]] * 5,
                "override_reason": "",
            },
        ),
        validations=({**VALIDATION.as_json(), "time_ns": 5},),
        drift_checks=(journal_values(check(0.2, 0.0), DriftLog()), journal_values(offered, log)),
        quality={
            "duration_s": 20.0,
            "rate_hz_measured": 59.98,
            "loss_left": 0.1,
            "loss_right": 0.1,
            "n_overflow": 0,
            "gaps": {"blink": {"n": 0, "seconds": 0}, "eyes lost": {"n": 1, "seconds": 2.0}},
            "clock_residual_ms_p95": None,
        },
    )


def test_that_a_session_is_summed_up_image_by_image() -> None:
    quality = session_quality(record())
    assert [round(image.loss_left, 3) for image in quality.images] == pytest.approx(
        [0.0, 120 / 271, 0.0, 0.0], abs=0.01
    )
    assert quality.images[1].longest_gap_ms == 2000.0
    assert quality.distance_measured_mm == pytest.approx((650.0, 650.0, 650.0), abs=0.01)
    assert quality.n_corrections == 1
    assert len(quality.calibrations) == 1
    assert quality.gaps == (("eyes lost", 1, 2.0),)
    assert quality.filters == {"name": "ivt", "threshold deg s": "30"}


def test_that_the_report_shows_all_that_a_paper_must_state() -> None:
    page = report_html(session_quality(record()))
    words = html.unescape(re.sub(r"<[^>]+>", " ", page))
    for needed in (
        "Tobii Pro Spark",
        "60 Hz nominal",
        "60.0 Hz measured",
        "1920 × 1080 px",
        "65 cm set",
        "FAIR",
        "RMS-S2S",
        "BCEA",
        "no data",
        "eyes lost",
        "Drift over time",
        "1 correction applied",
        "simulated",
        "polyp <1>",
        "threshold deg s",
        "0.1.0",
        "adult",
    ):
        assert needed in words, needed
    assert "<1>" not in page
    assert "nan" not in words.lower()
    assert len(page) < 200_000
    assert "http" not in page.replace("http://www.w3.org", "")


def test_that_the_methods_paragraph_states_figures_and_what_was_not_measured() -> None:
    text = methods_paragraph(session_quality(record()))
    assert "The gaze was simulated; no person was recorded." in text
    assert "nominal 60 Hz (60.0 Hz measured)" in text
    assert "calibrated on 5 points (both eyes)" in text
    assert "3 points that were not used for calibration" in text
    assert "Drift was checked twice" in text
    assert "1 correction was applied to derived data only" in text
    assert "simulated" not in methods_paragraph(session_quality(record(is_simulated=False)))
    bare = replace(record(), calibrations=(), validations=(), drift_checks=(), quality={})
    text = methods_paragraph(session_quality(bare))
    assert "No calibration was recorded" in text
    assert "was not validated" in text
    assert "(not measured)" in text
    assert "nan" not in text.replace("nanosecond", "").lower() or "data loss" in text.lower()


def test_that_corrections_hold_from_their_check_until_the_next_calibration_and_raw_gaze_stays() -> None:
    before = record()
    log = DriftLog()
    log.apply(correction_for([((0.5, 0.5), look_at((0.5, 0.5), offset_deg=(1.0, 0.0)))], PLANE))
    checks = (journal_values(check(1.0, 0.1), log),)
    accepted = {"reason": "accepted", "time_ns": 12_000_000_000}
    session = replace(before, drift_checks=checks, calibrations=(accepted,))
    raw = session.samples.gaze_norm.copy()
    after = corrected_samples(session)
    moved = np.nan_to_num(after.gaze_norm[:, 0, 0] - raw[:, 0, 0])
    times = session.samples.time_ns
    inside = (times >= 6_000_000_000) & (times < 12_000_000_000) & session.samples.gaze_valid[:, 0]
    assert np.all(moved[inside] < -0.01)
    assert np.all(moved[times < 6_000_000_000] == 0)
    assert np.all(moved[times >= 12_000_000_000] == 0)
    assert np.array_equal(session.samples.gaze_norm, raw, equal_nan=True)
    assert corrected_samples(replace(before, drift_checks=())) is before.samples


def test_that_the_detectors_parameters_are_stated_also_where_the_session_does_not_name_them() -> None:
    bare = record()
    quality = session_quality(replace(bare, header=replace(bare.header, settings={})))
    assert quality.filters["detector"] == "ivt"
    assert quality.filters["threshold deg s"] == "30.0"
    assert "threshold deg s 30.0" in methods_paragraph(quality)


def test_that_an_empty_session_still_gives_a_report() -> None:
    empty = replace(
        record(),
        samples=GazeSamples.empty(),
        markers=(),
        gaps=(),
        calibrations=(),
        validations=(),
        drift_checks=(),
        quality={},
    )
    page = report_html(session_quality(empty))
    assert "No image was shown." in page
    assert "This session holds no validation." in page
    assert ">nan" not in page


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(offsets_svg(VALIDATION), id="offsets"),
        pytest.param(drift_svg([(0.0, check(0.2, 0)), (9.0, check(3.0, 9)), (12.0, assess([]))]), id="drift"),
        pytest.param(
            loss_svg(
                [ImageQuality(f"a&b{i}", 1.0, 0.05 * i, 0.02, 10.0, 1, 0.0) for i in range(6)], warn=0.1, stop=0.15
            ),
            id="loss",
        ),
        pytest.param(loss_svg([], warn=0.1, stop=0.15), id="no images"),
    ],
)
def test_that_the_pictures_are_well_formed_and_stay_inside_their_frame(picture: str) -> None:
    root = ElementTree.fromstring(picture)
    width, height = (float(v) for v in root.attrib["viewBox"].split()[2:])
    for element in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            if name in element.attrib:
                assert -1 <= float(element.attrib[name]) <= width + 1, (element.tag, element.attrib)
        for name in ("y", "y1", "y2", "cy"):
            if name in element.attrib:
                assert -1 <= float(element.attrib[name]) <= height + 1, (element.tag, element.attrib)


def test_that_the_report_is_written_beside_a_recorded_session(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from storage.session_file import publish_session
    from workflows.command_line import build

    publish_session(tmp_path / "s.h5", record())
    result = CliRunner().invoke(build(), ["quality-report", str(tmp_path / "s.h5"), "--methods"])
    assert result.exit_code == 0, result.output
    assert "Gaze data quality" in (tmp_path / "s.quality.html").read_text(encoding="utf-8")
    assert "Gaze was recorded with" in result.output
