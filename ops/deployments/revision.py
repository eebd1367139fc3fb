"""The Git revision of this work tree."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.project import ROOT


@dataclass(frozen=True)
class Revision:
    """A commit, and whether the tree has other files than it.

    `commit` is its hash, empty where the tree is no checkout of its own. Stack files do not count as other files, as
    the settings of a deployment are noted whole with it.
    """

    commit: str
    changed: bool

    def __str__(self) -> str:
        return (self.commit[:10] + (" with changes" if self.changed else "")) or "unknown"


def git(*arguments: str, root: Path = ROOT) -> str | None:
    """What Git prints in the tree at `root`; None where it fails, or is not installed."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return None if done.returncode else done.stdout.strip()


def revision(root: Path = ROOT) -> Revision:
    """What the tree at `root` is."""
    top = git("rev-parse", "--show-toplevel", root=root)
    commit = git("rev-parse", "HEAD", root=root)
    if not top or not commit or Path(top).resolve() != root.resolve():
        return Revision("", changed=False)
    changes = git("status", "--porcelain", "--", ".", ":(exclude)Pulumi.*.yaml", root=root)
    return Revision(commit, changed=bool(changes))
