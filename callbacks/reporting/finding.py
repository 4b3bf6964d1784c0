"""A diagnosis and what became of it."""

from dataclasses import dataclass

from ..diagnosis import Diagnosis


@dataclass(frozen=True)
class Finding:
    """A diagnosis over time.

    Attributes:
        diagnosis: Its latest form.
        since: Step at which it was established, on the loggers' axis.
        withdrawn: Step at which it was withdrawn; None if it has not been.
        changed: Step at which its severity last changed; None if it has not.
    """

    diagnosis: Diagnosis
    since: int
    withdrawn: int | None = None
    changed: int | None = None

    @property
    def stands(self) -> bool:
        """Whether it has not been withdrawn."""
        return self.withdrawn is None
