"""Layers that are meant to train, and do not.

What needs no gradient was frozen on purpose and is none of it, unless nobody has trained it before:
a body that is frozen as it was drawn, whose weights were meant to be loaded. A layer that runs and
needs a gradient, but gets none (`detach`, `no_grad`, a round trip through NumPy), or that no
optimiser has although it gets one, was forgotten. So was an embedding that no optimiser has.
"""

from ...diagnosis import Severity
from ...monitoring.layers import plain_layer
from ...problem import Problem
from ...remedy import Remedy
from ..symptom import Symptom
from ..vital_signs.signs import share_of
from ..vital_signs.vitals import Vitals
from ..weights.untrained_weights import FEWEST

_LONG, _WELL, _SMALL = 50, 0.5, 0.1
_VERY_WELL, _NEGLIGIBLE = 0.8, 0.01
_SEVERAL, _HALF, _NEARLY_ALL = 2, 0.5, 0.9


def examine(vitals: Vitals) -> list[Symptom]:
    """Find layers that get no gradient, and layers that no optimiser or not even the module has."""
    return _untouched(vitals) or _strangers(vitals) or _within(vitals) or _untrained(vitals)


def _untouched(vitals: Vitals) -> list[Symptom]:
    """Nothing has been written to any weight."""
    if not vitals.untouched:
        return []
    if vitals.steps_are_made:
        why = "the optimiser makes its steps, but no loss was differentiated"
        remedy = Remedy("Let `training_step` return the loss.", "return loss")
    else:
        why = "no optimiser has made a step"
        remedy = Remedy(
            "With `automatic_optimization = False` it is for `training_step` to make the steps.",
            "optimizer.zero_grad(); self.manual_backward(loss); optimizer.step()",
        )
    evidence = f"No weight has moved in {vitals.untouched} batches: {why}."
    figures, problem = {"batches": float(vitals.untouched)}, Problem.FROZEN_PARAMETER
    return [Symptom(problem, "critical", evidence, figures, (remedy,), reports=1, is_root=True)]


def _strangers(vitals: Vitals) -> list[Symptom]:
    if not vitals.strangers or not vitals.had_a_chance or vitals.gain > _WELL:
        return []
    evidence = (
        f"{vitals.strangers} weights behind the loss are no parameters of the module, so that no "
        "optimiser has them."
    )
    remedies = (
        Remedy(
            "Keep layers in nn.ModuleList, not in a list.", "self.layers = nn.ModuleList(layers)"
        ),
        Remedy("Or freeze what is not to learn.", "layer.requires_grad_(False)"),
    )
    figures, problem = {"weights": float(vitals.strangers)}, Problem.FROZEN_PARAMETER
    return [Symptom(problem, "warning", evidence, figures, remedies, is_root=True)]


def _untrained(vitals: Vitals) -> list[Symptom]:
    """A body of several layers that is frozen with the weights that it was drawn with."""
    running = [layer for layer in vitals.layers if layer.ran]
    frozen = [layer for layer in running if not layer.trained]
    drawn = [layer for layer in frozen if layer.as_drawn or layer.entries < FEWEST]
    learns = len(frozen) < len(running) and vitals.one_loss and vitals.had_a_chance
    # What has only to be matched, or copied, may be drawn by chance on purpose.
    given = vitals.objective.task is not None and vitals.objective.of_batch
    if len(drawn) < _SEVERAL or not (learns and given):
        return []
    # Of what is too small to tell, the others tell.
    told = [layer for layer in frozen if layer.entries >= FEWEST]
    seen, share = [layer for layer in told if layer.as_drawn], share_of(drawn, running)
    if not (share > _HALF and share_of(seen, told) > _NEARLY_ALL):
        return []
    evidence = (
        f"{drawn[0].name} and {len(drawn) - 1} more layers, {share:.0%} of the weights, are frozen "
        "as they were drawn: nobody has trained them before."
    )
    remedies = (
        Remedy("Load the weights that were trained before.", "resnet18(weights=...)"),
        Remedy("See what a checkpoint did not fill.", "load_state_dict(state, strict=True)"),
        Remedy("Or let them train.", f"{drawn[0].name}.requires_grad_(True)"),
    )
    figures = {"layers": float(len(drawn)), "share": share}
    severity: Severity = "info" if vitals.gain > _NEARLY_ALL else "warning"
    problem, layer = Problem.FROZEN_PARAMETER, drawn[0].name
    return [Symptom(problem, severity, evidence, figures, remedies, layer)]


def _within(vitals: Vitals) -> list[Symptom]:
    running = [layer for layer in vitals.layers if layer.trained and layer.ran]
    cut = [layer for layer in running if layer.optimized and not layer.has_gradient]
    forgotten = [layer for layer in running if not layer.optimized and layer.has_gradient]
    # What only a second loss of a batch runs through shows by its gradient.
    trained = [layer for layer in vitals.layers if layer.trained]
    reached = [layer for layer in trained if layer.ran or layer.has_gradient]
    waiting = [layer for layer in reached if layer.optimized and not layer.stepped]
    idle = waiting if vitals.step >= _LONG else []
    unrated = [layer for layer in running if layer.optimized and not layer.rated]
    waited = vitals.step >= max(_LONG, vitals.planned_steps / 2) and not vitals.gain > _WELL
    still = unrated if waited and len(unrated) < len(running) else []
    # Where optimisers take turns, it takes a while until each layer had its own.
    if vitals.step < (3 if vitals.one_loss else _LONG):
        return []
    if vitals.has_learned:
        # Steps that the Trainer does not see are made all the same.
        cut = [] if len(cut) == len(running) else cut
        idle = [] if len(idle) == len(reached) else idle
    if not (cut or forgotten or idle or still):
        return _others(vitals) or _still(vitals) or _unused(vitals)
    found, why = next(
        (layers, why)
        for layers, why in (
            (cut, "an optimiser has it, but it never gets a gradient"),
            (forgotten, "it gets a gradient, but no optimiser has it"),
            (idle, "the optimiser that has it never makes a step"),
            (still, "its learning rate was 0 at every step"),
        )
        if layers
    )
    share = sum(layer.entries for layer in found) / sum(layer.entries for layer in vitals.layers)
    evidence = f"{found[0].name} does not learn: {why}"
    part = f"{share:.0%}" if share > _NEGLIGIBLE else "under 1%"
    evidence += f" (so {len(found)} layers, {part} of the weights)." if len(found) > 1 else "."
    if cut:
        first = Remedy("Look for `detach`, `no_grad` or NumPy between the layer and the loss.")
    elif found is still:
        first = Remedy("See whether its schedule counts steps or epochs.", '"interval": "step"')
    else:
        first = Remedy("Give the optimiser all parameters.", "torch.optim.Adam(self.parameters())")
    remedies = (
        first,
        Remedy("Or freeze it openly.", "layer.requires_grad_(False)"),
    )
    figures, problem = {"layers": float(len(found)), "share": share}, Problem.FROZEN_PARAMETER
    # A part may have its turn later; or never, where one of many outputs is not used.
    goes_on = not vitals.is_rising if found is cut else vitals.is_well
    early = found is cut and share < _HALF and not vitals.had_a_long_chance
    harmless = early or (share < _SMALL and vitals.has_learned and goes_on)
    # One of two branches may do for the task.
    needless = found is cut and share < _HALF and vitals.gain > _VERY_WELL
    severity: Severity = "info" if harmless or needless else "warning"
    return [Symptom(problem, severity, evidence, figures, remedies, found[0].name)]


def _others(vitals: Vitals) -> list[Symptom]:
    """Embeddings and bare parameters that were left out of the optimiser's parameters."""
    # What is learned without an embedding may be enough; nobody makes a parameter of what is none.
    tables = [] if vitals.gain > _WELL else vitals.forgotten_tables
    names = vitals.forgotten_parameters or tables
    if not names or not vitals.had_a_chance:
        return []
    evidence = f"{names[0]} does not learn: it gets a gradient, but no optimiser has it."
    remedies = (
        Remedy("Give the optimiser all parameters.", "torch.optim.Adam(self.parameters())"),
        Remedy("Or freeze it openly.", f"{names[0]}.requires_grad_(False)"),
    )
    figures, problem = {"layers": float(len(names))}, Problem.FROZEN_PARAMETER
    return [Symptom(problem, "warning", evidence, figures, remedies, names[0])]


def _still(vitals: Vitals) -> list[Symptom]:
    """Embeddings, and parameters that belong to no layer, that stay as they were drawn."""
    layers = {layer.name for layer in vitals.layers}
    others = [name for name in vitals.unmoved if name.rpartition(".")[0] not in layers]
    names = [name for name in others if _never_moved(vitals, name)]
    moves = any(update > 0 for update in vitals.total_updates[-3:])
    if not names or not moves or vitals.step < _LONG or not vitals.had_a_chance:
        return []
    if 1.0 in vitals.dead.last.values():
        return []  # A layer that is dead as a whole lets nothing through to what is before it.
    every = sum(vitals.entries.values())
    share = sum(vitals.entries.get(name, 0) for name in names) / every if every else 1.0
    # A published network may have a token that this task has no use for.
    harmless = share < _NEGLIGIBLE or vitals.gain > _VERY_WELL
    more = f", nor do {len(names) - 1} others" if len(names) > 1 else ""
    evidence = f"{names[0]} does not move{more}, although an optimiser has it."
    remedies = (
        Remedy(
            "See whether the loss depends on it: a comparison, `round`, `argmax` or `detach` lets "
            "no gradient through."
        ),
        Remedy("Or leave it out, or freeze it openly.", f"{names[0]}.requires_grad_(False)"),
    )
    figures, problem = {"parameters": float(len(names)), "share": share}, Problem.FROZEN_PARAMETER
    severity: Severity = "info" if harmless else "warning"
    return [Symptom(problem, severity, evidence, figures, remedies, names[0])]


def _never_moved(vitals: Vitals, name: str) -> bool:
    """Whether it is none that stopped: with units that died, or waits for another."""
    if "bias" in name.rpartition(".")[2] or name in vitals.waiting:
        return False  # What follows may take a bias out again.
    # A matrix of a module of one's own is a layer by its own name.
    own = vitals.updates.of(plain_layer(name))
    owner = plain_layer(name.rpartition(".")[0]) or "root"
    steps = own or vitals.updates.of(owner)
    return not (steps and steps[0] > 0 and steps[-1] == 0)


def _unused(vitals: Vitals) -> list[Symptom]:
    """Layers that an optimiser has and that nobody calls."""
    idle = [
        layer.name
        for layer in vitals.layers
        if layer.trained and layer.optimized and not layer.ran and not layer.has_gradient
    ]
    if not idle or vitals.step < _LONG or not vitals.had_a_long_chance:
        return []
    others = f", nor were {len(idle) - 1} others" if len(idle) > 1 else ""
    evidence = (
        f"{idle[0]} was not called in the training batches that were looked at{others}, and gets "
        "no gradient."
    )
    remedies = (Remedy("Call it in `forward`, or leave it out."),)
    figures, problem = {"layers": float(len(idle))}, Problem.FROZEN_PARAMETER
    return [Symptom(problem, "info", evidence, figures, remedies, idle[0])]
