"""What the project is called, and where it lies."""

from pathlib import Path

PROJECT = "monitoring"
"""The Pulumi project, the namespace of its keys, and what the names of its containers begin with."""
ROOT = Path(__file__).resolve().parent.parent
