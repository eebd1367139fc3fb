"""Pulumi.yaml's `config` section, made from the keys: `python -m config.pulumi_yaml` writes it anew."""

from typing import Any, get_args, get_origin

import yaml
from pydantic.alias_generators import to_camel

from config.keys import Keys, environment_variables
from config.project import PROJECT, ROOT

_HEAD = """\
# The configuration keys are those of config/keys.py; after a change there: uv run python -m config.pulumi_yaml
"""


def declaration() -> dict[str, Any]:
    """The project as Pulumi reads it, with type, default and description of every key.

    Every key has a default, as Pulumi refuses a stack without a value for a typed key. A key that may come from the
    environment, or that is a secret, is an empty string by default: that is how `config.settings` sees that it is
    absent. (`secret: true` would make Pulumi refuse the default; config.settings refuses a secret in clear instead.)
    """
    variables = environment_variables()
    config = {}
    for name, field in Keys.model_fields.items():
        key = to_camel(name)
        annotation = field.annotation
        variable = f" Or ${variables[key]}." if key in variables else ""
        default: Any = field.default
        entry: dict[str, Any] = {}
        if get_origin(annotation) is dict:
            entry = {"type": "object", "default": dict(default)}
        elif get_origin(annotation) is tuple:
            items = "string" if get_args(annotation)[0] is str or get_origin(get_args(annotation)[0]) else "object"
            entry = {"type": "array", "items": {"type": items}, "default": []}
        elif annotation is bool:
            entry = {"type": "boolean", "default": default}
        elif annotation is int and not variable:
            entry = {"type": "integer", "default": default}
        else:
            entry = {"type": "string", "default": "" if variable or default is None else default}
            if variable and default:
                variable += f" Default: {default}."
        config[f"{PROJECT}:{key}"] = {**entry, "description": f"{field.description}{variable}"}
    return {
        "name": PROJECT,
        "description": "A complete monitoring stack on Docker",
        "runtime": {"name": "python", "options": {"toolchain": "uv", "virtualenv": ".venv"}},
        "config": config,
    }


def text() -> str:
    """What Pulumi.yaml must contain."""
    return _HEAD + yaml.safe_dump(declaration(), sort_keys=False, width=120)


if __name__ == "__main__":
    (ROOT / "Pulumi.yaml").write_text(text())
