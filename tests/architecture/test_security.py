"""Rules that keep files from outside from doing harm; each rule is also shown to notice a violation."""

from __future__ import annotations

import ast
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("acquisition", "calibration", "processing", "training")
PACKAGES = ("app", "workflows", *ROOMS, "storage", "domain", "resources")

FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib", "xml", "yaml"}
"""They run code from a file, or expand without bound (XML); none of our formats needs them."""

FORBIDDEN_CALLS = {"eval", "exec", "os.system", "os.popen", "torch.hub.load", "torch.jit.load", "tarfile.open"}


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def violations(text: str) -> Iterator[str]:
    # The error that a refused pickle raises has to be caught by its name.
    used = set(re.findall(r"\bpickle\.(\w+)", text))
    forbidden = FORBIDDEN_IMPORTS - ({"pickle"} if used and used <= {"UnpicklingError"} else set())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").split(".")[0]]
        else:
            names = []
        yield from (f"line {node.lineno}: import {name}" for name in names if name in forbidden)
        if not isinstance(node, ast.Call):
            continue
        name, keywords = dotted(node.func), {k.arg: k.value for k in node.keywords}
        if name in FORBIDDEN_CALLS:
            yield f"line {node.lineno}: {name}"
        if name == "torch.load" and not is_true(keywords.get("weights_only")):
            yield f"line {node.lineno}: torch.load without weights_only=True"
        if name.endswith(".load") and is_true(keywords.get("allow_pickle")):
            yield f"line {node.lineno}: allow_pickle"
        if is_true(keywords.get("shell")):
            yield f"line {node.lineno}: shell=True"
        if name.endswith((".extractall", ".extract")):
            yield f"line {node.lineno}: {name} writes where the archive says"
        # Names of tables and pragmas may be put together; values may not. The few places are named below.
        if name.endswith(("text", "exec_driver_sql", "executescript")) and node.args:
            first = node.args[0]
            is_built = isinstance(first, (ast.JoinedStr, ast.BinOp)) or (
                isinstance(first, ast.Call) and dotted(first.func).endswith(".format")
            )
            is_sql = (name == "text" and "sqlalchemy" in text) or not name.endswith("text")
            if is_built and is_sql:
                yield f"line {node.lineno}: SQL put together from text"


def is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


REVIEWED = {
    "storage/catalog_move.py": "SQL put together from text",  # names of our own tables, for PostgreSQL's counters
}


def test_that_no_code_of_ours_breaks_the_rules():
    found = [
        f"{path.relative_to(ROOT)}, {problem}"
        for path in sources()
        for problem in violations(path.read_text(encoding="utf-8"))
        if REVIEWED.get(path.relative_to(ROOT).as_posix()) != problem.split(": ")[1]
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from xml.etree import ElementTree",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "subprocess.run(line, shell=True)",
        "zipfile.ZipFile(path).extractall(folder)",
        "from sqlalchemy import text; connection.execute(text(f'SELECT * FROM images WHERE image_id = {name}'))",
        "connection.exec_driver_sql('SELECT ' + name)",
    ],
)
def test_that_a_planted_violation_is_noticed(line: str):
    assert list(violations(line))


def test_that_sqlalchemy_gets_no_put_together_text_but_pragmas():
    # Pragmas take no bound parameters; their words are constants of ours.
    formatted = re.compile(r"execute\(\s*f[\"']")
    places = {
        f"{path.relative_to(ROOT).as_posix()}: {line.strip()}"
        for path in sources()
        for line in path.read_text(encoding="utf-8").splitlines()
        if formatted.search(line) and "PRAGMA" not in line
    }
    assert places == set()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="pyproject.toml is read with tomllib, which 3.10 lacks")
def test_that_no_dependency_is_gpl_and_all_are_listed():
    script = runpy.run_path(str(ROOT / "packaging" / "write_licences.py"))
    used = script["closure"](script["declared"]())
    refused = {name: text for name in used if (text := script["licence"](name)) and script["is_refused"](text)}
    assert refused == {}
    listed = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    missing = [name for name in script["declared"]() if f"| {name} |" not in listed]
    assert missing == [], "run python packaging/write_licences.py"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="pyproject.toml is read with tomllib, which 3.10 lacks")
@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("GPL-3.0-only", True),
        ("GNU Affero General Public License v3", True),
        ("AGPL-3.0-or-later", True),
        ("GNU General Public License v2 (GPLv2)", True),
        ("LGPL-3.0-only", False),
        ("LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only", False),
        ("GNU Lesser General Public License v3", False),
        ("MIT", False),
    ],
)
def test_that_licences_are_told_apart(text: str, refused: bool):
    script = runpy.run_path(str(ROOT / "packaging" / "write_licences.py"))
    assert script["is_refused"](text) is refused


def test_that_the_pinned_packages_have_no_known_defect():
    if find_spec("pip_audit") is None:
        pytest.skip("pip-audit is not installed: pip install pip-audit")
    command = [sys.executable, "-m", "pip_audit", "-r", str(ROOT / "constraints.txt"), "--no-deps", "--disable-pip"]
    done = subprocess.run([*command, "-f", "json"], capture_output=True, text=True, timeout=120)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        pytest.skip(f"the service of pip-audit cannot be reached: {done.stderr.strip()[-120:]}")
    examined = [one for one in found if "skip_reason" not in one]
    if not examined:
        pytest.skip("the service of pip-audit cannot be reached: it examined no package")
    assert {one["name"]: one["vulns"] for one in examined if one.get("vulns")} == {}
