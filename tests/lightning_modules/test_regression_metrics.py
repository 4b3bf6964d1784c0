"""What an epoch's metrics of regression are, held against scikit-learn's of all outputs."""

import sys
from pathlib import Path

import pytest
import torch
from helpers.as_it_is import AsItIs
from helpers.training import quiet_trainer, run
from sklearn.metrics import r2_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.lightning_modules import Regressor

TESTS = Path(__file__).parents[1]


def loader(x, y, batch_size=64):
    return DataLoader(TensorDataset(x, y), batch_size=batch_size)


def logged(module, x, y):
    (values,) = quiet_trainer().test(module, loader(x, y), verbose=False)
    return values


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e5])
def test_r2_is_scikit_learns(offset):
    targets = normal(1000, 2) + offset
    outputs = targets + 0.5 * normal(1000, 2, seed=1)
    found = logged(Regressor(AsItIs()), outputs, targets)["test_r2"]
    assert found == pytest.approx(r2_score(targets.double(), outputs.double()), abs=1e-4)


@pytest.mark.parametrize("shape", [(2, 3), (1, 4, 4), ()])
def test_r2_of_outputs_of_any_shape_is_the_mean_over_them(shape):
    targets, errors = normal(100, *shape), 0.5 * normal(100, *shape, seed=1)
    module, data = Regressor(AsItIs()), loader(targets + errors, targets)
    trainer = quiet_trainer()
    trainer.fit(module, data, data)
    expected = r2_score(targets.view(100, -1), (targets + errors).view(100, -1))
    assert trainer.callback_metrics["val_r2"].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_targets_of_another_precision(loss, precision, dtype):
    trainer, module = quiet_trainer(precision=precision), Regressor(nn.Linear(5, 1), loss=loss)
    data = loader(normal(64, 5), normal(64, seed=1).to(dtype))
    trainer.fit(module, data, data)
    assert trainer.callback_metrics["val_loss"].isfinite()


def test_targets_keep_the_digits_that_outputs_lack():
    module, targets = Regressor(AsItIs()), torch.tensor([1001.0], dtype=torch.float64)
    assert module.checked_targets(torch.zeros(1).bfloat16(), targets).item() == 1001
    assert module.checked_targets(torch.zeros(1), targets).dtype == torch.float32
    assert module.checked_targets(torch.zeros(1).double(), targets.float()).dtype == torch.float64


def test_a_network_of_several_outputs_is_named():
    with pytest.raises(TypeError, match="`network` to return one tensor, but got <class 'tuple'>"):
        Regressor(nn.LSTM(4, 1)).training_step((torch.zeros(8, 4), torch.zeros(8)), 0)


def test_r2_goes_on_from_a_state():
    targets = normal(90, 2) + 1e4
    outputs = targets + 0.5 * normal(90, 2, seed=1)
    first, second = (Regressor(AsItIs()).epoch_metrics["train_metrics"] for _ in range(2))
    first.add(torch.zeros(()), outputs[:50], targets[:50])
    first._take_in()
    first.add(torch.zeros(()), outputs[50:60], targets[50:60])
    second.load_state(first.state(batch_done=True))
    second.add(torch.zeros(()), outputs[60:], targets[60:])
    expected = r2_score(targets.double(), outputs.double())
    assert second.compute()["r2"].item() == pytest.approx(expected, abs=1e-5)


def test_two_ranks_log_what_one_process_does(tmp_path):
    worker = TESTS / "lightning_modules" / "metrics_on_ranks.py"
    for ranks in (1, 2):
        run([sys.executable, worker, ranks, tmp_path / str(ranks)], tmp_path, PYTHONPATH=str(TESTS))
    whole, *parts = (torch.load(tmp_path / name) for name in ("1.0", "2.0", "2.1"))
    for part in parts:
        assert part == pytest.approx(whole, rel=1e-4)
    assert whole["regressor_val_r2"] == pytest.approx(0.75, abs=0.1)
