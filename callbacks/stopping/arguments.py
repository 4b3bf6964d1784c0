"""Validation of EarlyStopping's arguments."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from ...functional.arguments import flag, number, text, whole_number
from ...functional.choices import choose
from .best_weights import Place
from .judging.criteria import CriterionName
from .judging.curve import Mode, Smoothing, Unit

# The smallest of those tried in benchmarks/early_stopping.py that match patience 5 in accuracy.
_ALPHA: dict[str, float] = {"GL": 10.0, "PQ": 0.1}
_CHOICES: dict[str, tuple[str, ...]] = {
    "patience_unit": get_args(Unit),
    "min_delta_mode": ("absolute", "relative"),
    "smoothing": get_args(Smoothing),
    "require": ("all", "any"),
    "criterion": get_args(CriterionName),
    "best_weights": get_args(Place),
}
# The least allowed value.
_WHOLE: dict[str, int] = {
    "start_from_epoch": 0,
    "start_from_step": 0,
    "smoothing_window": 1,
    "strip_length": 1,
}
# The value that they must exceed; None for any.
_NUMBERS: dict[str, float | None] = {
    "baseline_by_epoch": 0,
    "max_minutes": 0,
    "max_loss_ratio": 1,
    "alpha": 0,
    "min_delta": None,
    "stopping_threshold": None,
    "divergence_threshold": None,
    "baseline": None,
}


def alpha_of(criterion: CriterionName, alpha: float | None) -> float:
    """Return the given alpha, or the criterion's default."""
    return _ALPHA.get(criterion, 0.0) if alpha is None else alpha


def as_list(argument: str, value: str | Sequence[str]) -> list[str]:
    """Return one or more names as a list.

    Raises:
        ValueError: If there are none, or one of them is empty.
        TypeError: If ``value`` or an item of it has the wrong type.
    """
    if not isinstance(value, Iterable):
        raise TypeError(f"Expected `{argument}` to be one or more names, but got {value!r}.")
    names = [value] if isinstance(value, str) else list(value)
    if not names:
        raise ValueError(f"Expected `{argument}` to be one or more names, but got none.")
    return [text(argument, name) for name in names]


def modes_of(monitors: Sequence[str], mode: str | Sequence[str]) -> list[Mode]:
    """Return the mode of each monitor.

    Raises:
        ValueError: If a monitor is named twice, the numbers of modes and monitors differ, or a
            mode is neither ``"min"`` nor ``"max"``.
    """
    if len(set(monitors)) != len(monitors):
        raise ValueError(f"Expected `monitor` to name each metric once, but got {list(monitors)}.")
    modes = as_list("mode", mode)
    modes = modes * len(monitors) if isinstance(mode, str) else modes
    if len(modes) != len(monitors):
        raise ValueError(
            f"Expected `mode` to be one mode, or one for each of {len(monitors)} monitors, "
            f"but got {len(modes)}."
        )
    known: dict[str, Mode] = {"min": "min", "max": "max"}
    return [choose("mode", name, known) for name in modes]


def check_arguments(given: Mapping[str, Any], modes: Sequence[Mode]) -> None:
    """Check all other arguments.

    Raises:
        ValueError: If one is invalid, alone or in combination with others.
        TypeError: If one has the wrong type.
    """
    flag("restore_best_weights", given["restore_best_weights"])
    for argument, choices in _CHOICES.items():
        choose(argument, given[argument], dict.fromkeys(choices))
    for argument, fewest in _WHOLE.items():
        whole_number(argument, given[argument], least=fewest)
    number("patience", given["patience"], least=0)
    for argument, bound in _NUMBERS.items():
        if given[argument] is not None:
            number(argument, given[argument], above=bound)
    if given["baseline_by_epoch"] is not None and given["baseline"] is None:
        raise ValueError("Expected `baseline` with `baseline_by_epoch`, but got None: set both.")
    by, start = given["baseline_by_epoch"], given["start_from_epoch"]
    if by is not None and not start < by:
        raise ValueError(
            f"Expected `baseline_by_epoch` to be after the warm-up, `start_from_epoch={start}`, "
            f"whose checks do not count, but got {by:g}."
        )
    if given["criterion"] != "patience" and "max" in modes:
        raise ValueError(
            f"Expected `mode` to be 'min' with `criterion={given['criterion']!r}`, which is for a "
            "loss, but got 'max': monitor the validation loss, or use `criterion='patience'`."
        )
    if given["max_loss_ratio"] is not None and "min" not in modes:
        raise ValueError(
            "Expected `mode` to be 'min' with `max_loss_ratio`, which is for a loss, but got "
            "'max': monitor a loss, or use `divergence_threshold`."
        )
    if given["criterion"] in ("patience", "UP") and given["alpha"] is not None:
        raise ValueError(
            f"Expected `alpha` with `criterion` 'GL' or 'PQ', but got {given['alpha']} with "
            f"{given['criterion']!r}: set `patience` instead."
        )
