"""The pages are in step with the program: commands, keys, links, and what the extension pages show."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


@pytest.mark.parametrize("name", ["command_line", "keys"])
def test_that_a_page_made_from_the_program_is_up_to_date(name: str):
    script = runpy.run_path(str(ROOT / "packaging" / f"write_{name}.py"))
    assert script["PAGE"].read_text(encoding="utf-8") == script["page"](), f"run python packaging/write_{name}.py"


def test_that_every_link_of_the_pages_leads_somewhere():
    dead = []
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []


def test_that_the_files_shown_on_the_pages_are_there():
    shown = re.compile(r'^--8<-- "(.+)"$', re.MULTILINE)
    names = {name for page in DOCS.rglob("*.md") for name in shown.findall(page.read_text(encoding="utf-8"))}
    assert len(names) >= 14
    assert [name for name in names if not (ROOT / name).is_file()] == []


def test_that_the_pages_build_without_a_warning(tmp_path: Path):
    if find_spec("mkdocs") is None or find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: pip install mkdocs-material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "site" / "index.html").is_file()
    # Nothing is fetched from elsewhere when a page is read.
    page = (tmp_path / "site" / "extend" / "tracker.html").read_text(encoding="utf-8")
    assert "SAMPLE_RECORD" in page
    assert not re.findall(
        r'<(?:script|link|img)[^>]+(?:src|href)="https?://(?!squidfunk|example)[^"]+\.(?:js|css|woff2?)"', page
    )
