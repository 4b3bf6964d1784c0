"""What others do to see a training run's gradients and activations, each as a callback."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import grad_norm
from torch import Tensor, nn
from torch.optim import Optimizer

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh)


class LightningGradNorm(Callback):
    """The recipe of Lightning's documentation."""

    def __init__(self, every_n_steps: int) -> None:
        self.every_n_steps = every_n_steps

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        if (trainer.global_step + 1) % self.every_n_steps == 0:
            pl_module.log_dict(grad_norm(pl_module, norm_type=2))


class Watch(Callback):
    """``wandb.watch``; where it looks at each step, each step is also logged as a row."""

    def __init__(self, log: Literal["gradients", "all"], log_freq: int = 1000) -> None:
        self.what, self.log_freq = log, log_freq

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.run: Any = trainer.loggers[0].experiment
        # Index 0 keeps the names of the charts the same in each fit.
        self.run.watch(pl_module.network, log=self.what, log_freq=self.log_freq, idx=0)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.log_freq == 1:
            trainer.loggers[0].log_metrics({}, step=trainer.global_step - 1)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.run.unwatch(pl_module.network)


class NaiveHooks(Callback):
    """What one writes in a hurry: read each activation and each gradient in each step."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.zeros: dict[str, float] = {}
        self.norms: dict[str, float] = {}
        for name, module in pl_module.named_modules():
            if isinstance(module, ACTIVATIONS):
                module.register_forward_hook(self._hook(name))

    def _hook(self, name: str) -> Any:
        def hook(module: nn.Module, args: Any, output: Tensor) -> None:
            self.zeros[name] = (output <= 0).float().mean().item()

        return hook

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        for name, parameter in pl_module.named_parameters():
            if parameter.grad is not None:
                self.norms[name] = parameter.grad.norm().item()


class LeastPasses(Callback):
    """Norms of gradients, weights and updates by torch's own operations on all tensors at once.

    The least that exact ones take: nothing is kept or logged, and no activation is seen.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.weights = [p.detach() for p in pl_module.parameters()]
        self.before = [weight.clone() for weight in self.weights]

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        self.norms = torch._foreach_norm(gradients)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.lengths = torch._foreach_norm(self.weights)
        torch._foreach_sub_(self.before, self.weights)
        self.moves = torch._foreach_norm(self.before)
        torch._foreach_copy_(self.before, self.weights)


class IndividualLosses(nn.Module):
    """The cross-entropy as Cockpit needs it: extended, and of each sample too."""

    def __init__(self, extended: nn.Module) -> None:
        super().__init__()
        self.extended = extended

    def forward(self, logits: Tensor, y: Tensor) -> Tensor:
        self.individual = nn.functional.cross_entropy(logits, y, reduction="none")
        loss: Tensor = self.extended(logits, y)
        return loss


class Cockpit(Callback):
    """Cockpit's economy configuration (Schneider, Dangel and Hennig, 2021)."""

    def __init__(self, every_n_steps: int) -> None:
        self.every_n_steps = every_n_steps

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        from backpack import extend
        from cockpit import Cockpit as TheirCockpit
        from cockpit.utils.configuration import configuration
        from cockpit.utils.schedules import linear

        chain = isinstance(pl_module.network, nn.Sequential)
        pl_module.network = extend(pl_module.network, use_converter=not chain)
        pl_module.loss_function = IndividualLosses(extend(nn.CrossEntropyLoss()))
        quantities = configuration("economy", linear(self.every_n_steps))
        self.cockpit = TheirCockpit(pl_module.network.parameters(), quantities=quantities)

    def on_before_backward(
        self, trainer: Trainer, pl_module: LightningModule, loss: Tensor
    ) -> None:
        losses = pl_module.loss_function.individual
        info = {
            "batch_size": len(losses),
            "individual_losses": losses,
            "loss": loss,
            "optimizer": trainer.optimizers[0],
        }
        self.context = self.cockpit(trainer.global_step, info=info)
        self.context.__enter__()

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.context.__exit__(None, None, None)


def missing(modules: Sequence[str]) -> str:
    """Why one of the modules cannot be imported; empty if all can."""
    for name in modules:
        try:
            __import__(name)
        except ImportError as error:
            return f"{type(error).__name__}: {error}"
    return ""
