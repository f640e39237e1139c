import getpass
from pathlib import Path

from workflows.doctor import examine


def test_that_the_report_covers_every_topic_without_naming_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("SIGHTLINE_HOME", str(tmp_path))
    findings = examine()
    topics = {finding.topic for finding in findings}
    assert {"Sightline", "Python", "System", "Qt", "GPU", "Trackers", "Disk", "Libraries"} <= topics
    text = " ".join(f"{finding.text} {finding.hint}" for finding in findings)
    assert str(Path.home()) not in text
    assert str(tmp_path) not in text
    assert f"/{getpass.getuser()}/" not in text
