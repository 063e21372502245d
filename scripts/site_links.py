"""For mkdocs: point links out of docs/, to code and results, at the repository."""

import re
from typing import Any

REPOSITORY = "https://github.com/wideopen/wideopen/blob/main/"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with its links to ../PATH (../../PATH in notes/) made absolute."""
    depth = page.file.src_uri.count("/")
    out = re.escape("../" * (depth + 1))
    return re.sub(rf"\]\({out}(?!\.\.)", f"]({REPOSITORY}", markdown)
