"""The report's pictures as SVG text: offsets on the screen, drift over time, loss per image."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from calibration.drift import PASS_DEG, RECALIBRATE_DEG
from calibration.report import ImageQuality
from domain.calibration import DriftCheck, Validation

LEFT_COLOUR, RIGHT_COLOUR, BOTH_COLOUR = "#0072B2", "#D55E00", "#333333"
"""Wong's palette (Nature Methods 8:441, 2011); the eyes also differ by shape."""
LABEL_PX = 96
"""Room on the right for what a limit means."""
INK, GRID = "#444444", "#dddddd"


def offsets_svg(
    validation: Validation,
    *,
    aspect: float = 16 / 9,
    degrees_across: float = 45.0,
    magnify: float = 3.0,
    width: int = 560,
) -> str:
    """The screen with every validation point, and per eye a line for its offset, drawn `magnify` times as long.

    degrees_across: the screen's width in degrees of visual angle.
    """
    height = round(width / aspect)
    px_per_deg = width / degrees_across * magnify
    parts = [f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" fill="none" stroke="{INK}"/>']
    for point in validation.points:
        x, y = point.target_norm[0] * width, point.target_norm[1] * height
        if point.eye == "binocular":
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="none" stroke="{INK}" stroke-width="1.5"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{px_per_deg:.1f}" fill="none" stroke="{GRID}"/>')
            continue
        colour = LEFT_COLOUR if point.eye == "left" else RIGHT_COLOUR
        if not point.has_data:
            below = 20 if point.eye == "left" else 33
            parts.append(text(x, y + below, f"no {point.eye} eye", size=10, colour=colour, anchor="middle"))
            continue
        ex, ey = x + point.offset_x_deg * px_per_deg, y + point.offset_y_deg * px_per_deg
        title = (
            f"{point.eye} eye: {point.offset_x_deg:+.2f}° / {point.offset_y_deg:+.2f}°, accuracy "
            f"{point.accuracy_mean_deg:.2f}°, SD {point.sd_deg:.2f}°, RMS {point.rms_s2s_deg:.2f}°, "
            f"loss {point.loss:.0%}"
        )
        shape = (
            f'<circle cx="{ex:.1f}" cy="{ey:.1f}" r="4" fill="{colour}"/>'
            if point.eye == "left"
            else f'<rect x="{ex - 3.5:.1f}" y="{ey - 3.5:.1f}" width="7" height="7" fill="{colour}"/>'
        )
        ends = f'x1="{x:.1f}" y1="{y:.1f}" x2="{ex:.1f}" y2="{ey:.1f}"'
        line = f'<line {ends} stroke="{colour}" stroke-width="2"/>'
        parts.append(f"<g><title>{html.escape(title)}</title>{line}{shape}</g>")
    parts.append(text(10, height - 10, f"grey ring: 1° · offsets drawn {magnify:g} times", size=11))
    parts.append(text(width - 84, height - 10, "● left eye", size=11, anchor="end", colour=LEFT_COLOUR))
    parts.append(text(width - 10, height - 10, "■ right eye", size=11, anchor="end", colour=RIGHT_COLOUR))
    return svg(parts, width, height)


def drift_svg(checks: Sequence[tuple[float, DriftCheck]], *, width: int = 560, height: int = 200) -> str:
    """Offset of each drift check over the session, minutes to the right, with the two limits."""
    left, bottom, top, right = 44, 30, 12, LABEL_PX
    known = [(minutes, check) for minutes, check in checks if math.isfinite(check.offset_deg)]
    y_max = max([2.4, *(check.offset_deg for _, check in known)]) * 1.05
    x_max = max([1.0, *(minutes for minutes, _ in checks)])

    def place(minutes: float, offset: float) -> tuple[float, float]:
        return (
            left + minutes / x_max * (width - left - right),
            height - bottom - offset / y_max * (height - top - bottom),
        )

    parts = _axes(width, height, left, bottom, top, right)
    for limit, words in ((PASS_DEG, "pass"), (RECALIBRATE_DEG, "calibrate again")):
        y = place(0, limit)[1]
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>')
        parts.append(text(left - 6, y + 4, f"{limit:g}°", anchor="end"))
        parts.append(text(width - right + 6, y + 4, words, size=10))
    line = " ".join("{:.1f},{:.1f}".format(*place(minutes, check.offset_deg)) for minutes, check in known)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{BOTH_COLOUR}"/>')
    for minutes, check in checks:
        x, y = place(minutes, check.offset_deg if math.isfinite(check.offset_deg) else 0.0)
        words = html.escape(f"{check.verdict.value}, {check.offset_deg:.2f}°")
        colour = LEFT_COLOUR if check.verdict.value == "pass" else RIGHT_COLOUR
        mark = (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
            if math.isfinite(check.offset_deg)
            else text(x, y - 4, "×", anchor="middle", size=14, colour=RIGHT_COLOUR)
        )
        parts.append(f"<g><title>{words}</title>{mark}</g>")
    parts.append(text(left, height - 8, "0"))
    parts.append(text(width - right, height - 8, f"{x_max:.0f} min", anchor="end"))
    return svg(parts, width, height)


def loss_svg(images: Sequence[ImageQuality], *, warn: float, stop: float, width: int = 1160, height: int = 200) -> str:
    """Loss per image in order of showing: a bar for each eye, with the limits that warn and that stop."""
    left, bottom, top, right = 44, 30, 12, LABEL_PX
    shown = [(image, value) for image in images for value in (image.loss_left, image.loss_right)]
    y_max = max([stop * 1.4, *(value for _, value in shown)]) * 1.05
    step = (width - left - right) / max(len(images), 1)
    parts = _axes(width, height, left, bottom, top, right)

    def y_of(value: float) -> float:
        return height - bottom - value / y_max * (height - top - bottom)

    for limit, words in ((warn, "warns"), (stop, "does not count")):
        y = y_of(limit)
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>')
        parts.append(text(left - 6, y + 4, f"{limit:.0%}", anchor="end"))
        parts.append(text(width - right + 6, y + 4, words, size=10))
    bar = max(min(step * 0.38, 22.0), 0.6)
    for index, image in enumerate(images):
        for side, (value, colour) in enumerate(((image.loss_left, LEFT_COLOUR), (image.loss_right, RIGHT_COLOUR))):
            x = left + (index + 0.5) * step + (side - 1) * bar
            y = y_of(value)
            words = html.escape(f"{image.image_id}: {('left', 'right')[side]} eye {value:.1%} lost")
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{bar:.1f}" height="{max(height - bottom - y, 0.5):.1f}" '
                f'fill="{colour}"><title>{words}</title></rect>'
            )
    parts.append(text(left, height - 8, "first image"))
    parts.append(text(width - right, height - 8, f"image {len(images)}", anchor="end"))
    return svg(parts, width, height)


def svg(parts: Sequence[str], width: int, height: int) -> str:
    """The parts as one picture that scales with the page."""
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'font-family="system-ui,sans-serif">{"".join(parts)}</svg>'
    )


def text(x: float, y: float, words: str, *, size: int = 12, anchor: str = "start", colour: str = INK) -> str:
    """A line of text."""
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {place}>{html.escape(words)}</text>"


def _axes(width: int, height: int, left: int, bottom: int, top: int, right: int) -> list[str]:
    return [
        f'<line x1="{left}" x2="{left}" y1="{top}" y2="{height - bottom}" stroke="{INK}"/>',
        f'<line x1="{left}" x2="{width - right}" y1="{height - bottom}" y2="{height - bottom}" stroke="{INK}"/>',
    ]
