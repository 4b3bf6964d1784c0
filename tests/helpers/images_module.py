"""A module that keeps the batches that it gets."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor


class BatchRecorder(LightningModule):
    """Keeps ``(x, y)`` of every step by its stage, and learns one number from them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.batches: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self._keep("train", batch)
        return (self.weight * batch[0]).float().mean() ** 2

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self._keep("sanity" if self.trainer.sanity_checking else "val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._keep("test", batch)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        self._keep("predict", batch)
        return batch[1]

    def _keep(self, stage: str, batch: Any) -> None:
        kept = tuple(tensor.detach().cpu().clone() for tensor in batch)
        self.batches.setdefault(stage, []).append(kept)

    def together(self, stage: str) -> tuple[Tensor, Tensor]:
        x, y = zip(*self.batches[stage], strict=True)
        return torch.cat(x), torch.cat(y)
