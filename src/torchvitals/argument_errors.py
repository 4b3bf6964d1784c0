"""The parser's messages about wrong arguments or files, in a few lines."""

import re
from difflib import get_close_matches

import torch
from lightning.pytorch import callbacks, loggers

import torchvitals.callbacks
import torchvitals.datamodules
import torchvitals.lightning_modules

_PACKAGES = (
    torchvitals.callbacks,
    torchvitals.datamodules,
    torchvitals.lightning_modules,
    callbacks,
    loggers,
    torch.optim,
    torch.optim.lr_scheduler,
)
_NO_CLASS = re.compile(r"Expected a dot import path string: (?P<name>\w+)")
_NOT_IN_MODULE = re.compile(r"module '[\w.]+' has no attribute '(?P<name>\w+)'")
_ALTERNATIVES = re.compile(
    r'Parser key "(?P<key>[^"]+)":.*?^  Errors:\n(?P<errors>.*?)^  Given value type:[^\n]*\n'
    r"  Given value: (?P<value>.*)",
    re.DOTALL | re.MULTILINE,
)
_LONGEST_VALUE = 60


def explain(message: str, file: str | None = None) -> str:
    """Reduce a message to its reason, with the nearest class if a name is unknown.

    The parser lists the types that an argument may have, why each was rejected, and the value with
    all defaults. A message of another form stays as it is.

    Args:
        message: Message of the parser.
        file: Configuration file that is being read, if any.

    Example:
        >>> explain('Problems parsing config: no end in "<unicode string>", line 2', "fit.yaml")
        'Problems parsing config: no end in "fit.yaml", line 2'
    """
    if file is not None:
        message = message.replace('"<unicode string>"', f'"{file}"')
        if message.startswith("Unexpected config: "):
            return f"Expected `{file}` to hold arguments by name, but got something else."
    found = _ALTERNATIVES.match(message)
    if found is None:
        return message
    key, reasons = found["key"], _reasons(found["errors"])
    unknown = _NO_CLASS.search(message)
    if unknown:
        return (
            f"Expected `{key}` to be the name of a class, or `package.module.Class`, but got "
            f"{unknown['name']!r}.{_hint(unknown['name'])}"
        )
    unknown = _NOT_IN_MODULE.search(message)
    hint = _hint(unknown["name"]) if unknown else ""
    value = found["value"].strip()
    # Where an argument of a class is wrong, the value is the whole configuration of the class.
    plain = len(value) <= _LONGEST_VALUE and all(one.startswith("Expected") for one in reasons)
    given = f", but got {value!r}" if plain else ""
    return f"{key}: {'; '.join(reasons)}{given}.{hint}"


def _reasons(errors: str) -> list[str]:
    """List why each type was rejected, without duplicates; the reason for None is of no use."""
    entries = re.split(r"^    - ", errors, flags=re.MULTILINE)[1:]
    lines = [" ".join(line.strip() for line in entry.splitlines()) for entry in entries]
    said = [line for line in lines if "<class 'NoneType'>" not in line]
    return list(dict.fromkeys(said or lines))


def _hint(name: str) -> str:
    known = {
        each
        for package in _PACKAGES
        for each, value in vars(package).items()
        if isinstance(value, type) and not each.startswith("_")
    }
    nearest = get_close_matches(name, sorted(known), n=1)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""
