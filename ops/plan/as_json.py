"""The plan for a program."""

import json
from dataclasses import asdict

from ops.plan.model import Plan

VERSION = 1
"""Of this form; a key that goes or means something else raises it, a new one does not."""


def as_json(plan: Plan) -> str:
    """The plan as JSON: the fields of ops.plan.model.Plan, the `version` of the form, and whether it is `empty`."""
    return _written({"version": VERSION, "empty": plan.empty, **asdict(plan)})


def failure(stack: str, message: str) -> str:
    """What takes its place where there is no plan, because the preview failed with this message."""
    return _written({"version": VERSION, "stack": stack, "error": message})


def _written(document: object) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
