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
        withdrawn: Step at which it was withdrawn; None while it stands.
        changed: Step at which it was first as severe as it is; None where it was from the start.
        changes: The same for each severity that it had before.
    """

    diagnosis: Diagnosis
    since: int
    withdrawn: int | None = None
    changed: int | None = None
    changes: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def stands(self) -> bool:
        """Whether it was never withdrawn."""
        return self.withdrawn is None
