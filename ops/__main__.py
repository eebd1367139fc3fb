"""`python -m ops`, or `bin/ops`."""

from ops.cli import app

app(prog_name="ops")
