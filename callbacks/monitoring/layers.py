"""Which layer a parameter belongs to, and which strategies leave parameters whole."""

from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn


def layers_by_parameter(module: nn.Module) -> dict[Tensor, str]:
    """Name of the module that owns each parameter; a shared one belongs to the first."""
    return {
        parameter: name.rpartition(".")[0] or "root"
        for name, parameter in module.named_parameters()
    }


def weight_layers(module: nn.Module) -> list[str]:
    """Layers that have a matrix or a convolution kernel, in the order of registration."""
    named = module.named_parameters()
    return list(dict.fromkeys(n.rpartition(".")[0] or "root" for n, p in named if _is_matrix(p)))


def _is_matrix(parameter: Tensor) -> bool:
    return isinstance(parameter, nn.UninitializedParameter) or parameter.ndim > 1


def refuse_flattening(monitor: str, trainer: Trainer, pl_module: LightningModule) -> None:
    """Refuse strategies that flatten the parameters of several layers into one.

    Raises:
        TypeError: If the Trainer's strategy is FSDP1 or DeepSpeed.
    """
    # By name: the same class may come from lightning or from pytorch_lightning.
    names = [base.__name__ for base in type(trainer.strategy).__mro__]
    if "FSDPStrategy" in names or "DeepSpeedStrategy" in names:
        raise TypeError(
            f"Expected {monitor} to find each layer's own parameters and gradients, but "
            f"{names[0]} flattens them: use ModelParallelStrategy (FSDP2) or DDP."
        )
