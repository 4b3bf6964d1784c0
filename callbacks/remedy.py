"""What to change."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Remedy:
    """One change that should help.

    Attributes:
        advice: What to change, in one sentence.
        code: Code to paste.

    Example:
        >>> Remedy("Divide the learning rate by ten.", "lr=1e-3").code
        'lr=1e-3'
    """

    advice: str
    code: str = ""
