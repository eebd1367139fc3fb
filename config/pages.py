"""Pages of docs/ in which a part is made from the configuration."""


def with_part(text: str, name: str, made: str) -> str:
    """A page's `text` with `made` between its marks `<!-- name -->` and `<!-- /name -->`.

    Raises ValueError where the page lacks one of them.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"the page has no place for {name!r}: it needs {begin} and {end}")
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{made}\n{end}{rest.partition(end)[2]}"
