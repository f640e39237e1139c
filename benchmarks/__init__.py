"""Programs that measure: each prints its figure, the target, and whether it was reached."""
