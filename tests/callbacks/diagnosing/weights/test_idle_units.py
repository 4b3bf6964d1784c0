"""Units that no gradient reaches, because nothing ever chooses them."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers.vital_signs import FLAT, SMALL, found, vitals
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import TrainingDoctor
from torchvitals.callbacks.diagnosing.vital_signs.signs import Layer
from torchvitals.callbacks.diagnosing.weights.idle_units import IdleUnits
from torchvitals.callbacks.problem import Problem as P


@pytest.mark.parametrize("resumes", [False, True])
def test_units_count_once_any_look_has_seen_their_gradient(resumes):
    weights = {"some": nn.Linear(3, 4).weight, "all": nn.Linear(3, 4).weight}
    units = IdleUnits()
    for look in range(6):
        weights["some"].grad, weights["all"].grad = torch.zeros(4, 3), torch.ones(4, 3)
        weights["some"].grad[look % 2] = torch.tensor([0.0, float("nan") if look else -1e-30, 0.0])
        units.look(weights)
        shares = {name: float(share) for name, share in units.shares().items()}
        assert shares.pop("some") == (0.5 if look else 0.75)
        assert shares.pop("all", 0.0) == 0.0
        found = units.settle({name: float(share) for name, share in units.shares().items()})
        assert found == ({"some": 0.5} if look >= 4 else {})
        assert units.state_dict()["reached"].keys() == {"some"}
        if resumes:
            units = IdleUnits(units.state_dict())


def test_weights_without_a_dense_gradient_are_left():
    units = IdleUnits()
    units.look({"none": nn.Linear(3, 4).weight, "one unit": nn.Linear(3, 1).weight})
    assert units.shares() == {}


class Largest(LightningModule):
    """A code of the four largest units, which can begin with biases apart."""

    def __init__(self, apart):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(12, 48), nn.Linear(48, 12)
        nn.init.normal_(self.encoder.bias, std=apart)

    def training_step(self, batch, batch_idx):
        code = self.encoder(batch[0])
        best = code.topk(4, dim=1)
        chosen = torch.zeros_like(code).scatter(1, best.indices, best.values)
        return F.mse_loss(self.decoder(chosen), batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


@pytest.mark.parametrize("apart", [3.0, 0.0])
def test_only_units_that_are_never_among_the_largest_are_told(apart):
    torch.manual_seed(0)
    data = DataLoader(TensorDataset(torch.randn(960, 12)), batch_size=32, shuffle=True)
    doctor = TrainingDoctor()
    Trainer(
        max_epochs=10, callbacks=[doctor], accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    ).fit(Largest(apart), data)  # fmt: skip
    said = {d.problem: d for d in doctor.diagnoses}
    assert (P.DORMANT_UNITS in said) is (apart > 0)
    if apart:
        assert said[P.DORMANT_UNITS].layer == "encoder"
        assert said[P.DORMANT_UNITS].severity == "warning"
        assert "of the units of encoder never got a gradient" in said[P.DORMANT_UNITS].evidence


IDLE, HEAD = Layer("body", 1000, idle_share=0.7), Layer("head", 100, is_last=True)


def test_most_of_a_layers_units_idle():
    assert found(vitals(FLAT, layers=[IDLE, HEAD]))[P.DORMANT_UNITS] == "warning"
    assert found(vitals(SMALL, layers=[IDLE, HEAD]))[P.DORMANT_UNITS] == "info"


@pytest.mark.parametrize(
    "layers",
    [
        [replace(IDLE, idle_share=0.4), HEAD],
        [replace(IDLE, idle_share=1.0), HEAD],  # no gradient at all is another matter
        [replace(IDLE, trained=False), HEAD],
        [Layer("body", 1000), replace(HEAD, idle_share=0.9)],  # answers that are seldom asked for
        [Layer("body", 1000), replace(IDLE, name="end"), replace(HEAD, trained=False)],  # a basis
    ],
)
def test_some_units_idle_or_all_or_those_of_the_last_layer(layers):
    assert P.DORMANT_UNITS not in found(vitals(FLAT, layers=layers))
