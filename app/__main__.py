"""`python -m app [STUDY]` opens the application."""

from __future__ import annotations

import sys

from app.entry import run

sys.exit(run())
