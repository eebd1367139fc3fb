"""What tags say, and what config/support.yaml may say."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.support import support_table
from config.versions import version_of

# Tag -> its version and its line.
VERSIONS = {
    "v3.13.5": ("3.13.5", "3.13"),
    "15.14": ("15.14", "15"),
    "v1.86.0-alpine": ("1.86.0", "1.86"),
    "12.1.10-security-01": ("12.1.10-security-01", "12.1"),
}


@pytest.mark.parametrize(("tag", "text", "line"), [(tag, *said) for tag, said in VERSIONS.items()])
def test_a_tag_says_its_version_and_its_line(tag: str, text: str, line: str) -> None:
    version = version_of(tag)
    assert version
    assert (str(version), version.line) == (text, line)


@pytest.mark.parametrize("tag", ["", "latest", "main", "3", "sha-0123456", "v3"])
def test_a_tag_may_say_no_version(tag: str) -> None:
    assert version_of(tag) is None


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"lines": {3.13: date(2027, 7, 31)}}, "write it in quotes"),
        ({"lines": {"3.13": "soon"}}, "lines.3.13"),
        ({}, "either lines or newest"),
        ({"newest": 1, "lines": {"3.13": date(2027, 7, 31)}}, "either lines or newest"),
        ({"newest": 1, "source": "hearsay"}, "source"),
    ],
)
def test_a_wrong_entry_of_the_table_is_named(entry: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "support.yaml"
    entry = {"source": "https://example.org", "read": date(2026, 11, 24), **entry}
    file.write_text(yaml.safe_dump({"prometheus": entry}))
    with pytest.raises(ValueError, match=f"support.yaml: prometheus: .*{complaint}"):
        support_table(file)
