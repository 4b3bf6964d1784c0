import copy
import math

import pytest
import torch
from helpers.networks import mlp
from lightning.pytorch import LightningModule
from torch import nn
from torch.nn import functional
from torchvision.models import resnet18, vit_b_16

from torchvitals.lightning_modules import (
    reinitialize,
)
from torchvitals.lightning_modules.building_blocks.initializations import WeightLayer, initialize


class Branching(nn.Module):
    """Its code cannot be followed on symbols."""

    def __init__(self):
        super().__init__()
        self.fc1, self.act1, self.fc2 = nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8)
        self.act2, self.head = nn.Sigmoid(), nn.Linear(8, 2)

    def forward(self, x):
        x = self.act2(self.fc2(self.act1(self.fc1(x))))
        return self.head(x) if x.sum() > 0 else x


class Backwards(nn.Module):
    """Registered backwards, with functions for activations."""

    def __init__(self):
        super().__init__()
        self.head, self.fc2, self.fc1 = nn.Linear(8, 2), nn.Linear(8, 8), nn.Linear(6, 8)
        self.seen = None

    def forward(self, x, scale=None):
        x = functional.leaky_relu(self.fc1(x), 0.5)
        self.seen = x
        return self.head(torch.sigmoid(self.fc2(x)) if scale is None else x * scale)


class Gated(nn.Module):
    """The head reads a product, which has not the mean of a sigmoid."""

    def __init__(self):
        super().__init__()
        self.fc, self.head = nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x):
        return self.head(x * torch.sigmoid(self.fc(x)))


class Recorder(LightningModule):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def training_step(self, batch, batch_idx):
        return self.network(batch).sum()


def convolutional():
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SELU()),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.Sigmoid(), nn.GroupNorm(1, 4)),
        nn.Flatten(),
        nn.Linear(4, 2),
    )


@pytest.mark.parametrize("init", ["auto", "orthogonal", "kaiming_uniform"])
@pytest.mark.parametrize(
    ("make", "layers"),
    [
        (mlp, [("0", None, nn.ReLU()), ("2", nn.ReLU(), nn.ReLU()), ("4", nn.ReLU(), None)]),
        (
            convolutional,
            [("0.0", None, nn.SELU()), ("2.0", nn.SELU(), nn.Sigmoid()), ("4", None, None)],
        ),
        (
            Branching,
            [
                ("fc1", None, nn.ReLU()),
                ("fc2", nn.ReLU(), nn.Sigmoid()),
                ("head", nn.Sigmoid(), None),
            ],
        ),
        (
            Backwards,
            [
                ("head", nn.Sigmoid(), None),
                ("fc2", nn.LeakyReLU(0.5), nn.Sigmoid()),
                ("fc1", None, nn.LeakyReLU(0.5)),
            ],
        ),
        (
            Gated,
            [("fc", None, nn.Sigmoid()), ("head", None, None)],
        ),
        (
            lambda: Recorder(nn.ModuleList([nn.Conv1d(2, 3, 1), nn.PReLU(init=0.25)])),
            [("network.0", None, nn.PReLU())],
        ),
    ],
)
def test_weights_equal_those_for_the_activations_around(make, layers, init):
    network = make()
    before = copy.deepcopy(network.state_dict())
    expected = copy.deepcopy(network)
    torch.manual_seed(0)
    initialize([WeightLayer(expected.get_submodule(n), b, a) for n, b, a in layers], init)
    torch.manual_seed(0)
    changed = reinitialize(network, init).state_dict()
    for name, value in expected.state_dict().items():
        assert torch.equal(changed[name], value), name
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert getattr(network, "seen", None) is None


def test_a_trained_network_becomes_as_good_as_new():
    torch.manual_seed(0)
    network = resnet18(num_classes=3)
    for parameter in network.parameters():
        parameter.data.fill_(7)
    network(torch.randn(4, 3, 32, 32))
    network.eval().layer1.requires_grad_(False)
    changed = reinitialize(network)
    fresh, new = resnet18().state_dict(), changed.state_dict()
    norms = [n for n in new if n.startswith("bn1") or ".bn" in n or ".downsample.1" in n]
    assert len(norms) == 100
    assert all(torch.equal(new[name], fresh[name]) for name in norms)
    conv = changed.layer2[0].conv2.weight
    assert conv.std().item() == pytest.approx(math.sqrt(2 / (128 * 9)), rel=0.02)
    assert changed.fc.weight.std().item() == pytest.approx(math.sqrt(1 / 512), rel=0.1)
    assert not changed.training
    assert [p.requires_grad for p in changed.parameters()] == [
        p.requires_grad for p in network.parameters()
    ]


@pytest.mark.parametrize(
    ("layer", "limit"),
    [
        (nn.Embedding(50, 8), None),
        (nn.LSTM(4, 16), 1 / 4),
        (nn.MultiheadAttention(8, 2), math.sqrt(6 / 32)),
        (nn.Bilinear(4, 4, 4), 1 / 2),
    ],
)
def test_other_layers_reset_themselves(layer, limit):
    for parameter in layer.parameters():
        parameter.data.fill_(7)
    weights = [p for p in reinitialize(nn.Sequential(layer)).parameters() if p.ndim > 1]
    assert weights
    for weight in weights:
        assert weight.unique().numel() == weight.numel()
        assert limit is None or weight.abs().max() <= max(limit, 1 / math.sqrt(8))


def test_what_cannot_be_reset_is_said():
    with pytest.warns(UserWarning, match=r"class_token, encoder\.pos_embedding"):
        network = reinitialize(vit_b_16())
    assert network.class_token.count_nonzero() == 0


@pytest.mark.parametrize("init", ["auto", "orthogonal", "default"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dtype_and_identity_of_the_weights_stay(init, dtype):
    network = mlp(dtype=dtype)
    old, values = list(network.parameters()), copy.deepcopy(network.state_dict())
    assert reinitialize(network, init, inplace=True) is network
    assert all(a is b for a, b in zip(network.parameters(), old, strict=True))
    assert {p.dtype for p in network.parameters()} == {dtype}
    assert not any(torch.equal(p, values[n]) for n, p in network.named_parameters())


def test_torchs_transformer_gets_weights_for_its_activation():
    network = nn.TransformerEncoderLayer(256, 2, 512, activation="relu", batch_first=True)
    changed = reinitialize(network)
    assert changed.linear1.weight.std().item() == pytest.approx(math.sqrt(2 / 256), rel=0.02)
    assert changed.linear2.weight.std().item() == pytest.approx(math.sqrt(1 / 512), rel=0.02)
