"""Programs that set torch's default dtype, as those of physics do to double precision."""

import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import TrainingDoctor
from torchvitals.callbacks.diagnosing.losses.loss_reading import moments_of


@pytest.fixture
def default(request):
    """The default dtype of the time, which goes back to single precision."""
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


class Plain(LightningModule):
    def __init__(self, loss):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
        self.loss = loss

    def training_step(self, batch, batch_idx):
        return self.loss(self.network(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


LOSSES = {
    "classes": F.cross_entropy,
    "weighted classes": lambda output, y: F.cross_entropy(
        output, y, weight=output.new_tensor([1.0, 2.0, 3.0])
    ),
    "labels": lambda output, y: F.binary_cross_entropy_with_logits(
        output, F.one_hot(y, 3).to(output)
    ),
    "numbers": lambda output, y: F.mse_loss(output, F.one_hot(y, 3).to(output)),
}


@pytest.mark.parametrize(
    "default", [torch.float64, torch.bfloat16, torch.float16], indirect=True, ids=str
)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_default_dtype_is_no_problem(loss, default):
    torch.manual_seed(0)
    y = torch.arange(32) % 3
    x = torch.randn(32, 5) + y[:, None]
    doctor = TrainingDoctor(every_n_steps=2)
    data = DataLoader(TensorDataset(x, y), batch_size=4)
    quiet_trainer(max_epochs=2, callbacks=[doctor]).fit(Plain(LOSSES[loss]), data)
    assert not doctor.failed
    assert doctor.gradients.total_norm > 0
    assert doctor.verdict.startswith(("Healthy", "Nothing stands out"))


@pytest.mark.parametrize("default", [torch.bfloat16, torch.float16], indirect=True, ids=str)
def test_samples_are_counted_exactly(default):
    count = moments_of(torch.ones(70_001, 1, dtype=torch.float32))[0]
    assert count == 70_001
