"""What one rank contributes when all ranks exchange data."""

from dataclasses import dataclass

from .inputs.first_batches import BatchNews
from .losses.loss_record import LossNews
from .validation import Check
from .weights.weight_inspection import WeightNews


@dataclass(frozen=True)
class News:
    """What one rank has observed since the last news, on the host.

    Attributes:
        losses: News of its losses.
        batches: News of its layers' inputs.
        in_graph: Number of weight layers in the loss's graph, whether all between them is affine,
            and how many sigmoids and tanhs are outputs.
        weights: News of its weights and their gradients.
        through_time: A layer that processes sequences, and the sizes of gradients through time.
        passes_by_hand: The most losses of a batch under manual optimisation, see `LossesByHand`.
        uncleared: See `Clearing`.
        first_gap: See `DataGaps`.
        side_losses: See `SideLosses`.
        unfed: See `UnfedNorms`.
        validated: See `ValidatedInputs`.
    """

    losses: LossNews
    batches: BatchNews
    in_graph: tuple[int, bool, int]
    weights: WeightNews
    through_time: tuple[str, list[float]]
    passes_by_hand: int
    uncleared: int
    first_gap: int
    side_losses: list[tuple[str, str]]
    unfed: list[str]
    validated: list[float]


@dataclass(frozen=True)
class RankNews:
    """What the doctor of one rank contributes to a report.

    Attributes:
        seen: What was observed since the previous report.
        check: Loss and score of validation.
        failed: For each monitor, whether it switched itself off.
    """

    seen: News
    check: Check
    failed: tuple[bool, ...]
