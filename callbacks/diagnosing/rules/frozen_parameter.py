"""Layers that are meant to train, but do not.

Weights that require no gradient were frozen on purpose and are not reported, unless they were never
trained: a backbone frozen at its random initialisation was meant to have its weights loaded. A
layer that runs and requires a gradient, but gets none (`detach`, `no_grad`, a round trip through
NumPy), or gets one but is in no optimiser, was forgotten. So was an embedding in no optimiser.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from ...diagnosis import Severity
from ...monitoring.layers import plain_layer
from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vital_signs.signs import Layer, share_of
from ..vital_signs.vitals import Vitals
from ..weights.untrained_weights import FEWEST

_FEWEST_STEPS = 3
_STEPS_TO_BE_SURE = 50
_BATCHES_TO_TELL_LOSSES_APART = 20
_LARGE_SHARE_OF_DEAD_UNITS = 0.5
_GOOD_GAIN = 0.5
_MIN_HARMLESS_GAIN = 0.8
_EXCELLENT_GAIN = 0.9
_NEGLIGIBLE_SHARE_OF_WEIGHTS = 0.01
_SMALL_SHARE_OF_WEIGHTS = 0.1
_SHARE_OF_A_BRANCH = 0.25
_LARGE_SHARE_OF_WEIGHTS = 0.5
_SHARE_OF_NEARLY_ALL_WEIGHTS = 0.9
_MIN_MATRICES_OF_A_BODY = 2
_MAX_NAMES_IN_CODE = 8
# By dtype: the `precision` that keeps the parameters in single precision.
_HALF_TYPES = {"bfloat16": "bf16-mixed", "float16": "16-mixed"}
_LOOK = Remedy("Look for `detach`, `no_grad` or NumPy between the layer and the loss.")
_GIVE = Remedy("Pass all parameters to the optimiser.", "torch.optim.Adam(self.parameters())")
_STEP = Remedy("Make that optimiser's step in `training_step`, too.", "optimizer.step()")
_COUNT = Remedy(
    "Check whether its schedule counts steps or epochs.",
    '{"scheduler": scheduler, "interval": "step"}',
)


def examine(vitals: Vitals) -> list[Symptom]:
    """Find layers without a gradient, and layers missing from the optimisers or the module."""
    return _untouched(vitals) or _strangers(vitals) or _within(vitals) or _untrained(vitals)


def _untouched(vitals: Vitals) -> list[Symptom]:
    """Find a run in which no weight has moved."""
    if not vitals.untouched:
        return []
    if vitals.steps_are_made and vitals.has_gradients:
        if not _are_cleared(vitals):
            return []  # The steps are too small to change a weight.
        why = "all gradients are 0 whenever the optimiser makes a step"
        remedy = Remedy(
            "Zero the gradients before the backward pass, not between it and the step.",
            "optimizer.zero_grad(); loss.backward(); optimizer.step()",
        )
    elif vitals.steps_are_made:
        why = "the optimiser makes its steps, but no loss was differentiated"
        remedy = Remedy("Return the loss from `training_step`.", "return loss")
    else:
        why = "no optimiser has made a step"
        remedy = Remedy(
            "With `automatic_optimization = False`, `training_step` has to make the steps.",
            "optimizer.zero_grad(); self.manual_backward(loss); optimizer.step()",
        )
    evidence = f"No weight has changed in {vitals.untouched} batches: {why}."
    figures, problem = {"batches": float(vitals.untouched)}, Problem.FROZEN_PARAMETER
    return [Symptom(problem, "critical", evidence, figures, (remedy,), reports=1, is_root=True)]


def _are_cleared(vitals: Vitals) -> bool:
    """Whether gradients are 0 at each step although the losses must have had some.

    Dead units let none through, and a loss that is always the same has none.
    """
    norms, losses = vitals.total_gradients, vitals.losses[-_BATCHES_TO_TELL_LOSSES_APART:]
    dead = max(vitals.dead.last.values(), default=0.0)
    are_zero = bool(norms) and all(norm == 0 for norm in norms)
    return are_zero and len(set(losses)) > 1 and not dead > _LARGE_SHARE_OF_DEAD_UNITS


def _strangers(vitals: Vitals) -> list[Symptom]:
    if not vitals.strangers or not vitals.had_a_chance or vitals.gain > _GOOD_GAIN:
        return []
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
    figures, problem = {"weights": float(vitals.strangers)}, Problem.FROZEN_PARAMETER
    return [Symptom(problem, "warning", evidence, figures, remedies, is_root=True)]


def _untrained(vitals: Vitals) -> list[Symptom]:
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
        return []
    if len(drawn) == 1 and not vitals.had_a_long_chance:
        return []
    # Layers too small to judge are judged by the others.
    told = [layer for layer in frozen if layer.entries >= FEWEST]
    seen, share = [layer for layer in told if layer.as_drawn], share_of(drawn, running)
    if not (
        share > _LARGE_SHARE_OF_WEIGHTS and share_of(seen, told) > _SHARE_OF_NEARLY_ALL_WEIGHTS
    ):
        return []
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
    enough = _GOOD_GAIN if len(drawn) == 1 else _EXCELLENT_GAIN
    severity: Severity = "info" if vitals.gain > enough else "warning"
    problem, layer = Problem.FROZEN_PARAMETER, drawn[0].name
    return [Symptom(problem, severity, evidence, figures, remedies, layer)]


@dataclass(frozen=True)
class _LeftOut:
    """Layers that run and are meant to train, but do not.

    Attributes:
        layers: The layers.
        why: The reason, in words.
        remedy: What to do first.
        is_cut: Whether no gradient reaches them.
    """

    layers: list[Layer]
    why: str
    remedy: Remedy
    is_cut: bool = False


def _within(vitals: Vitals) -> list[Symptom]:
    # Where optimisers alternate, it takes a while until each layer has had its turn.
    if vitals.step < (_FEWEST_STEPS if vitals.one_loss else _STEPS_TO_BE_SURE):
        return []
    left = _left_out(vitals)
    if left is None:
        return _others(vitals) or _still(vitals) or _unused(vitals)
    names = [layer.name for layer in left.layers]
    share = sum(layer.entries for layer in left.layers) / sum(
        layer.entries for layer in vitals.layers
    )
    part = f"{share:.0%}" if share > _NEGLIGIBLE_SHARE_OF_WEIGHTS else "under 1%"
    more = f" (one of {len(names)} such layers, {part} of the weights)" if len(names) > 1 else ""
    evidence = f"{names[0]} does not learn: {left.why}{more}."
    remedies = (left.remedy, Remedy("Or freeze it explicitly.", _freeze("get_submodule", names)))
    figures, problem = {"layers": float(len(names)), "share": share}, Problem.FROZEN_PARAMETER
    severity: Severity = "info" if _does_no_harm(vitals, left, share) else "warning"
    return [Symptom(problem, severity, evidence, figures, remedies, names[0])]


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
    if not late or vitals.gain > _GOOD_GAIN or len(unrated) == len(running):
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
    enough = _MIN_HARMLESS_GAIN if share < _SHARE_OF_A_BRANCH else _EXCELLENT_GAIN
    early_or_needless = not vitals.had_a_long_chance or vitals.gain > enough
    return left.is_cut and share < _LARGE_SHARE_OF_WEIGHTS and early_or_needless


def _others(vitals: Vitals) -> list[Symptom]:
    """Find embeddings and bare parameters left out of the optimisers or of their steps."""
    # A network may do without an embedding, but a bare parameter is always meant to train.
    learns = vitals.gain > _GOOD_GAIN
    tables = [] if learns else vitals.forgotten_tables
    # An optimiser may be waiting for its turn.
    idle = [] if learns or not vitals.had_a_long_chance else vitals.idle_tables
    names = vitals.forgotten_parameters or tables or idle
    of_names = "get_parameter" if vitals.forgotten_parameters else "get_submodule"
    if not names or not vitals.had_a_chance:
        return []
    if names is idle:
        why, first = "its optimiser never makes a step", _STEP
    else:
        why, first = "it gets a gradient, but no optimiser has it", _GIVE
    evidence = f"{names[0]} does not learn: {why}."
    remedies = (first, Remedy("Or freeze it explicitly.", _freeze(of_names, names)))
    figures, problem = {"layers": float(len(names))}, Problem.FROZEN_PARAMETER
    return [Symptom(problem, "warning", evidence, figures, remedies, names[0])]


def _still(vitals: Vitals) -> list[Symptom]:
    """Find embeddings and parameters outside of layers that stay at their initial values."""
    layers = {layer.name for layer in vitals.layers}
    others = [name for name in vitals.unmoved if name.rpartition(".")[0] not in layers]
    names = [name for name in others if _never_moved(vitals, name)]
    moves = any(update > 0 for update in vitals.total_updates[-3:])
    if not names or not moves or vitals.step < _STEPS_TO_BE_SURE or not vitals.had_a_chance:
        return []
    if 1.0 in vitals.dead.last.values():
        return []  # A layer whose units are all dead passes no gradient to earlier layers.
    if cut := [name for name in names if name not in vitals.pushed]:
        return _unreached(vitals, cut)
    # In single precision, the cause is steps that are too small for all parameters.
    rounded = [name for name in names if vitals.pushed[name] in _HALF_TYPES]
    return _rounded(vitals, rounded) if rounded else []


def _unreached(vitals: Vitals, names: list[str]) -> list[Symptom]:
    more = _nor("do", "does", len(names) - 1)
    evidence = f"{names[0]} does not change{more}, although an optimiser has it."
    remedies = (
        Remedy(
            "Check whether the loss depends on it: a comparison, `round`, `argmax` or `detach` "
            "blocks the gradient."
        ),
        Remedy("Or remove it, or freeze it explicitly.", _freeze("get_parameter", names)),
    )
    share = _share(vitals, names)
    figures, problem = {"parameters": float(len(names)), "share": share}, Problem.FROZEN_PARAMETER
    return [Symptom(problem, _severity_of(vitals, share), evidence, figures, remedies, names[0])]


def _rounded(vitals: Vitals, names: list[str]) -> list[Symptom]:
    """Find parameters with gradients whose steps are below half a unit in the last place.

    An example is a norm's weights, which start at 1: in bfloat16 the next number is 0.4% below.
    Matrices, whose entries are far smaller, move, so that anything else found has other causes.
    """
    kind, share = vitals.pushed[names[0]], _share(vitals, names)
    more = _nor("do", "does", len(names) - 1)
    evidence = (
        f"{names[0]} does not change{more}, although it gets a gradient: its updates are below "
        f"the resolution of {kind}, and are rounded away."
    )
    remedies = (
        Remedy(
            "Keep the parameters in single precision, and compute in half precision.",
            f'Trainer(precision="{_HALF_TYPES[kind]}")',
        ),
        Remedy("Or keep only the normalisation layers in single precision."),
    )
    figures, problem = {"parameters": float(len(names)), "share": share}, Problem.FROZEN_PARAMETER
    severity = _severity_of(vitals, share)
    return [
        Symptom(problem, severity, evidence, figures, remedies, names[0], stands_alone=True)
    ]  # fmt: skip


def _share(vitals: Vitals, names: list[str]) -> float:
    every = sum(vitals.entries.values())
    return sum(vitals.entries.get(name, 0) for name in names) / every if every else 1.0


def _severity_of(vitals: Vitals, share: float) -> Severity:
    """Return ``"info"`` for a negligible share, or where the network learns well.

    A published network may have a token that is of no use here.
    """
    return (
        "info"
        if share < _NEGLIGIBLE_SHARE_OF_WEIGHTS or vitals.gain > _MIN_HARMLESS_GAIN
        else "warning"
    )


def _never_moved(vitals: Vitals, name: str) -> bool:
    """Whether it never moved, rather than stopped as units died or waits for another factor."""
    if "bias" in name.rpartition(".")[2] or name in vitals.waiting:
        return False  # A later layer may cancel a bias.
    # A matrix of a custom module is recorded under its own name.
    own = vitals.updates.of(plain_layer(name))
    owner = plain_layer(name.rpartition(".")[0]) or "root"
    steps = own or vitals.updates.of(owner)
    return not (steps and steps[0] > 0 and steps[-1] == 0)


def _unused(vitals: Vitals) -> list[Symptom]:
    """Find layers that an optimiser has, but that are never called."""
    idle = [
        layer.name
        for layer in vitals.layers
        if layer.trained and layer.optimized and not layer.ran and not layer.has_gradient
    ]
    if not idle or vitals.step < _STEPS_TO_BE_SURE or not vitals.had_a_long_chance:
        return []
    others = _nor("were", "was", len(idle) - 1)
    evidence = (
        f"{idle[0]} was not called in any observed training batch{others}, and gets no gradient."
    )
    remedies = (Remedy("Call it in `forward`, or remove it."),)
    figures, problem = {"layers": float(len(idle))}, Problem.FROZEN_PARAMETER
    return [Symptom(problem, "info", evidence, figures, remedies, idle[0])]


def _with_more(layers: Sequence[Layer]) -> str:
    """Return the name of the first layer, and how many more there are."""
    more = len(layers) - 1
    if not more:
        return layers[0].name
    return f"{layers[0].name} and {more} more {'layer' if more == 1 else 'layers'}"


def _nor(verb: str, singular: str, others: int) -> str:
    """Return words on how many others do not, either; empty for none."""
    if others == 0:
        return ""
    return f", nor {singular} 1 other" if others == 1 else f", nor {verb} {others} others"


def _freeze(getter: str, names: Sequence[str]) -> str:
    """Return code that freezes parameters or layers, given by name; empty for too many."""
    if len(names) == 1:
        return f'model.{getter}("{names[0]}").requires_grad_(False)'
    each = ", ".join(f'"{name}"' for name in names)
    loop = f"for name in [{each}]: model.{getter}(name).requires_grad_(False)"
    return loop if len(names) <= _MAX_NAMES_IN_CODE else ""


def _train(layers: Sequence[Layer]) -> str:
    """Return code that unfreezes the innermost module that contains all these layers."""
    paths = [layer.name.split(".") for layer in layers]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    name = ".".join(parts[0] for parts in shared)
    return f'model.get_submodule("{name}").requires_grad_(True)'
