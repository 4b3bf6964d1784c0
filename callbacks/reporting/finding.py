"""A diagnosis and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..diagnosis import Diagnosis


@dataclass(frozen=True)
class Finding:
    """A diagnosis over time.

    Attributes:
        diagnosis: Its latest form.
        since: Step at which it was established, on the loggers' axis.
        withdrawn: Step at which it was withdrawn; None if it has not been.
        changed: Step at which it first had its present severity; None if it had from the start.
        changes: The same for each earlier severity.
    """

    diagnosis: Diagnosis
    since: int
    withdrawn: int | None = None
    changed: int | None = None
    changes: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def stands(self) -> bool:
        """Whether it has not been withdrawn."""
        return self.withdrawn is None
