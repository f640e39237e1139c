"""The data-quality report of one session as a page that needs nothing else: one HTML text."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

from calibration.plots import drift_svg, loss_svg, offsets_svg
from calibration.report import SessionQuality, methods_paragraph, percent
from domain.calibration import EYE_NAMES, Validation

STYLE = """
@page{size:A4;margin:12mm}*{box-sizing:border-box}
body{font:14px/1.5 system-ui,"Segoe UI",sans-serif;color:#1d2329;background:#fff;max-width:1200px;margin:0 auto;
padding:28px}
h1{font-size:24px;margin:0}h2{font-size:16px;margin:22px 0 6px;border-bottom:1px solid #ddd;padding-bottom:3px}
.sub{color:#5b6570;margin:2px 0 14px}.grid{display:grid;grid-template-columns:1fr 1fr;gap:6px 32px}
.grid>*{min-width:0}
.badge{display:inline-block;padding:3px 12px;border:2px solid;border-radius:14px;font-weight:600}
.good{color:#00704d}.fair{color:#8a5a00}.poor,.none{color:#a83a00}
.note{background:#fff4d6;border-left:4px solid #e69f00;padding:8px 14px;margin:12px 0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:3px 10px 3px 0;border-bottom:1px solid #eee;vertical-align:top}
th{color:#5b6570;font-weight:600}svg{max-width:100%;height:auto}
.methods{background:#f4f6f8;padding:12px 16px;border-radius:6px;user-select:all}.small{font-size:12px;color:#5b6570}
"""


def report_html(quality: SessionQuality, *, warn_loss: float = 0.10, stop_loss: float = 0.15) -> str:
    """The whole page."""
    q = quality
    about = " · ".join(
        (
            f"Session {q.session_id}",
            q.created,
            q.annotator or "no annotator",
            f"{number(q.seconds / 60, 1)} min",
            f"ended: {q.ending or 'not known'}",
        )
    )
    parts = [f"<h1>Gaze data quality</h1><p class='sub'>{html.escape(about)}</p>"]
    if q.is_simulated:
        parts.append("<p class='note'>The gaze of this session is <b>simulated</b>. No person was recorded.</p>")
    parts.append("<div class='grid'><div>" + _tracker(q) + "</div><div>" + _validation(q.validation) + "</div></div>")
    if q.validation is not None:
        parts.append(
            "<div class='grid'><div>"
            + offsets_svg(
                q.validation,
                aspect=q.screen_px[0] / q.screen_px[1],
                degrees_across=q.screen_px[0] / q.px_per_deg[0],
            )
            + "</div><div>"
            + _points(q.validation)
            + "</div></div>"
        )
    parts.append("<div class='grid'><div><h2>Drift over time</h2>" + _drift(q) + "</div><div>")
    parts.append("<h2>Gaps by cause</h2>" + _gaps(q) + _calibrations(q) + "</div></div>")
    parts.append("<h2>Data loss per image</h2>" + _loss(q, warn_loss, stop_loss))
    parts.append("<h2>Paragraph for the methods section</h2>")
    parts.append(f"<p class='methods'>{html.escape(methods_paragraph(q))}</p>")
    parts.append("<div class='grid'><div><h2>Filter parameters</h2>" + _pairs(dict(q.filters).items()) + "</div>")
    parts.append("<div><h2>Software</h2>" + _pairs(dict(q.software).items()) + "</div></div>")
    parts.append(
        "<p class='small'>Accuracy is given twice: as the angle of the mean offset (systematic error) and as the median"
        " distance (what a user gets). SD and RMS-S2S as in Holmqvist et al. 2022; binocular gaze is the mean of both"
        " eyes where both are valid. What was not measured is shown as a dash.</p>"
    )
    title = html.escape(f"Gaze data quality, session {q.session_id}")
    head = f'<head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head>'
    return f'<!doctype html><html lang="en">{head}<body>{"".join(parts)}</body></html>\n'


def _tracker(q: SessionQuality) -> str:
    median, low, high = q.distance_measured_mm
    rows = [
        ("Tracker", f"{q.tracker} ({q.serial or 'no serial number'})"),
        ("Firmware, software", ", ".join(v for v in (q.firmware, q.tracker_software) if v) or "—"),
        ("Rate", f"{q.rate_hz:g} Hz nominal, {number(q.rate_measured_hz, 1)} Hz measured"),
        ("Samples", f"{q.n_samples:,}".replace(",", " ") + f", {q.n_overflow} lost by us"),
        ("Loss", f"left {percent(q.loss_left)}, right {percent(q.loss_right)}"),
        ("Screen", f"{q.screen_px[0]} × {q.screen_px[1]} px, {q.screen_mm[0]:.0f} × {q.screen_mm[1]:.0f} mm"),
        ("Distance", f"{q.distance_mm / 10:.0f} cm set, {number(median / 10, 1)} cm measured"),
        ("Distance, quartiles", f"{number(low / 10, 1)} to {number(high / 10, 1)} cm"),
        ("One degree", f"{q.px_per_deg[0]:.1f} × {q.px_per_deg[1]:.1f} px at the centre"),
        ("Clock residual, 95 %", f"{number(q.clock_residual_ms, 3)} ms"),
    ]
    return "<h2>Tracker and geometry</h2>" + _pairs(rows)


def _validation(validation: Validation | None) -> str:
    if validation is None:
        return "<h2>Validation</h2><p class='note'>This session holds no validation.</p>"
    css = {"good": "good", "fair": "fair"}.get(validation.grade.value, "poor")
    rows = []
    for summary in validation.summaries:
        rows.append(
            [
                summary.eye,
                number(summary.accuracy_mean_deg),
                number(summary.accuracy_max_deg),
                number(summary.accuracy_median_deg),
                number(summary.sd_deg),
                number(summary.rms_s2s_deg),
                number(summary.bcea_deg2),
                f"{summary.loss:.1%}",
            ]
        )
    header = ["eye", "accuracy", "max.", "median dist.", "SD", "RMS-S2S", "BCEA (deg²)", "loss"]
    return (
        f"<h2>Validation</h2><p><span class='badge {css}'>{html.escape(validation.grade.value.upper())}</span>"
        f" {html.escape(validation.rule)}</p>" + table(header, rows)
    )


def _points(validation: Validation) -> str:
    rows = []
    targets = list(dict.fromkeys(point.target_norm for point in validation.points))
    for number_, target in enumerate(targets, start=1):
        for eye in EYE_NAMES:
            point = validation.point(target, eye)
            steady = "" if point.is_stable else "unsteady"
            if not point.has_data:
                rows.append([f"{number_}", eye, *["—"] * 6, f"{point.loss:.0%}", "no data"])
                continue
            rows.append(
                [
                    f"{number_}",
                    eye,
                    f"{point.offset_x_deg:+.2f}",
                    f"{point.offset_y_deg:+.2f}",
                    number(point.accuracy_mean_deg),
                    f"±{number(math.hypot(point.ci95_x_deg, point.ci95_y_deg))}",
                    number(point.sd_deg),
                    number(point.rms_s2s_deg),
                    f"{point.loss:.0%}",
                    f"{point.n} {steady}".strip(),
                ]
            )
    header = ["#", "eye", "x (°)", "y (°)", "acc. (°)", "95 %", "SD", "RMS", "loss", "n"]
    return table(header, rows)


def _drift(q: SessionQuality) -> str:
    if not q.drift_checks:
        return "<p>No drift check was made.</p>"
    n = q.n_corrections
    return (
        drift_svg(q.drift_checks)
        + f"<p class='small'>{n} correction{'' if n == 1 else 's'} applied; raw gaze is unchanged.</p>"
    )


def _gaps(q: SessionQuality) -> str:
    if not q.gaps:
        return "<p>No gaps.</p>"
    return table(["cause", "number", "seconds"], [[cause, str(n), f"{seconds:.2f}"] for cause, n, seconds in q.gaps])


def _calibrations(q: SessionQuality) -> str:
    if not q.calibrations:
        return "<h2>Calibration</h2><p class='note'>No calibration was recorded in this session.</p>"
    rows = [
        [note.made_at, note.profile, str(note.n_points), note.eyes, note.override_reason or "—"]
        for note in q.calibrations
    ]
    return "<h2>Calibration</h2>" + table(["made at", "profile", "points", "eyes", "accepted against the rule"], rows)


def _loss(q: SessionQuality, warn: float, stop: float) -> str:
    if not q.images:
        return "<p>No image was shown.</p>"
    worst = sorted(q.images, key=lambda image: -max(image.loss_left, image.loss_right))[:8]
    rows = [
        [
            image.image_id,
            f"{image.seconds:.1f} s",
            f"{image.loss_left:.1%}",
            f"{image.loss_right:.1%}",
            f"{image.longest_gap_ms:.0f} ms",
            str(image.n_gaps),
        ]
        for image in worst
    ]
    listed = table(["image (worst first)", "shown", "loss left", "loss right", "longest gap", "gaps"], rows)
    return loss_svg(q.images, warn=warn, stop=stop) + listed


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def number(value: float, digits: int = 2) -> str:
    """A number, or a dash where it is not known."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "—"


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    listed = list(rows)
    if not listed:
        return "<p>Not recorded.</p>"
    body = "".join(f"<tr><th>{html.escape(str(a))}</th><td>{html.escape(str(b))}</td></tr>" for a, b in listed)
    return f"<table>{body}</table>"
