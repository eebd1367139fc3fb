"""config/support.yaml: until when the projects mend the lines of what the stack runs. Nothing else reads that file."""

from datetime import date
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from config.project import ROOT
from config.wording import in_words

TABLE = ROOT / "config/support.yaml"


def _quoted(line: object) -> object:
    """A line must be quoted: YAML reads 3.10 as the number 3.1."""
    if not isinstance(line, str):
        raise ValueError('a line is text; write it in quotes, such as "3.13"')
    return line


class Support(BaseModel):
    """What is known of one image's project; support.yaml says what the fields mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    product: str = ""
    lines: dict[Annotated[str, BeforeValidator(_quoted)], date] = Field(default_factory=dict)
    newest: int | None = Field(default=None, ge=1)
    source: str = Field(pattern="^https://")
    read: date

    @model_validator(mode="after")
    def _one_of_two(self) -> "Support":
        if bool(self.lines) == bool(self.newest):
            raise ValueError("give either lines or newest")
        return self


def support_table(path: Path = TABLE) -> dict[str, Support]:
    """What is known of every image's project, by the keys of images.yaml. Raises ValueError that names a wrong key."""
    found = {}
    for key, entry in yaml.safe_load(path.read_text()).items():
        try:
            found[key] = Support.model_validate(entry)
        except ValidationError as error:
            raise ValueError(f"{path}: {key}: {in_words(error)}") from None
    return found
