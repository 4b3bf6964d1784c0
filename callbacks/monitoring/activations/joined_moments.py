"""Moments of the units of all sites, joined over micro-batches and ranks."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from ....functional.activations import UnitStatistics, moment_sums, unit_statistics


def sums_by_site(measured: Sequence[tuple[str, Tensor]], *, on_host: bool) -> dict[str, Tensor]:
    """Add up the measurements at each site, with one transfer if the sums are to be on the host.

    Args:
        measured: Site and `unit_moments` of each call.
        on_host: Whether to return the sums on the host.

    Returns:
        `moment_sums` by site, shape ``(8, units)``; ``(8, 0)`` where the calls had different
        numbers of units.
    """
    if not measured:
        return {}
    parts = [moments.to(measured[0][1].device) for _, moments in measured]
    joined = torch.cat(parts, 1)
    columns = moment_sums(joined.cpu() if on_host else joined)
    sums: dict[str, Tensor] = {}
    added = torch.split(columns, [part.shape[1] for part in parts], 1)
    for (site, _), part in zip(measured, added, strict=True):
        known = sums.get(site)
        if known is None:
            sums[site] = part
        else:
            sums[site] = known + part if known.shape == part.shape else part[:, :0]
    return sums


def join_ranks(
    trainer: Trainer, pl_module: LightningModule, own: Mapping[str, Tensor] | None
) -> dict[str, UnitStatistics] | None:
    """Statistics by site over all ranks, the same on every rank, on the host.

    All ranks must call this together. They first agree on the sites, because some sites may have
    run on some ranks only; then there is one reduction and one transfer to the host. A site whose
    number of units differs between ranks is left out.

    Args:
        trainer: The Trainer.
        pl_module: The module that is trained.
        own: This rank's sums by site, or None if its monitor is off.

    Returns:
        Statistics by site, in the order of the calls; None if the monitor of any rank is off.
    """
    ranks = [None if own is None else {site: sums.shape[1] for site, sums in own.items()}]
    if trainer.world_size > 1:
        ranks *= trainer.world_size
        torch.distributed.all_gather_object(ranks, ranks[0])
    widths = _common_widths(ranks)
    if widths is None or own is None:
        return None
    if not widths:
        return {}
    alone = trainer.world_size == 1
    columns = [
        own[site] if site in own else torch.zeros(8, units, dtype=torch.float64)
        for site, units in widths.items()
    ]
    sums = torch.cat([part if alone else part.to(pl_module.device) for part in columns], 1)
    if not alone:
        sums = torch.as_tensor(trainer.strategy.reduce(sums, reduce_op="sum")).cpu()
    fields = [torch.split(field, list(widths.values())) for field in unit_statistics(sums)]
    statistics = (UnitStatistics(*of_site) for of_site in zip(*fields, strict=True))
    return dict(zip(widths, statistics, strict=True))


def join_layers(layers: Iterable[UnitStatistics]) -> UnitStatistics:
    """Concatenate the unit statistics of all layers."""
    none = UnitStatistics(*torch.empty(5, 0, dtype=torch.float64))
    return UnitStatistics(*map(torch.cat, zip(none, *layers, strict=True)))


def _common_widths(ranks: Sequence[Mapping[str, int] | None]) -> dict[str, int] | None:
    """Number of units by site, where ranks agree; None if any rank has None."""
    widths: dict[str, int] = {}
    for rank in ranks:
        if rank is None:
            return None
        for site, units in rank.items():
            widths[site] = units if widths.get(site, units) == units else 0
    return {site: units for site, units in widths.items() if units}
