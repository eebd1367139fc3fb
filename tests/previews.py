"""Comments as they are stored beside the tests, to be read by somebody who has to decide."""

import os
import re
from pathlib import Path


def assert_stored(where: str, name: str, comment: str) -> None:
    """Fail where `comment` is not the one stored as tests/<where>/previews/<name>.md.

    With MONITORING_WRITE_PREVIEWS=1 it is stored instead.
    """
    # Where in its file a change is moves with every other change of that file.
    comment = re.sub(r"^@@ .+ @@$", "@@ … @@", comment, flags=re.MULTILINE)
    file = Path(__file__).parent / where / "previews" / f"{name}.md"
    if os.environ.get("MONITORING_WRITE_PREVIEWS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(comment)
    assert file.exists(), f"{file} is not there; MONITORING_WRITE_PREVIEWS=1 writes it"
    assert comment == file.read_text(), f"{file.name}: if that is right, write it anew with MONITORING_WRITE_PREVIEWS=1"
