"""Residual convolutional networks with torchvision's parameter names."""

import math
from typing import Literal, get_args

from torch import Tensor, nn

from ...functional.choices import choose
from .initializations import WeightLayer
from .recipe import Recipe

Depth = Literal[18, 34, 50, 101, 152]
Stem = Literal["imagenet", "cifar"]
# Blocks of each stage (He et al. 2016, table 1), and whether they are bottlenecks.
_STAGES: dict[int, tuple[tuple[int, ...], bool]] = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
_EXPANSION = 4


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016, figure 5, left).

    Args:
        inputs: Input channels.
        width: Channels of both convolutions.
        stride: Stride of the first convolution.
        recipe: Settings of the layers.
    """

    def __init__(self, inputs: int, width: int, stride: int, recipe: Recipe) -> None:
        super().__init__()
        self.conv1 = _conv(recipe, inputs, width, 3, stride)
        self.bn1 = recipe.make_norm(width, dims=2)
        self.activation1 = recipe.make_activation()
        self.conv2 = _conv(recipe, width, width, 3)
        self.bn2 = recipe.make_norm(width, dims=2)
        self.downsample = _shortcut(inputs, width, stride, recipe)
        self.activation2 = recipe.make_activation()

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of the sum of branch and shortcut."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.activation1(self.bn1(self.conv1(x)))
        activated: Tensor = self.activation2(self.bn2(self.conv2(x)) + shortcut)
        return activated

    def branch(self) -> tuple[list[nn.Conv2d], nn.Module]:
        """Return the convolutions in order, and the normalisation of the last."""
        return [self.conv1, self.conv2], self.bn2


class Bottleneck(nn.Module):
    """Convolutions 1x1, 3x3 and 1x1 with a shortcut (He et al. 2016, figure 5, right).

    The stride is that of the 3x3 convolution, as in torchvision, so that no position is skipped.

    Args:
        inputs: Input channels.
        width: Channels of the first two convolutions; the last has four times as many.
        stride: Stride of the 3x3 convolution.
        recipe: Settings of the layers.
    """

    def __init__(self, inputs: int, width: int, stride: int, recipe: Recipe) -> None:
        super().__init__()
        outputs = _EXPANSION * width
        self.conv1 = _conv(recipe, inputs, width, 1)
        self.bn1 = recipe.make_norm(width, dims=2)
        self.activation1 = recipe.make_activation()
        self.conv2 = _conv(recipe, width, width, 3, stride)
        self.bn2 = recipe.make_norm(width, dims=2)
        self.activation2 = recipe.make_activation()
        self.conv3 = _conv(recipe, width, outputs, 1)
        self.bn3 = recipe.make_norm(outputs, dims=2)
        self.downsample = _shortcut(inputs, outputs, stride, recipe)
        self.activation3 = recipe.make_activation()

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of the sum of branch and shortcut."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.activation1(self.bn1(self.conv1(x)))
        x = self.activation2(self.bn2(self.conv2(x)))
        activated: Tensor = self.activation3(self.bn3(self.conv3(x)) + shortcut)
        return activated

    def branch(self) -> tuple[list[nn.Conv2d], nn.Module]:
        """Return the convolutions in order, and the normalisation of the last."""
        return [self.conv1, self.conv2, self.conv3], self.bn3


class ResidualNetwork(nn.Module):
    """Stem, four stages of residual blocks, a global average, dropout and a linear layer.

    Names and shapes of the weights are those of torchvision's ``ResNet``.

    Args:
        in_channels: Channels of the images.
        outputs: Number of outputs for each image.
        depth: 18, 34, 50, 101 or 152.
        stem: ``"imagenet"`` or ``"cifar"``.
        width: Channels of the stem and of the first stage's 3x3 convolutions.
        recipe: Settings of the layers; its dropout is applied before the linear layer.
    """

    def __init__(
        self,
        in_channels: int,
        outputs: int,
        *,
        depth: int,
        stem: str,
        width: int,
        recipe: Recipe,
    ) -> None:
        super().__init__()
        counts, bottleneck = _STAGES[depth]
        large = stem == "imagenet"
        self.conv1 = _conv(recipe, in_channels, width, 7 if large else 3, 2 if large else 1)
        self.bn1 = recipe.make_norm(width, dims=2)
        self.activation = recipe.make_activation()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        features, stages = width, []
        for stage, count in enumerate(counts):
            blocks: list[nn.Module] = []
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                make = Bottleneck if bottleneck else BasicBlock
                blocks.append(make(features, width * 2**stage, stride, recipe))
                features = width * 2**stage * (_EXPANSION if bottleneck else 1)
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(recipe.dropout)
        self.fc = nn.Linear(features, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs, ``(N, outputs)``, for images of shape ``(N, in_channels, H, W)``."""
        x = self.maxpool(self.activation(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        outputs: Tensor = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return outputs

    def blocks(self) -> list[BasicBlock | Bottleneck]:
        """Return the residual blocks in order."""
        return [m for m in self.modules() if isinstance(m, (BasicBlock, Bottleneck))]


def check_residual(depth: int, stem: str) -> None:
    """Refuse an unknown depth or stem."""
    if depth not in _STAGES:
        known = ", ".join(map(str, _STAGES))
        raise ValueError(f"Expected `depth` to be one of {known}, but got {depth!r}.")
    choose("stem", stem, dict.fromkeys(get_args(Stem)))


def initialize_residual(
    network: ResidualNetwork, recipe: Recipe, *, zero_init_residual: bool
) -> None:
    r"""Initialise a residual network in place.

    The last convolution of a branch feeds the sum and has gain 1; a convolution on the shortcut
    carries the sum and has the gain of the activation after it. Without normalisation, a branch
    would therefore add as much mean square as the shortcut carries, which doubles it. So ``"auto"``
    divides the last convolution of each of the :math:`L` branches by :math:`\sqrt{L}`: with ReLU,
    the mean square then grows by a factor of at most :math:`(1+1/L)^L < e` through all blocks. A
    normalisation would undo the factor, so it is only applied without one.

    Args:
        network: The network.
        recipe: Settings that it was created with.
        zero_init_residual: Whether each branch is zero initially, by setting the scale of its last
            normalisation, or without one its last convolution, to zero.

    Raises:
        ValueError: If the normalisation has no scale to set to zero.

    Reference:
        Hayou et al. 2021, "Stable ResNet", section 3.
    """
    # One instance represents all, because computing a gain takes a while.
    activation = recipe.make_activation()
    layers = [WeightLayer(network.conv1, None, activation)]
    for block in network.blocks():
        *inner, last = block.branch()[0]
        layers += [WeightLayer(conv, activation, activation) for conv in inner]
        layers.append(WeightLayer(last, activation, None))
        if block.downsample is not None:
            layers.append(WeightLayer(block.downsample[0], activation, activation))
    recipe.initialize([*layers, WeightLayer(network.fc, activation, None)])
    factor = 1.0
    if recipe.norm == "none" and recipe.init == "auto":
        factor = 1 / math.sqrt(len(network.blocks()))
    for block in network.blocks():
        convolutions, norm = block.branch()
        if zero_init_residual:
            _zero_branch(convolutions[-1], norm)
        else:
            _scale(convolutions[-1], factor)


def _conv(recipe: Recipe, inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=recipe.bias)


def _shortcut(inputs: int, outputs: int, stride: int, recipe: Recipe) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    norm = recipe.make_norm(outputs, dims=2)
    return nn.Sequential(_conv(recipe, inputs, outputs, 1, stride), norm)


def _scale(layer: nn.Module, factor: float) -> None:
    for parameter in layer.parameters():
        parameter.data.mul_(factor)


def _zero_branch(convolution: nn.Conv2d, norm: nn.Module) -> None:
    if isinstance(norm, nn.Identity):
        _scale(convolution, 0.0)
        return
    scales = [p for name, p in norm.named_parameters() if name.endswith("weight")]
    if not scales:
        raise ValueError(
            "Expected `norm_options` to keep the scale of the normalisation for "
            "`zero_init_residual=True`, but got one without. Remove `affine=False`."
        )
    for scale in scales:
        nn.init.zeros_(scale)
