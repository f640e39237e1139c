"""The dark reading-room look: colours, one style sheet, icons and status marks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from PySide6.QtCore import QByteArray, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPainterPath, QPalette, QPen, QPixmap, QPolygonF
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from domain.study import TrialStatus


@dataclass(frozen=True)
class Colours:
    """Colours of the chrome; colours of data (overlays) are never themed and live with the data."""

    ground: str = "#0F1215"
    panel: str = "#15191E"
    raised: str = "#1D232A"
    hover: str = "#27303A"
    line: str = "#2B333D"
    text: str = "#DCE2E9"
    muted: str = "#9AA6B3"
    accent: str = "#56B4E9"
    on_accent: str = "#08131B"
    good: str = "#3CC59B"
    warn: str = "#E9A93A"
    bad: str = "#F28A5B"


COLOURS = Colours()

# Wong 2011 (Nature Methods 8:441), the darker ones lifted to read at 4.5:1 on the panel.
STATUS_COLOURS: dict[TrialStatus, str] = {
    TrialStatus.NEW: "#9AA6B3",
    TrialStatus.IN_PROGRESS: "#56B4E9",
    TrialStatus.DONE: "#F0E442",
    TrialStatus.FLAGGED: "#E69F00",
    TrialStatus.SKIPPED: "#CC79A7",
    TrialStatus.ACCEPTED: "#3CC59B",
    TrialStatus.RETURNED: "#F28A5B",
}


def luminance(colour: str) -> float:
    """Relative luminance of a colour, 0-1. Source: WCAG 2.1, definition of relative luminance."""

    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.03928 else float(((channel + 0.055) / 1.055) ** 2.4)

    rgb = QColor(colour)
    return 0.2126 * linear(rgb.redF()) + 0.7152 * linear(rgb.greenF()) + 0.0722 * linear(rgb.blueF())


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1-21. Source: WCAG 2.1, definition of contrast ratio."""
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def apply_theme(app: QApplication, text_scale: float = 1.0) -> None:
    """Give the whole application the dark look, before its first window, so that no frame is ever bright."""
    app.setStyle("Fusion")
    font = QFont()
    font.setFamilies(["Inter", "Segoe UI", "SF Pro Text", "Noto Sans", "DejaVu Sans", "Sans Serif"])
    font.setPixelSize(round(14 * text_scale))
    app.setFont(font)
    app.setPalette(_palette())
    sheet = (resources.files("resources") / "styles" / "dark.qss").read_text(encoding="utf-8")
    for name, value in vars(COLOURS).items():
        sheet = sheet.replace(f"@{name};", f"{value};").replace(f"@{name} ", f"{value} ")
    icons = Path(str(resources.files("resources") / "icons"))
    sheet = sheet.replace("@icons", icons.as_posix())
    app.setStyleSheet(_with_scaled_text(sheet, text_scale))


def _with_scaled_text(sheet: str, text_scale: float) -> str:
    lines = []
    for line in sheet.splitlines():
        name, colon, value = line.partition("font-size:")
        if colon:
            line = f"{name}font-size: {round(int(value.strip().removesuffix('px;')) * text_scale)}px;"
        lines.append(line)
    return "\n".join(lines)


def _palette() -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for which, colour in {
        role.Window: COLOURS.ground,
        role.Base: COLOURS.panel,
        role.AlternateBase: COLOURS.raised,
        role.Button: COLOURS.raised,
        role.WindowText: COLOURS.text,
        role.Text: COLOURS.text,
        role.ButtonText: COLOURS.text,
        role.BrightText: COLOURS.text,
        role.ToolTipBase: COLOURS.raised,
        role.ToolTipText: COLOURS.text,
        role.PlaceholderText: COLOURS.muted,
        role.Highlight: COLOURS.accent,
        role.HighlightedText: COLOURS.on_accent,
        role.Link: COLOURS.accent,
        role.Mid: COLOURS.line,
        role.Dark: COLOURS.ground,
        role.Shadow: "#000000",
        role.Light: COLOURS.hover,
        role.Midlight: COLOURS.hover,
    }.items():
        palette.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor("#66717D"))
    return palette


@lru_cache(maxsize=512)
def icon(name: str, colour: str = COLOURS.text, size: int = 48) -> QIcon:
    """An icon of `resources/icons`, drawn in one colour."""
    return QIcon(icon_pixmap(name, colour, size))


@lru_cache(maxsize=512)
def icon_pixmap(name: str, colour: str = COLOURS.text, size: int = 48) -> QPixmap:
    """The icon as a square picture of `size` pixels."""
    svg = (resources.files("resources") / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    renderer = QSvgRenderer(QByteArray(svg.replace("currentColor", colour).encode()))
    pixmap = QPixmap(QSize(size, size))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.render(painter)
    painter.end()
    return pixmap


def paint_status(painter: QPainter, status: TrialStatus, box: QRectF) -> None:
    """Draw the mark of a status: each has its own shape besides its colour."""
    colour = QColor(STATUS_COLOURS[status])
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(colour, max(1.4, box.width() / 8), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    x, y, w, h = box.x(), box.y(), box.width(), box.height()
    inner = box.adjusted(w * 0.12, h * 0.12, -w * 0.12, -h * 0.12)
    if status is TrialStatus.NEW:
        painter.drawEllipse(inner)
    elif status is TrialStatus.IN_PROGRESS:
        painter.setPen(QPen(colour, max(1.0, box.width() / 16)))
        painter.drawEllipse(inner)
        painter.setBrush(colour)
        painter.drawPie(inner, 90 * 16, -180 * 16)
    elif status is TrialStatus.DONE:
        painter.setBrush(colour)
        painter.drawEllipse(inner)
    elif status is TrialStatus.FLAGGED:
        painter.drawLine(QPointF(x + w * 0.25, y + h * 0.1), QPointF(x + w * 0.25, y + h * 0.95))
        painter.setBrush(colour)
        flag = [QPointF(x + w * a, y + h * b) for a, b in ((0.25, 0.12), (0.9, 0.34), (0.25, 0.56))]
        painter.drawPolygon(QPolygonF(flag))
    elif status is TrialStatus.SKIPPED:
        painter.drawLine(QPointF(x + w * 0.15, y + h * 0.5), QPointF(x + w * 0.85, y + h * 0.5))
    elif status is TrialStatus.ACCEPTED:
        path = QPainterPath(QPointF(x + w * 0.12, y + h * 0.55))
        path.lineTo(x + w * 0.4, y + h * 0.82)
        path.lineTo(x + w * 0.9, y + h * 0.2)
        painter.drawPath(path)
    else:
        path = QPainterPath(QPointF(x + w * 0.4, y + h * 0.15))
        path.lineTo(x + w * 0.12, y + h * 0.4)
        path.lineTo(x + w * 0.4, y + h * 0.65)
        painter.drawPath(path)
        painter.drawLine(QPointF(x + w * 0.15, y + h * 0.4), QPointF(x + w * 0.88, y + h * 0.4))
        painter.drawLine(QPointF(x + w * 0.88, y + h * 0.4), QPointF(x + w * 0.88, y + h * 0.85))
    painter.restore()


@lru_cache(maxsize=64)
def status_pixmap(status: TrialStatus, size: int = 14) -> QPixmap:
    """The mark of a status as a small picture."""
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint_status(painter, status, QRectF(0, 0, size, size))
    painter.end()
    return pixmap


def status_icon(status: TrialStatus, size: int = 14) -> QIcon:
    """The mark as an icon that keeps its colour when its row is chosen."""
    made = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected, QIcon.Mode.Active):
        made.addPixmap(status_pixmap(status, size), mode)
    return made
