"""The source of a rule, to look at what is written down in it."""

import inspect
from pathlib import Path


def source_of(rule):
    """The text of its module or, where it is a folder, of all files in it."""
    path = Path(inspect.getfile(rule))
    paths = sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]
    return "\n".join(each.read_text(encoding="utf-8") for each in paths)
