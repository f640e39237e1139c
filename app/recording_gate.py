"""No recording starts by accident with a tracker that is not calibrated well: a person must say why."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QDialog, QLineEdit, QVBoxLayout, QWidget

from app.context import Services
from app.texts import tr
from app.widgets.plain import button, label, row
from domain.display import Display
from workflows.calibration_target import HostTarget
from workflows.set_up_tracker import recording_objections


def objections_to_recording(services: Services, display: Display) -> tuple[str, ...]:
    """What speaks against recording on this screen now; none for simulated trackers."""
    choice, host = services.tracker, services.host
    if choice.is_simulated or choice.name == "mouse":
        return ()
    if host is None:
        return () if choice.calibration is not None else (tr("The tracker is not connected and not calibrated."),)
    now = HostTarget(host).surroundings(services.annotator, distance_mm=display.distance_mm)
    now = replace(
        now,
        screen_name=display.name,
        screen_serial=display.serial,
        screen_px=display.size_px,
        screen_scale=display.scale,
        screen_mm=display.size_mm,
    )
    return recording_objections(host.info, choice.calibration, now)


class RecordingGate(QDialog):
    """Lists what speaks against recording; "record all the same" needs a reason."""

    def __init__(self, objections: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Not calibrated well enough"))
        self.setMinimumWidth(520)
        self.wants_calibration = False
        self.reason = QLineEdit()
        self.reason.setPlaceholderText(tr("Reason for recording all the same (is stored with the session)"))
        self.reason.setMaxLength(200)
        self.record_button = button(tr("Record all the same"), self.accept)
        self.record_button.setEnabled(False)
        self.reason.textChanged.connect(lambda text: self.record_button.setEnabled(bool(text.strip())))
        calibrate = button(tr("Go and calibrate"), self._on_calibrate, role="primary", icon_name="target")
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 20)
        column.setSpacing(12)
        column.addWidget(label(tr("Not calibrated well enough"), "heading"))
        for words in objections:
            column.addWidget(label(words, wraps=True))
        column.addWidget(self.reason)
        column.addLayout(row(calibrate, None, self.record_button, button(tr("Cancel"), self.reject, role="quiet")))
        calibrate.setFocus()

    def _on_calibrate(self) -> None:
        self.wants_calibration = True
        self.reject()


def ask_to_record(parent: QWidget, services: Services, display: Display) -> dict[str, str] | None:
    """What the session should keep of the decision (empty when nothing speaks against it), or None for no."""
    objections = objections_to_recording(services, display)
    if not objections:
        return {}
    gate = RecordingGate(objections, parent)
    if gate.exec() == QDialog.DialogCode.Accepted:
        return {"calibration_override": gate.reason.text().strip(), "calibration_objections": " ".join(objections)}
    if gate.wants_calibration:
        services.navigate("tracker")
    return None
