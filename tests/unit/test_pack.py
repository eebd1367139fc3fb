"""Many files as one, and back: as the writer's shell and as Python read them."""

import subprocess
from pathlib import Path

import pytest

from components.file import File
from components.pack import pack, unpack, unpack_command

FILES = {"rules/a.yml": "groups: []\n", "rules/deep/b.yml": "\n# {{ $value }} 'quoted' \\n\n\n", "empty.yml": ""}


def test_what_is_packed_comes_out_of_the_shell_as_it_went_in(tmp_path: Path) -> None:
    files = [File(f"{tmp_path}/{path}", text) for path, text in FILES.items()]
    packed = pack(f"{tmp_path}/packed", files)
    Path(packed.path).write_text(packed.content)
    subprocess.run(["sh", "-ec", unpack_command(packed.path, files)], check=True)
    assert {path: (tmp_path / path).read_text() for path in FILES} == FILES


def test_what_is_packed_is_read_back_by_path() -> None:
    assert unpack(pack("/packed", [File(f"/etc/{path}", text) for path, text in FILES.items()]).content) == {
        f"/etc/{path}": text for path, text in FILES.items()
    }


@pytest.mark.parametrize("text", ["no newline at its end", "a: 1\n==> /etc/other <==\n"])
def test_a_file_that_would_come_out_otherwise_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"/etc/a\.yml: a file must end with a newline"):
        pack("/packed", [File("/etc/a.yml", text)])
