"""A weight layer and the normalisation of its outputs as one module."""

from typing import Any

from torch import Tensor, nn

from .choices import Options
from .normalizations import make_norm


class NormalizedLayer(nn.Module):
    """A convolution or linear layer, then a normalisation of its channels or features.

    Attributes of the layer, such as ``weight`` or ``out_channels``, can be read and set through
    this module. A state dict saved before the layer was wrapped loads with ``strict=False``: only
    the normalisation's own entries are missing. Outputs of convolutions must have a batch
    dimension.

    Args:
        layer: Convolution, transposed or not, or linear layer.
        norm: ``"batch"``, ``"layer"``, ``"group"``, ``"instance"`` or ``"rms"``.
        norm_options: Arguments of the normalisation.

    Raises:
        ValueError: If the normalisation is unknown or does not fit.

    Example:
        >>> import torch
        >>> linear = NormalizedLayer(nn.Linear(4, 6), "batch")
        >>> linear(torch.zeros(2, 3, 4)).shape, linear.out_features
        (torch.Size([2, 3, 6]), 6)
    """

    def __init__(self, layer: Any, norm: str, norm_options: Options | None = None) -> None:
        super().__init__()
        dense = isinstance(layer, nn.Linear)
        self.dims = 0 if dense else len(layer.kernel_size)
        width = layer.out_features if dense else layer.out_channels
        made = make_norm(norm, width, dims=self.dims, options=norm_options)
        like = next(layer.parameters())
        self.layer = layer  # first, so that submodules are registered in running order
        self.norm = made.to(device=like.device, dtype=like.dtype)
        self.train(layer.training)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Normalise the layer's outputs; leading dimensions of a linear layer are samples."""
        outputs: Tensor = self.layer(*args, **kwargs)
        if self.dims == 0:
            rows = outputs.reshape(-1, outputs.shape[-1])
            normalized: Tensor = self.norm(rows).reshape(outputs.shape)
        else:
            normalized = self.norm(outputs)
        return normalized

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            layer = self.__dict__.get("_modules", {}).get("layer")
            # Python's own protocols, such as copying, concern this module.
            if layer is None or name.startswith("__"):
                raise
            return getattr(layer, name)

    def __setattr__(self, name: str, value: Any) -> None:
        layer = self.__dict__.get("_modules", {}).get("layer")
        own = name in self.__dict__ or name in ("layer", "norm") or hasattr(type(self), name)
        if layer is not None and not own and hasattr(layer, name):
            setattr(layer, name, value)
        else:
            super().__setattr__(name, value)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for key in [k for k in state_dict if k.startswith(prefix)]:
            name = key.removeprefix(prefix)
            if name.partition(".")[0] not in ("layer", "norm"):
                state_dict[f"{prefix}layer.{name}"] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
