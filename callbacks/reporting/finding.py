"""A diagnosis and what became of it."""

from dataclasses import dataclass

from ..diagnosis import Diagnosis


@dataclass(frozen=True)
class Finding:
    """A diagnosis over time.

    Attributes:
        diagnosis: Its latest form.
        since: Step at which it was established, on the loggers' axis.
        withdrawn: Step at which it was withdrawn; None while it stands.
        changed: Step at which it became as severe as it is; None where it was from the start.
    """

    diagnosis: Diagnosis
    since: int
    withdrawn: int | None = None
    changed: int | None = None

    @property
    def stands(self) -> bool:
        """Whether it was never withdrawn."""
        return self.withdrawn is None
