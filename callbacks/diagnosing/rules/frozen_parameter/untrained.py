"""A backbone that is frozen at its random initialisation."""

from collections.abc import Sequence
from itertools import takewhile

from ....diagnosis import Severity
from ....remedy import Remedy
from ...symptom import Finding
from ...vital_signs.levels import Gain
from ...vital_signs.signs import Layer, share_of
from ...vital_signs.vitals import Vitals
from ...weights.untrained_weights import FEWEST

_MIN_MATRICES_OF_A_BODY = 2
_LARGE_SHARE_OF_WEIGHTS = 0.5
_SHARE_OF_NEARLY_ALL_WEIGHTS = 0.9


def find_untrained(vitals: Vitals) -> Finding | None:
    """Find a backbone that is frozen at its random initialisation.

    A single matrix may be random features on purpose. A recurrent layer has two or more matrices,
    but may be a reservoir: it is given time to show that it is one.
    """
    running = [layer for layer in vitals.layers if layer.ran]
    frozen = [layer for layer in running if not layer.trained]
    drawn = [layer for layer in frozen if layer.as_drawn or layer.entries < FEWEST]
    learns = len(frozen) < len(running) and vitals.one_loss and vitals.had_a_chance
    # A network that is only to be matched or copied may be random on purpose.
    given = vitals.objective.task is not None and vitals.objective.of_batch
    if sum(layer.matrices for layer in drawn) < _MIN_MATRICES_OF_A_BODY or not (learns and given):
        return None
    if len(drawn) == 1 and not vitals.had_a_long_chance:
        return None
    # Layers too small to judge are judged by the others.
    told = [layer for layer in frozen if layer.entries >= FEWEST]
    seen, share = [layer for layer in told if layer.as_drawn], share_of(drawn, running)
    if not (
        share > _LARGE_SHARE_OF_WEIGHTS and share_of(seen, told) > _SHARE_OF_NEARLY_ALL_WEIGHTS
    ):
        return None
    what, them = f"{_with_more(drawn)}, {share:.0%} of the weights,", "them"
    state = "are frozen at their random initialisation"
    if len(drawn) == 1:
        state, them = "is frozen at its random initialisation", "it"
    evidence = f"{what} {state}: nothing has ever trained {them}."
    remedies = (
        Remedy("Load the pretrained weights.", 'resnet18(weights="DEFAULT")'),
        Remedy(
            "Find the weights that a checkpoint did not contain.",
            "load_state_dict(state, strict=True)",
        ),
        Remedy("Or train them.", _train(drawn)),
    )
    figures = {"layers": float(len(drawn)), "share": share}
    enough = Gain.GOOD if len(drawn) == 1 else Gain.EXCELLENT
    severity: Severity = "info" if vitals.gain > enough else "warning"
    layer = drawn[0].name
    return Finding(severity, evidence, figures, remedies, layer)


def _with_more(layers: Sequence[Layer]) -> str:
    """Return the name of the first layer, and how many more there are."""
    more = len(layers) - 1
    if not more:
        return layers[0].name
    return f"{layers[0].name} and {more} more {'layer' if more == 1 else 'layers'}"


def _train(layers: Sequence[Layer]) -> str:
    """Return code that unfreezes the innermost module that contains all these layers."""
    paths = [layer.name.split(".") for layer in layers]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    name = ".".join(parts[0] for parts in shared)
    return f'model.get_submodule("{name}").requires_grad_(True)'
