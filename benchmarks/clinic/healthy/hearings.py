"""Programs of a hearing clinic and a court that are in good order."""

from case import Case

CASES: tuple[Case, ...] = ()
