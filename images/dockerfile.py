"""Building what has a Dockerfile of ours."""

import re
from pathlib import Path

import docker
import requests
from docker.errors import APIError, BuildError


def build(directory: Path, tag: str, engine: docker.DockerClient, seconds: int) -> str | None:
    """Do what `docker build -t TAG DIRECTORY` does; gives the reason when it fails.

    `seconds` is how long the engine may say nothing.
    """
    try:
        engine.images.build(path=str(directory), tag=tag, rm=True, forcerm=True, timeout=seconds)
    except BuildError as error:
        output = "".join(line.get("stream", "") for line in error.build_log)
        return f"{error.msg}: {' '.join(output.split())[-300:]}"
    except APIError as error:
        return f"{error.explanation or error}"
    except requests.exceptions.RequestException as error:
        return f"no word from the Docker engine for {seconds} s: {error}"
    return None


def base_images(dockerfile: str) -> list[str]:
    """The images that a Dockerfile builds on, without its own earlier stages and `scratch`."""
    stages = {"scratch"}
    bases = []
    for match in re.finditer(
        r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", dockerfile, re.MULTILINE | re.IGNORECASE
    ):
        if match[1].lower() not in stages:
            bases.append(match[1])
        stages.add((match[2] or "").lower())
    return bases
