"""Rules of other tools as their authors published them, in a simple form, in the same trainings.

Each looks at every tenth step. Thresholds are the published defaults:

- SageMaker Debugger's built-in rules: vanishing gradient (mean of the magnitudes below 1e-7),
  exploding tensor (NaN or infinity), dead ReLU (more than half of a layer's entries 0), loss not
  decreasing (by 0.1% over ten looks), saturated activation, class imbalance is left out;
- AUTOTRAINER (Zhang et al. 2021, doi:10.1109/ICSE43902.2021.00043): ratio of the norms of
  first and last layer below 1e-3 with the first below 1e-4 vanishes, above 70 or NaN explodes; more
  than 70% of a layer's gradients 0 is a dying ReLU; the loss hardly moves or swings;
- DeepDiagnosis (Wardat et al. 2022, arXiv:2112.04036): more than 70% of a layer's outputs 0 is a
  dead node, 5 or more in front of a sigmoid or tanh is saturation, loss not decreasing.
"""

import math
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

_EVERY = 10
_BOUNDED = (nn.Sigmoid, nn.Tanh)


class PeerRules(Callback):
    """Collect what the peers' rules say.

    Attributes:
        said: Problems by tool.
    """

    def __init__(self) -> None:
        self.said: dict[str, set[str]] = {
            n: set() for n in ("SageMaker", "AUTOTRAINER", "DeepDiagnosis")
        }
        self._losses: list[float] = []
        self._zeros: dict[str, float] = {}
        self._saturated: dict[str, float] = {}
        self._handles: list[Any] = []

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % _EVERY:
            return
        for name, module in pl_module.named_modules():
            if isinstance(module, (nn.ReLU, *_BOUNDED)):
                self._handles.append(module.register_forward_hook(self._look(name)))

    def _look(self, name: str) -> Any:
        def look(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            if torch._C._functorch.maybe_current_level() is not None:
                return  # inside of torch.vmap there is nothing to read
            if isinstance(module, nn.ReLU):
                self._zeros[name] = float((output == 0).float().mean())
            else:
                self._saturated[name] = float((inputs[0].abs() >= 5).float().mean())

        return look

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        if trainer.global_step % _EVERY:
            return
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None and p.ndim > 1]
        if not gradients or any(g.is_sparse for g in gradients):
            return
        norms = [float(g.norm()) for g in gradients]
        means = [float(g.abs().mean()) for g in gradients]
        zeros = [float((g == 0).float().mean()) for g in gradients]
        self._sagemaker(means)
        self._autotrainer(norms, zeros)
        self._deepdiagnosis(means)

    def _sagemaker(self, means: list[float]) -> None:
        said = self.said["SageMaker"]
        if not all(map(math.isfinite, means)):
            said.add("non_finite")
        if any(mean < 1e-7 for mean in means):
            said.add("vanishing_gradient")
        if any(share > 0.5 for share in self._zeros.values()):
            said.add("dead_relu")
        if any(share > 0.5 for share in self._saturated.values()):
            said.add("saturated_activation")
        if self._stands():
            said.add("not_learning")

    def _autotrainer(self, norms: list[float], zeros: list[float]) -> None:
        said = self.said["AUTOTRAINER"]
        ratio = norms[0] / norms[-1] if norms[-1] > 0 else 0.0
        if ratio < 1e-3 and norms[0] < 1e-4:
            said.add("vanishing_gradient")
        if ratio > 70 or not all(map(math.isfinite, norms)):
            said.add("exploding_gradient")
        if any(share > 0.7 for share in zeros) and self._zeros:
            said.add("dead_relu")
        recent = self._losses[-10:]
        turns = [
            (b - a) * (c - b) < 0 for a, b, c in zip(recent, recent[1:], recent[2:], strict=False)
        ]
        if len(recent) == 10 and sum(turns) > 5 and max(recent) > 1.5 * min(recent):
            said.add("unstable_loss")
        if self._stands():
            said.add("learning_rate_too_low")

    def _deepdiagnosis(self, means: list[float]) -> None:
        said = self.said["DeepDiagnosis"]
        if not all(map(math.isfinite, means)):
            said.add("non_finite")
        if any(mean < 1e-7 for mean in means):
            said.add("vanishing_gradient")
        if any(share > 0.7 for share in self._zeros.values()):
            said.add("dead_relu")
        if any(share > 0.7 for share in self._saturated.values()):
            said.add("saturated_activation")
        if self._stands():
            said.add("not_learning")

    def _stands(self) -> bool:
        recent = self._losses[-11:]
        return len(recent) == 11 and recent[-1] > 0.999 * recent[0]

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if trainer.global_step % _EVERY == 0 and isinstance(loss, torch.Tensor):
            self._losses.append(float(loss))
