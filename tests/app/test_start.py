"""What the application does not do when it starts."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from app.entry import main_window
from workflows.user_settings import UserSettings
window = main_window(UserSettings())
window.show()
heavy = {"torch", "torchvision", "segmentation_models_pytorch", "pyqtgraph", "numba", "skimage"}
window.close()
print(",".join(sorted(heavy & set(sys.modules))))
"""


def test_that_torch_and_other_heavy_libraries_are_not_imported_at_the_start(virtual_screen: str, tmp_path: Path):
    environment = {**os.environ, "SIGHTLINE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.strip() == ""
