"""One file per version of the study catalog: `to_<n>.py` with `info` and `migrate(connection)`."""
