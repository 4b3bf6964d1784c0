"""Layers and parameters left out of the module, of gradients, of optimisers or of their steps."""

from collections.abc import Sequence
from typing import NamedTuple

from ....diagnosis import Severity
from ....remedy import Remedy
from ...symptom import Finding
from ...vital_signs.levels import Gain
from ...vital_signs.signs import Layer, share_of
from ...vital_signs.vitals import Vitals

_STEPS_TO_BE_SURE = 50
_NEGLIGIBLE_SHARE_OF_WEIGHTS = 0.01
_SMALL_SHARE_OF_WEIGHTS = 0.1
_SHARE_OF_A_BRANCH = 0.25
_LARGE_SHARE_OF_WEIGHTS = 0.5
_LOOK = Remedy("Look for `detach`, `no_grad` or NumPy between the layer and the loss.")
_GIVE = Remedy("Pass all parameters to the optimiser.", "torch.optim.Adam(self.parameters())")
_STEP = Remedy("Make that optimiser's step in `training_step`, too.", "optimizer.step()")
_COUNT = Remedy(
    "Check whether its schedule counts steps or epochs.",
    '{"scheduler": scheduler, "interval": "step"}',
)
_MAX_NAMES_IN_CODE = 8


def find_strangers(vitals: Vitals) -> Finding | None:
    """Find weights that the loss depends on, but that the module does not have."""
    if not vitals.strangers or not vitals.had_a_chance or vitals.gain > Gain.GOOD:
        return None
    evidence = (
        f"{vitals.strangers} weights that the loss depends on are not parameters of the module, "
        "so that no optimiser has them."
    )
    remedies = (
        Remedy(
            "Keep layers in an nn.ModuleList, not in a list.", "self.layers = nn.ModuleList(layers)"
        ),
        Remedy("Or freeze what is not meant to train.", "layer.requires_grad_(False)"),
    )
    figures = {"weights": float(vitals.strangers)}
    return Finding("warning", evidence, figures, remedies, is_root=True)


class _LeftOut(NamedTuple):
    """Layers that run and are meant to train, but do not; cut ones get no gradient."""

    layers: list[Layer]
    why: str
    remedy: Remedy
    is_cut: bool = False


def find_left_out_layers(vitals: Vitals) -> Finding | None:
    """Find layers that no gradient reaches, or that no optimiser moves."""
    left = _left_out(vitals)
    if left is None:
        return None
    names = [layer.name for layer in left.layers]
    share = share_of(left.layers, vitals.layers)
    part = f"{share:.0%}" if share > _NEGLIGIBLE_SHARE_OF_WEIGHTS else "under 1%"
    more = f" (one of {len(names)} such layers, {part} of the weights)" if len(names) > 1 else ""
    evidence = f"{names[0]} does not learn: {left.why}{more}."
    remedies = (
        left.remedy,
        Remedy("Or freeze it explicitly.", freezing_code("get_submodule", names)),
    )
    figures = {"layers": float(len(names)), "share": share}
    severity: Severity = "info" if _does_no_harm(vitals, left, share) else "warning"
    return Finding(severity, evidence, figures, remedies, names[0])


def _left_out(vitals: Vitals) -> _LeftOut | None:
    """Return layers left out of gradients, optimisers, their steps or their learning rates."""
    running = [layer for layer in vitals.layers if layer.trained and layer.ran]
    cut = [layer for layer in running if layer.optimized and not layer.has_gradient]
    forgotten = [layer for layer in running if not layer.optimized and layer.has_gradient]
    # A layer used only by a second loss of a batch is recognised by its gradient.
    trained = [layer for layer in vitals.layers if layer.trained]
    reached = [layer for layer in trained if layer.ran or layer.has_gradient]
    idle = [layer for layer in reached if layer.optimized and not layer.stepped]
    unrated = [layer for layer in running if layer.optimized and not layer.rated]
    if vitals.has_learned:
        # Steps must have been made that the Trainer does not see.
        cut = cut if len(cut) < len(running) else []
        idle = idle if len(idle) < len(reached) else []
    if vitals.step < _STEPS_TO_BE_SURE:
        idle = []
    late = vitals.step >= max(_STEPS_TO_BE_SURE, vitals.planned_steps / 2)
    if not late or vitals.gain > Gain.GOOD or len(unrated) == len(running):
        unrated = []
    kinds = (
        _LeftOut(cut, "an optimiser has it, but it never gets a gradient", _LOOK, is_cut=True),
        _LeftOut(forgotten, "it gets a gradient, but no optimiser has it", _GIVE),
        _LeftOut(idle, "its optimiser never makes a step", _STEP),
        _LeftOut(unrated, "its learning rate was 0 at every step", _COUNT),
    )
    return next((kind for kind in kinds if kind.layers), None)


def _does_no_harm(vitals: Vitals, left: _LeftOut, share: float) -> bool:
    """Whether the network can do without these layers.

    They may have their turn later, or never, as with an unused output of many. And one of two
    branches may suffice for the task: the larger the one that is cut off, the better it must do.
    """
    goes_on = not vitals.is_rising if left.is_cut else vitals.is_well
    # A layer that could pass gradients on, and gets none, has an output that the loss does not use.
    unused = left.is_cut and all(layer.follows for layer in left.layers)
    few = _SHARE_OF_A_BRANCH if unused else _SMALL_SHARE_OF_WEIGHTS
    if share < few and vitals.has_learned and goes_on:
        return True
    enough = Gain.HARMLESS if share < _SHARE_OF_A_BRANCH else Gain.EXCELLENT
    early_or_needless = not vitals.had_a_long_chance or vitals.gain > enough
    return left.is_cut and share < _LARGE_SHARE_OF_WEIGHTS and early_or_needless


def find_left_out_parameters(vitals: Vitals) -> Finding | None:
    """Find embeddings and bare parameters left out of the optimisers or of their steps."""
    names, getter = vitals.forgotten_parameters, "get_parameter"
    why, first = "it gets a gradient, but no optimiser has it", _GIVE
    # A network may do without an embedding, but a bare parameter is always meant to train.
    if not names and not vitals.gain > Gain.GOOD:
        names, getter = vitals.forgotten_tables, "get_submodule"
        # An optimiser may be waiting for its turn.
        if not names and vitals.had_a_long_chance:
            names, why, first = vitals.idle_tables, "its optimiser never makes a step", _STEP
    if not names or not vitals.had_a_chance:
        return None
    evidence = f"{names[0]} does not learn: {why}."
    remedies = (first, Remedy("Or freeze it explicitly.", freezing_code(getter, names)))
    figures = {"layers": float(len(names))}
    return Finding("warning", evidence, figures, remedies, names[0])


def freezing_code(getter: str, names: Sequence[str]) -> str:
    """Return code that freezes parameters or layers, given by name; empty for too many."""
    if len(names) == 1:
        return f'model.{getter}("{names[0]}").requires_grad_(False)'
    each = ", ".join(f'"{name}"' for name in names)
    loop = f"for name in [{each}]: model.{getter}(name).requires_grad_(False)"
    return loop if len(names) <= _MAX_NAMES_IN_CODE else ""
