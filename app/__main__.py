"""`python -m app` is the same as `sightline`: the application, or one of its commands."""

from __future__ import annotations

from app.launch import main

main()
