"""A frozen body that nobody has trained is told from one that was."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers.vital_signs import FLAT, SMALL, found, vitals
from lightning.pytorch import LightningModule, Trainer
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import mobilenet_v3_small, resnet18

from torchvitals.callbacks import TrainingDoctor
from torchvitals.callbacks.diagnosing.vital_signs.signs import Layer
from torchvitals.callbacks.diagnosing.weights.untrained_weights import UntrainedWeights, looks_drawn
from torchvitals.callbacks.problem import Problem as P

LAYERS = {
    "linear": lambda: nn.Linear(64, 32), "convolution": lambda: nn.Conv2d(8, 16, 3),
    "groups": lambda: nn.Conv2d(32, 32, 5, groups=4),
    "transposed": lambda: nn.ConvTranspose2d(16, 8, 4), "lstm": lambda: nn.LSTM(8, 32),
    "gru": lambda: nn.GRU(24, 32),
    "he": lambda: drawn(nn.Linear(64, 32), nn.init.kaiming_uniform_, nonlinearity="relu"),
    "orthogonal": lambda: drawn(nn.Linear(64, 300), nn.init.orthogonal_, gain=2.0),
    "orthogonal convolution": lambda: drawn(nn.Conv2d(16, 64, 3), nn.init.orthogonal_),
    "orthogonal gru": lambda: drawn(nn.GRU(24, 32), nn.init.orthogonal_),
}  # fmt: skip


def drawn(layer, initialise, **arguments):
    initialise(next(layer.parameters()), **arguments)
    return layer


@pytest.mark.parametrize("layer", LAYERS)
def test_what_torch_draws_looks_so_and_not_what_moved(layer):
    for seed in range(20):
        torch.manual_seed(seed)
        weight = next(LAYERS[layer]().parameters())
        assert looks_drawn(weight)
        with torch.no_grad():
            weight += 0.1 * weight.std() * torch.randn_like(weight)
        assert not looks_drawn(weight)


@pytest.mark.parametrize("network", [resnet18, mobilenet_v3_small])
def test_published_networks_without_their_weights_are_told(network):
    torch.manual_seed(0)
    kinds = (nn.Conv2d, nn.Linear)
    weights = [m.weight for m in network().modules() if isinstance(m, kinds)]
    assert all(map(looks_drawn, [w for w in weights if w.numel() >= 256]))


def test_what_follows_another_network_has_moved():
    weights = {name: nn.Linear(32, 32).weight.requires_grad_(False) for name in "ab"}
    untrained = UntrainedWeights()
    untrained.look(weights)
    weights["b"].data.mul_(0.999)
    seen = untrained.look_again(weights)
    assert {name: bool(flag) for name, flag in seen.items()} == {"a": True, "b": False}


class Probe(LightningModule):
    def __init__(self, body):
        super().__init__()
        self.body, self.head = body.requires_grad_(False), nn.Linear(32, 10)

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.head(self.body(batch[0])), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.head.parameters(), lr=3e-3)


def body():
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU()
    )


@pytest.mark.parametrize("trained", [True, False])
def test_a_head_on_a_body_that_was_not_loaded(trained):
    torch.manual_seed(0)
    inputs, targets = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(inputs).float() / 16, torch.tensor(targets))
    network = nn.Sequential(body(), nn.Linear(32, 10))
    if trained:
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        for _ in range(2):
            for x, y in DataLoader(data, batch_size=64, shuffle=True):
                optimizer.zero_grad()
                F.cross_entropy(network(x), y).backward()
                optimizer.step()
    doctor = TrainingDoctor()
    Trainer(
        max_epochs=5, callbacks=[doctor], accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    ).fit(Probe(network[0]), DataLoader(data, batch_size=32, shuffle=True))  # fmt: skip
    said = {d.problem: d for d in doctor.diagnoses}
    assert (P.FROZEN_PARAMETER in said) is not trained
    if not trained:
        diagnosis = said[P.FROZEN_PARAMETER]
        assert diagnosis.severity != "info"
        assert diagnosis.layer == "body.0"
        assert "body.0 and 2 more layers, 98% of the weights, are frozen" in diagnosis.evidence


class LastState(nn.Module):
    """The last output of a recurrent layer, whose input has too few weights to tell by."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(2, 32, batch_first=True)

    def forward(self, x):
        return self.gru(x.unflatten(1, (32, 2)))[0][:, -1]


def test_a_recurrent_body_that_is_frozen_as_it_was_drawn():
    torch.manual_seed(0)
    network = Probe(LastState())
    data = TensorDataset(torch.randn(320, 64), torch.randint(10, (320,)))
    doctor = TrainingDoctor()
    Trainer(
        max_epochs=5, callbacks=[doctor], accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    ).fit(network, DataLoader(data, batch_size=32, shuffle=True))  # fmt: skip
    diagnosis = next(d for d in doctor.diagnoses if d.problem is P.FROZEN_PARAMETER)
    assert diagnosis.severity != "info"
    assert (
        "body.gru, 91% of the weights, is frozen at its random initialisation" in diagnosis.evidence
    )


DRAWN = [Layer(name, 1000, trained=False, optimized=False, as_drawn=True) for name in "ab"]
HEAD = Layer("head", 100, has_gradient=True, is_last=True)


def test_random_features_are_no_untrained_body():
    assert found(vitals(FLAT, layers=[*DRAWN, HEAD]))[P.FROZEN_PARAMETER] == "warning"
    # One layer of random features, and what learns well behind several.
    assert P.FROZEN_PARAMETER not in found(vitals(FLAT, layers=[DRAWN[0], HEAD]))
    assert found(vitals(SMALL, layers=[*DRAWN, HEAD]))[P.FROZEN_PARAMETER] == "info"
    # A recurrent layer is of several matrices, and a reservoir if it serves.
    recurrent = [replace(DRAWN[0], matrices=2), HEAD]
    assert found(vitals(FLAT, layers=recurrent))[P.FROZEN_PARAMETER] == "warning"
    assert found(vitals(SMALL, layers=recurrent))[P.FROZEN_PARAMETER] == "info"
    assert P.FROZEN_PARAMETER not in found(vitals(FLAT, layers=recurrent, step=60))
    # Small beside what trains, or beside what was loaded.
    for more in ([replace(HEAD, entries=9000)], [replace(DRAWN[0], entries=9000, as_drawn=False)]):
        assert P.FROZEN_PARAMETER not in found(vitals(FLAT, layers=[*DRAWN, *more, HEAD]))
    # What is too small to tell does not speak against it.
    small = replace(DRAWN[0], entries=250, as_drawn=False)
    signs = vitals(FLAT, layers=[small, *DRAWN, HEAD])
    assert found(signs)[P.FROZEN_PARAMETER] == "warning"
    assert found(vitals(FLAT, layers=[small, DRAWN[0], HEAD]))[P.FROZEN_PARAMETER] == "warning"
    assert P.FROZEN_PARAMETER not in found(vitals(FLAT, layers=[small, small, HEAD]))
    # A network of chance whose outputs are to be matched.
    targets = replace(vitals().objective, task="regression", of_batch=False)
    signs = vitals(FLAT, layers=[*DRAWN, HEAD], objective=targets)
    assert P.FROZEN_PARAMETER not in found(signs)
