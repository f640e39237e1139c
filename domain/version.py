"""The one place that knows Sightline's version."""

VERSION = "0.1.0"
