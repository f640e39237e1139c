"""The table of all actions: what one can do where, and the keys Sightline comes with."""

from __future__ import annotations

from app.actions import EVERYWHERE, Action

ANNOTATE = "annotate"
CORRECT = "correct"
WORKLIST = "worklist"
REVIEW = "review"
VIEW = "view"
TRACKER = "tracker"
CALIBRATE = "calibrate"
CONTEXTS = {
    EVERYWHERE: "Everywhere",
    WORKLIST: "Worklist",
    ANNOTATE: "Annotate",
    CORRECT: "Correct",
    VIEW: "Image",
    REVIEW: "Review",
    TRACKER: "Tracker",
    CALIBRATE: "Calibrate",
}

_GENERAL = (
    Action("help.keys", "Show all keys", ("F1", "?"), icon="keys"),
    Action("app.full_screen", "Full screen", ("F11",)),
    Action("app.switch_user", "Switch user", ("Ctrl+Shift+U",), icon="user"),
    Action("app.quit", "Quit", ("Ctrl+Q",)),
    Action("go.welcome", "Go to Welcome", ("Ctrl+1",)),
    Action("go.worklist", "Go to Worklist", ("Ctrl+2",)),
    Action("go.tracker", "Go to Tracker", ("Ctrl+3",)),
    Action("go.annotate", "Go to Annotate", ("Ctrl+4",)),
    Action("go.correct", "Go to Correct", ("Ctrl+5",)),
    Action("go.labels", "Go to Labels", ("Ctrl+6",)),
    Action("go.review", "Go to Review", ("Ctrl+7",)),
    Action("go.train", "Go to Train", ("Ctrl+8",)),
    Action("go.export", "Go to Export", ("Ctrl+9",)),
    Action("go.predict", "Go to Predict", ("Ctrl+0",)),
    Action("go.settings", "Go to Settings", ("Ctrl+,",)),
)

_WORKLIST = (
    Action("worklist.continue", "Continue with the next unfinished image", ("Ctrl+Return", "C"), WORKLIST, "play"),
    Action("worklist.open", "Open the chosen image", ("Return",), WORKLIST),
    Action("worklist.search", "Search", ("Ctrl+F", "/"), WORKLIST, "search"),
    Action("worklist.order", "Random order, or most doubtful first", ("Ctrl+D",), WORKLIST),
    Action("worklist.toggle_grid", "Table or grid", ("Ctrl+G",), WORKLIST, "grid"),
)

_ANNOTATE = (
    Action("annotate.go_on", "Start; finish looking; accept and go on", ("Return", "Enter"), ANNOTATE, "check"),
    Action("annotate.again", "Look again", ("Backspace",), ANNOTATE, "repeat"),
    Action("annotate.no_target", "No target in this image", ("N",), ANNOTATE, "none"),
    Action("annotate.skip", "Skip with a reason", ("S",), ANNOTATE, "skip"),
    Action("annotate.flag", "Flag for a second look", ("F",), ANNOTATE, "flag"),
    Action("annotate.correct", "Correct the mask by hand", ("E",), ANNOTATE, "pencil"),
    Action("annotate.undo", "Undo the last decision", ("Ctrl+Z",), ANNOTATE, "undo"),
    Action("annotate.pause", "Pause", ("Ctrl+P",), ANNOTATE, "pause"),
    Action("annotate.drift", "Drift check", ("T",), ANNOTATE, "target"),
    Action("annotate.drift_five", "Drift check with five dots", ("Shift+T",), ANNOTATE, "target"),
    Action("annotate.undo_drift", "Undo the drift correction", ("Ctrl+U",), ANNOTATE, "undo"),
    Action("annotate.leave", "Stop and go back to the worklist", ("Escape",), ANNOTATE, "close"),
    Action("annotate.clutch", "Record gaze (clutch mode)", ("Space",), ANNOTATE, "eye", is_held=True),
)

_CORRECT = (
    Action("correct.brush", "Brush", ("B",), CORRECT, "brush"),
    Action("correct.eraser", "Eraser", ("R",), CORRECT, "eraser"),
    Action("correct.polygon", "Polygon", ("P",), CORRECT, "polygon"),
    Action("correct.smart_fill", "Smart fill", ("W",), CORRECT, "wand"),
    Action("correct.fill_holes", "Fill holes", ("Shift+F",), CORRECT, "fill"),
    Action("correct.smaller", "Smaller brush", ("[",), CORRECT, may_repeat=True),
    Action("correct.larger", "Larger brush", ("]",), CORRECT, may_repeat=True),
    Action("correct.close_polygon", "Close the polygon", ("Return", "Enter"), CORRECT, "check"),
    Action("correct.drop_polygon", "Drop the polygon", ("Escape",), CORRECT),
    Action("correct.undo", "Undo", ("Ctrl+Z",), CORRECT, "undo"),
    Action("correct.redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), CORRECT, "redo"),
    Action("correct.accept", "Accept this mask, next image", ("Ctrl+Return",), CORRECT, "check"),
    Action("correct.no_target", "No target in this image", ("N",), CORRECT, "none"),
    Action("correct.next", "Next image", ("PgDown",), CORRECT, "right", may_repeat=True),
    Action("correct.previous", "Previous image", ("PgUp",), CORRECT, "left", may_repeat=True),
    Action("correct.level_up", "Next level", (".",), CORRECT, may_repeat=True),
    Action("correct.level_down", "Previous level", (",",), CORRECT, may_repeat=True),
)

_VIEW = (
    Action("view.zoom_in", "Zoom in", ("+", "="), VIEW, may_repeat=True),
    Action("view.zoom_out", "Zoom out", ("-",), VIEW, may_repeat=True),
    Action("view.fit", "Fit the image", ("0",), VIEW),
    Action("view.flip_x", "Flip left and right", ("H",), VIEW),
    Action("view.flip_y", "Flip top and bottom", ("V",), VIEW),
    Action("view.invert", "Invert greys", ("I",), VIEW),
    Action("view.next_slice", "Next slice", ("Down",), VIEW, may_repeat=True),
    Action("view.previous_slice", "Previous slice", ("Up",), VIEW, may_repeat=True),
    Action("view.window_reset", "Window and level as in the file", ("Alt+0",), VIEW),
    Action("view.window_1", "Soft tissue window 400 / 40", ("Alt+1",), VIEW),
    Action("view.window_2", "Lung window 1500 / −600", ("Alt+2",), VIEW),
    Action("view.window_3", "Liver window 150 / 90", ("Alt+3",), VIEW),
    Action("view.window_4", "Bone window 2500 / 480", ("Alt+4",), VIEW),
    Action("view.window_5", "Brain window 80 / 40", ("Alt+5",), VIEW),
    Action("view.overlay", "Overlays on or off", ("O",), VIEW, "layers"),
    Action("view.more_opaque", "More opaque overlay", ("Shift+]", "}"), VIEW, may_repeat=True),
    Action("view.less_opaque", "Less opaque overlay", ("Shift+[", "{"), VIEW, may_repeat=True),
    Action("view.peek", "See the image without overlay", ("Tab",), VIEW, "eye", is_held=True),
)

_REVIEW = (
    Action("review.accept", "Accept", ("A",), REVIEW, "check"),
    Action("review.return", "Return with a reason", ("R",), REVIEW, "undo"),
    Action("review.flag", "Flag", ("F",), REVIEW, "flag"),
    Action("review.undo", "Undo the last decision", ("U", "Ctrl+Z"), REVIEW, "undo"),
    Action("review.flicker", "Flicker between masks", ("Space",), REVIEW, "eye"),
    Action("review.next", "Next case", ("PgDown", "Right"), REVIEW, "right", may_repeat=True),
    Action("review.previous", "Previous case", ("PgUp", "Left"), REVIEW, "left", may_repeat=True),
    Action("review.comment", "Comment", ("C",), REVIEW),
    Action("review.easy", "Difficulty: easy", ("1",), REVIEW),
    Action("review.medium", "Difficulty: medium", ("2",), REVIEW),
    Action("review.hard", "Difficulty: hard", ("3",), REVIEW),
    Action("review.mode", "Overlay, side by side, one at a time", ("M",), REVIEW, "layers"),
    Action("review.blind", "Hide or show names", ("B",), REVIEW),
    Action("review.edit", "Edit the mask as a new version", ("E",), REVIEW, "pencil"),
    Action("review.older", "Older version of the mask", ("[",), REVIEW, "left"),
    Action("review.newer", "Newer version of the mask", ("]",), REVIEW, "right"),
    Action("review.restore", "Restore the version that is shown", ("Shift+R",), REVIEW, "repeat"),
    Action("review.consensus", "Consensus: majority, STAPLE, none", ("K",), REVIEW, "agreement"),
    Action("review.store", "Store the consensus that is shown", ("Return", "Enter"), REVIEW, "check"),
)

_TRACKER = (
    Action("tracker.connect", "Connect the tracker", ("Ctrl+Return",), TRACKER, "tracker"),
    Action("tracker.calibrate", "Calibrate", ("Ctrl+R",), TRACKER, "target"),
    Action("tracker.validate", "Validate", ("Ctrl+T",), TRACKER, "check"),
    Action("tracker.drift", "Drift check", ("Ctrl+D",), TRACKER, "eye"),
    Action("tracker.drift_five", "Drift check with five dots", ("Ctrl+Shift+D",), TRACKER, "eye"),
    Action("tracker.undo_drift", "Undo the drift correction", ("Ctrl+U",), TRACKER, "undo"),
)

_CALIBRATE = (
    Action("calibrate.accept", "Accept, or go on", ("Return", "Enter"), CALIBRATE, "check"),
    Action("calibrate.look", "I look at it", ("Space",), CALIBRATE, "eye"),
    Action("calibrate.skip", "Skip this point", ("S",), CALIBRATE, "skip"),
    Action("calibrate.next_point", "Choose the next point", ("N", "Right"), CALIBRATE, "right", may_repeat=True),
    Action("calibrate.previous_point", "Choose the previous point", ("P", "Left"), CALIBRATE, "left", may_repeat=True),
    Action("calibrate.redo_point", "Repeat the chosen point", ("R",), CALIBRATE, "repeat"),
    Action("calibrate.redo_all", "Repeat all points", ("Shift+R",), CALIBRATE, "repeat"),
    Action("calibrate.validate", "Validate again", ("V",), CALIBRATE, "target"),
    Action("calibrate.attempt", "Show the next attempt", ("T",), CALIBRATE, "layers"),
    Action("calibrate.cancel", "Stop, keep the calibration of before", ("Escape",), CALIBRATE, "close"),
)

ACTIONS: tuple[Action, ...] = _GENERAL + _WORKLIST + _ANNOTATE + _CORRECT + _VIEW + _REVIEW + _TRACKER + _CALIBRATE
