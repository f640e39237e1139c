"""The pieces of a self-contained HTML report: pictures inside the page, tables, curves as SVG."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

ORANGE, SKY, GREEN, VERMILION = "#E69F00", "#56B4E9", "#009E73", "#D55E00"
"""Wong's colour-blind-safe palette (Nature Methods 8:441, 2011)."""
COLOURS = (ORANGE, SKY, GREEN, VERMILION)
JPEG_QUALITY = 88
FEW_POINTS = 20

STYLE = """
body{background:#14171c;color:#e8edf4;font:15px/1.55 system-ui,sans-serif;margin:0 auto;max-width:1180px;padding:32px}
h1{font-size:28px;margin:0 0 4px}h2{font-size:20px;margin:40px 0 12px}p{max-width:75ch;color:#c3cddb}
.note{background:#2a2416;border-left:4px solid #E69F00;padding:10px 16px;border-radius:4px;color:#f3e5c3}
table{border-collapse:collapse;margin:8px 0 16px}td,th{padding:6px 18px 6px 0;text-align:left;
border-bottom:1px solid #2b3340}th{color:#9fb0c6;font-weight:600}td.number{text-align:right;
font-variant-numeric:tabular-nums}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:16px}.wide{grid-template-columns:1fr}
figure{margin:0}img{width:100%;border-radius:6px;display:block}figcaption{color:#9fb0c6;font-size:13px;padding-top:6px}
svg{background:#1a1f27;border-radius:6px;max-width:100%}code{background:#1f2530;padding:2px 6px;border-radius:4px}
"""


@dataclass
class ReportPage:
    """A page that grows from top to bottom and is rendered once."""

    title: str
    _parts: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """A section begins."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def paragraph(self, text: str) -> None:
        """A paragraph of plain text."""
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def note(self, text: str) -> None:
        """Something that must not be overlooked."""
        self._parts.append(f'<p class="note">{html.escape(text)}</p>')

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str | float]]) -> None:
        """A table; numbers are right-aligned with three decimals."""
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
        body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
        self._parts.append(f"<table><tr>{head}</tr>{body}</table>")

    def pictures(self, captioned: Sequence[tuple[NDArray[np.uint8], str]], *, wide: bool = False) -> None:
        """RGB pictures (H, W, 3) uint8 with a caption each, in a grid or one below the other."""
        figures = "".join(
            f'<figure><img alt="{html.escape(caption)}" src="data:image/jpeg;base64,{_jpeg(picture)}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
            for picture, caption in captioned
        )
        self._parts.append(f'<div class="pictures{" wide" if wide else ""}">{figures}</div>')

    def curves(self, series: dict[str, tuple[Sequence[float], Sequence[float]]], *, x_label: str, y_label: str) -> None:
        """Lines (name: x values, y values) in one diagram."""
        self._parts.append(curves_svg(series, x_label=x_label, y_label=y_label))

    def render(self) -> str:
        """The whole page."""
        title = html.escape(self.title)
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f"<style>{STYLE}</style></head><body><h1>{title}</h1>{''.join(self._parts)}</body></html>\n"
        )


def curves_svg(series: dict[str, tuple[Sequence[float], Sequence[float]]], *, x_label: str, y_label: str) -> str:
    """Lines as an SVG of 720 x 300 with axes, ticks and a legend."""
    width, height, left, right, top, bottom = 720, 300, 60, 16, 28, 46
    xs = [x for x_values, _ in series.values() for x in x_values]
    ys = [y for _, y_values in series.values() for y in y_values]
    if not xs:
        return "<p>No values were recorded.</p>"
    x_low, x_span = min(xs), (max(xs) - min(xs)) or 1.0
    y_low, y_span = min([0.0, *ys]), (max(ys) - min([0.0, *ys])) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        across = left + (x - x_low) / x_span * (width - left - right)
        return across, height - bottom - (y - y_low) / y_span * (height - top - bottom)

    parts = []
    for step in range(5):
        y_value, x_value = y_low + y_span * step / 4, x_low + x_span * step / 4
        _, y_px = place(x_low, y_value)
        x_px, _ = place(x_value, y_low)
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y_px:.1f}" y2="{y_px:.1f}" stroke="#2b3340"/>')
        parts.append(_text(left - 8, y_px + 4, f"{y_value:.2f}", "end"))
        parts.append(_text(x_px, height - bottom + 18, f"{x_value:g}", "middle"))
    for number, (name, (x_values, y_values)) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in zip(x_values, y_values, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(x_values) <= FEW_POINTS:
            for x, y in zip(x_values, y_values, strict=True):
                x_px, y_px = place(x, y)
                parts.append(f'<circle cx="{x_px:.1f}" cy="{y_px:.1f}" r="4" fill="{colour}"/>')
        parts.append(_text(left + 80 + 150 * number, top - 6, f"— {name}", "start", colour))
    parts.append(_text((left + width) / 2, height - 8, x_label, "middle"))
    parts.append(_text(8, top - 6, y_label, "start"))
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" font-family="sans-serif">{"".join(parts)}</svg>'


def blend(image: NDArray[np.uint8], weight: NDArray[np.floating], *, opacity: float = 0.75) -> NDArray[np.uint8]:
    """The RGB image, darkened, with a map (H, W) in 0-1 laid over it in a perceptually even colour map."""
    values = np.clip(np.asarray(weight, np.float64), 0, 1)
    colours = cv2.applyColorMap((values * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1]
    alpha = opacity * np.sqrt(values)[..., None]
    return np.asarray(image * (1 - alpha) + colours * alpha, np.uint8)


def outline(image: NDArray[np.uint8], mask: NDArray[np.bool_], colour: str) -> NDArray[np.uint8]:
    """The RGB image with the border of a mask drawn on it, as wide as it must be to be seen."""
    rgb = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(image.copy(), contours, -1, rgb, max(2, image.shape[1] // 250)), np.uint8)


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f"<td>{html.escape(value)}</td>"
    text = str(value) if isinstance(value, int) else f"{value:.3f}"
    return f'<td class="number">{text}</td>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#9fb0c6") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="12" fill="{colour}">{html.escape(text)}</text>'


def _jpeg(picture: NDArray[np.uint8]) -> str:
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be encoded")
    return base64.b64encode(data.tobytes()).decode()
