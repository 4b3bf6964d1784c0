"""Spiking networks, trained through surrogate gradients."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Goal, Published, adam, tensor_case
from data_sets import Split, digits
from lightning.pytorch import LightningModule
from torch import Tensor, nn


class LeakyNetwork(nn.Module):
    """Two layers of leaky neurons, over 15 steps of the same input, as the tutorials have it."""

    def __init__(self) -> None:
        import snntorch

        super().__init__()
        self.first, self.second = nn.Linear(64, 128), nn.Linear(128, 10)
        self.first_neurons = snntorch.Leaky(beta=0.95)
        self.second_neurons = snntorch.Leaky(beta=0.95)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        first, second = self.first_neurons.init_leaky(), self.second_neurons.init_leaky()
        spikes, potentials = [], []
        for _ in range(15):
            spike, first = self.first_neurons(self.first(images.flatten(1)), first)
            spike, second = self.second_neurons(self.second(spike), second)
            spikes.append(spike)
            potentials.append(second)
        return torch.stack(spikes), torch.stack(potentials)


def leaky() -> LightningModule:
    return Published(LeakyNetwork(), count_spikes, adam(5e-4))


def count_spikes(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    """The potentials of all steps have a cross-entropy; the spikes are counted for the class."""
    images, labels = batch
    spikes, potentials = network(images)
    loss = torch.stack([F.cross_entropy(potential, labels) for potential in potentials]).sum()
    return {"loss": loss, "acc": (spikes.sum(0).argmax(1) == labels).float().mean()}


class FiringRates(nn.Module):
    """The package's layers, and the mean of their spikes over eight steps."""

    def __init__(self) -> None:
        from spikingjelly.activation_based import layer, neuron, surrogate

        super().__init__()
        self.layers = nn.Sequential(
            layer.Flatten(), layer.Linear(64, 100, bias=False),
            neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()),
            layer.Linear(100, 10, bias=False),
            neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan()),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        from spikingjelly.activation_based.functional import reset_net

        rates = torch.stack([self.layers(3 * images) for _ in range(8)]).mean(0)
        reset_net(self.layers)
        return rates


def integrate_and_fire() -> LightningModule:
    return Published(FiringRates(), match_rates, adam(1e-2))


def match_rates(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    """As the package's examples: the right class should always fire, no other ever."""
    images, labels = batch
    rates = network(images)
    wanted = F.one_hot(labels, 10).float()
    return {"loss": F.mse_loss(rates, wanted), "acc": (rates.argmax(1) == labels).float().mean()}


def bright_digits() -> Split:
    return digits(8, 1, normalized=False)


MOST = Goal("val_acc", at_least=0.92)
CASES = (
    tensor_case("snntorch/Leaky", "digits", leaky, bright_digits, 12, MOST),
    tensor_case("spikingjelly/LIFNode", "digits", integrate_and_fire, bright_digits, 12, MOST),
)
