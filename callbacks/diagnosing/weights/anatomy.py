"""The weight layers of a network, and how they are initialised."""

from collections.abc import Iterable
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from ..vital_signs.signs import NAN, Layer


def matrices_of(module: nn.Module) -> list[Tensor]:
    """Return the weight matrices or kernels that a module itself owns.

    A recurrent layer has several, an embedding none.
    """
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return []
    own = module.parameters(recurse=False)
    return [p for p in own if not isinstance(p, nn.UninitializedParameter) and p.ndim > 1]


def find_layers(module: nn.Module, optimizers: Iterable[Optimizer]) -> list[Layer]:
    """Return the weight layers in order of registration, with ``ran`` False for now."""
    optimized = parameters_of(optimizers)
    return [
        Layer(
            name,
            entries=sum(w.numel() for w in weights),
            trained=weights[0].requires_grad,
            optimized=weights[0] in optimized,
            ran=False,
            matrices=len(weights),
        )
        for name, part in module.named_modules()
        if (weights := matrices_of(part))
    ]


def parameters_of(optimizers: Iterable[Optimizer]) -> set[Tensor]:
    """Return all parameters of the optimisers."""
    return {p for o in optimizers for group in o.param_groups for p in group["params"]}


def is_torchs(module: nn.Module) -> bool:
    """Whether a module's class is of `torch.nn`, and not somebody's own."""
    return type(module).__module__.startswith("torch.nn.")


def is_composite(module: nn.Module) -> bool:
    """Whether a custom module contains weight layers: its own weight may be applied after theirs.

    Its input is theirs; a position table of its own does not make it a layer.
    """
    if is_torchs(module):
        return False
    return any(part is not module and matrices_of(part) for part in module.modules())


def embedding_tables(module: nn.Module) -> dict[str, Tensor]:
    """Return the embedding tables of more than one column, by the name of their embedding."""
    kinds = (nn.Embedding, nn.EmbeddingBag)
    found = ((n, part.weight) for n, part in module.named_modules() if isinstance(part, kinds))
    return {name: table for name, table in found if is_whole(table) and table.shape[1] > 1}


def bare_parameters(module: nn.Module) -> dict[str, Tensor]:
    """Return the parameters that custom modules own beside their layers: a temperature, a rate."""
    found: dict[str, Tensor] = {}
    for name, part in module.named_modules():
        if not is_torchs(part):
            matrix = next(iter(matrices_of(part)), None)
            own = part.named_parameters(name, recurse=False)
            found |= {n: p for n, p in own if p is not matrix and is_whole(p)}
    return found


def own_matrices(module: nn.Module) -> dict[str, Tensor]:
    """Return the matrices outside torch's layers: those that custom modules multiply by, or add."""
    found: dict[str, Tensor] = {}
    for name, part in module.named_modules():
        if not is_torchs(part) or isinstance(part, (nn.ParameterDict, nn.ParameterList)):
            parameters = part.named_parameters(name, recurse=False)
            found |= {n: p for n, p in parameters if p.ndim == 2 and is_whole(p)}
    return found


def dropout_rates(module: nn.Module) -> list[float]:
    """Return the probability of each dropout layer."""
    dropouts = (m for m in module.modules() if isinstance(m, nn.modules.dropout._DropoutNd))
    return [float(m.p) for m in dropouts]


def largest_recurrent_gain(module: nn.Module) -> float:
    """Estimate the largest growth of a state per time step from the trained recurrent weights.

    Root mean square of the weights times the square root of the state's size: 0.58 with torch's
    initialisation, 1 for orthogonal weights. NaN if there are none or they are sharded (FSDP2).
    """
    gains: list[float] = []
    for part in module.modules():
        if isinstance(part, (nn.RNNBase, nn.RNNCellBase)):
            weights = [w for name, w in part.named_parameters() if name.startswith("weight_hh")]
            whole = [w.detach() for w in weights if w.requires_grad and is_whole(w)]
            gains += [float(w.float().square().mean() * w.shape[1]) ** 0.5 for w in whole]
    return max(gains, default=NAN)


def count_gates(module: nn.Module) -> int:
    """Return the number of blocks of units in a layer's weight: the gates of a recurrent layer."""
    if not isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        return 1
    return max(1, len(matrices_of(module)[0]) // int(module.hidden_size))


def gradient_of(weight: Tensor) -> Tensor | None:
    """Return a weight's gradient; None if the weight is computed, as a differentiable copy is."""
    return weight.grad if weight.is_leaf else None


def have_identical_units(weight: Tensor, *, sure: bool, gates: int = 1) -> Tensor:
    """Whether all units have the same weights and the same gradients; a flag on the device.

    Gradients of 0 count as the same only if ``sure``: in the first steps they may be temporary, as
    behind a gate that starts closed. For a sharded weight (FSDP2) it is unknown, and False.
    """
    return _are_identical(weight, gradient_of(weight), sure=sure, gates=gates)


def have_identical_columns(table: Tensor) -> Tensor:
    """Whether all columns are the same, likewise, of a matrix that has two or more."""
    gradient = gradient_of(table)
    if table.ndim != 2 or gradient is None or gradient.layout != torch.strided:
        return torch.zeros((), dtype=torch.bool, device=table.device)
    return _are_identical(table.T, gradient.T, sure=False, gates=1)


def _are_identical(weight: Tensor, gradient: Tensor | None, *, sure: bool, gates: int) -> Tensor:
    if not is_whole(gradient) or len(weight) // gates < 2:
        return torch.zeros((), dtype=torch.bool, device=weight.device)
    with torch.no_grad():
        # On the host, the first two units usually decide.
        if weight.device.type == "cpu" and not torch.equal(weight[0], weight[1]):
            return torch.zeros((), dtype=torch.bool)
        blocks = [
            part.detach().reshape(gates, len(part) // gates, -1) for part in (weight, gradient)
        ]
        same = torch.stack([(block == block[:, :1]).all() for block in blocks]).all()
        return same if sure else same & gradient.any()


def weight_gain(weight: Tensor) -> Tensor:
    """Return `Layer.weight_gain`, on the device; NaN for a sharded weight (FSDP2)."""
    plain = type(weight) in (Tensor, nn.Parameter) and weight.is_floating_point()
    with torch.no_grad():
        if not plain or weight.is_meta or not is_whole(weight) or min(weight.shape) < 1:
            return torch.full((), NAN)
        # A single column holds the norms of the rows of a matrix (weight_norm).
        if len(weight) == 1 or weight[0].numel() == 1:
            return torch.full((), NAN)
        values = weight.detach().float()
        low, high = values.aminmax()
        side = max(len(weight), weight[0].numel())
        return torch.where(low == high, 0.0, values.std() * side**0.5)


def are_waiting(weight: nn.Parameter) -> Tensor:
    """Whether a weight and its gradient are all 0, as with two weights that wait for each other."""
    gradient = gradient_of(weight)
    with torch.no_grad():
        no = torch.zeros((), dtype=torch.bool, device=weight.device)
        if weight.ndim < 2 or not is_whole(gradient) or not gradient.numel():
            return no
        if weight.device.type == "cpu" and weight[0].any():
            return no
        return ~(weight.detach().any() | gradient.any())


def is_whole(x: Any) -> TypeGuard[Tensor]:
    """Whether it is a dense tensor that this rank holds completely."""
    if not isinstance(x, Tensor) or isinstance(x, DTensor):
        return False
    return x.layout == torch.strided and not x.is_nested
