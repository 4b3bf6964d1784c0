"""Weights that are no parameters of the module, by the graph and by a real Trainer."""

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import Problem, TrainingDoctor
from torchvitals.callbacks.diagnosing.losses.layers_in_graph import weights_behind

X = torch.randn(6, 4)


def leaf(*shape):
    return torch.randn(*shape).requires_grad_()


@pytest.mark.parametrize("multiply", [
    lambda x, w: x @ w, lambda x, w: F.linear(x, w.T), lambda x, w: torch.einsum("bi,ij->bj", x, w),
])  # fmt: skip
def test_a_plain_matrix_is_found_and_inputs_that_want_a_gradient_are_not(multiply):
    weight, inputs = leaf(4, 3), X.clone().requires_grad_()
    layer = nn.Linear(3, 1)
    loss = layer(multiply(inputs, weight).relu()).square().mean()
    assert weights_behind(loss) == {weight, *layer.parameters()}


class Listed(LightningModule):
    """Keeps a hidden layer in a list, and gives it to the optimiser or forgets it."""

    def __init__(self, given):
        super().__init__()
        torch.manual_seed(0)
        self.weights = [(0.1 * torch.randn(10, 16)).requires_grad_()]
        self.head, self.given = nn.Linear(16, 5), given

    def training_step(self, batch):
        return F.cross_entropy(self.head(F.relu(batch[0] @ self.weights[0])), batch[1])

    def configure_optimizers(self):
        more = self.weights if self.given else []
        return torch.optim.Adam([*self.parameters(), *more], 1e-3)


@pytest.mark.parametrize("given", [True, False])
def test_matrices_in_a_list_are_named_unless_an_optimiser_has_them(given):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 10, generator=generator)
    data = TensorDataset(x, (x @ torch.randn(10, 5, generator=generator)).argmax(1))
    doctor = TrainingDoctor()
    trainer = Trainer(
        max_epochs=5, callbacks=[doctor], accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Listed(given), DataLoader(data, 20, shuffle=True))
    found = {diagnosis.problem: diagnosis for diagnosis in doctor.diagnoses}
    assert (Problem.FROZEN_PARAMETER in found) is not given
    if not given:
        assert (
            "160 weights that the loss depends on are not parameters"
            in found[Problem.FROZEN_PARAMETER].evidence
        )
