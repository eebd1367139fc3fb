"""Until when a line is mended, by endoflife.date (https://endoflife.date/docs/api/v1/)."""

from dataclasses import dataclass
from datetime import date

import httpx

from images.errors import ImageError
from images.registry import describe

ADDRESS = "https://endoflife.date"


class EndOfLifeError(ImageError):
    """endoflife.date did not answer, or not about this product."""


@dataclass(frozen=True)
class Line:
    """A line of a product: whether it has ended, and the last day of its support (None: not known)."""

    ended: bool
    until: date | None


def lines(product: str, client: httpx.Client, address: str = ADDRESS) -> dict[str, Line]:
    """Every line of a product by its name (`3.13`). Raises EndOfLifeError."""
    try:
        answer = client.get(f"{address.rstrip('/')}/api/v1/products/{product}", follow_redirects=True)
        answer.raise_for_status()
        return {release["name"]: _line(release) for release in answer.json()["result"]["releases"]}
    except httpx.HTTPStatusError as error:
        raise EndOfLifeError(f"{address}: HTTP {error.response.status_code} for {product}") from error
    except httpx.HTTPError as error:
        raise EndOfLifeError(f"{address}: {describe(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise EndOfLifeError(f"{address}: its answer for {product} is not of its form ({error!r})") from error


def _line(release: dict[str, object]) -> Line:
    until = release["eolFrom"]
    return Line(bool(release["isEol"]), date.fromisoformat(str(until)) if until else None)
