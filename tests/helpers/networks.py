"""Small networks that code outside of this package may look like."""

import torch
import torch.nn.functional as F
from torch import nn


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(6, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


class Branching(nn.Module):
    """Its code cannot be followed on symbols."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.ReLU()
        self.fc, self.act2, self.head = nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)

    def forward(self, x):
        if x.sum() > 1e9:
            return x
        return self.head(self.act2(self.fc(self.act(self.norm(self.conv(x))).mean(2))))


class PreActivation(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.norm, self.act, self.head = nn.GroupNorm(1, 3), nn.ReLU(), nn.Conv2d(3, 2, 1)

    def forward(self, x):
        x = self.conv1(x)
        x = x + self.conv2(self.act(x))
        return self.head(self.act(self.norm(x)))


def mlp(**to):
    return nn.Sequential(
        nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)
    ).to(**to)


def small_vgg(make, norm=False):
    """Torchvision's features under a head of a size for tests."""
    network = make(init_weights=False)
    norms = [nn.BatchNorm1d(16)] if norm else []
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier = nn.Sequential(nn.Linear(512, 16), *norms, nn.ReLU(True), nn.Linear(16, 5))
    return network


def transformer(**arguments):
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, **arguments)
    fast = arguments.get("activation") is not torch.tanh
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=fast)


def assert_untouched(network, before):
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


class EveryWay(nn.Module):
    """Activations as modules, in place, and as functions."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(True)
        self.hidden, self.gelu, self.out = nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 3)

    def forward(self, x):
        x = self.act(self.norm(self.conv(x))).mean((2, 3))
        return self.out(F.relu(self.gelu(self.hidden(x))))
