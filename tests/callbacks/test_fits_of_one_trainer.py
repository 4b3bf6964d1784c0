"""A Trainer that fits a module once more counts its steps on: so do the monitors and the doctor."""

import pytest
import torch
from helpers.research import Research, loader
from helpers.training import quiet_trainer
from lightning.pytorch import Callback
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    TrainingDoctor,
    UpdateRatioMonitor,
)
from torchvitals.callbacks.monitoring.recording.json_lines import read_json_lines
from torchvitals.callbacks.monitoring.recording.record_file import read_record_file
from torchvitals.callbacks.reporting.case import read_case

STEPS = 8
MONITORS = {
    "gradients": lambda: GradientNormMonitor(3),
    "updates": lambda: UpdateRatioMonitor(3),
    "activations": lambda: ActivationMonitor(3),
    "dead units by steps": lambda: DeadReLUMonitor(3),
    "dead units by epochs": DeadReLUMonitor,
}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 8), nn.Sigmoid(), nn.Linear(8, 3))


def batches():
    return loader(torch.randn(4 * STEPS, 5, generator=torch.Generator().manual_seed(0)))


def once_more(trainer, module, epochs=2):
    trainer.fit_loop.max_epochs += epochs
    trainer.fit(module, batches())


def seen(monitor):
    """Its steps, and its history by layer or by quantity and site."""
    rows = {}
    for name, row in monitor.history.items():
        rows |= (
            {(name, site): r for site, r in row.items()} if isinstance(row, dict) else {name: row}
        )
    return monitor.steps, rows


def assert_alike(monitor, expected):
    (steps, rows), (expected_steps, expected_rows) = seen(monitor), seen(expected)
    assert steps == expected_steps
    assert rows.keys() == expected_rows.keys()
    for name, row in rows.items():
        assert row == pytest.approx(expected_rows[name], rel=1e-5, nan_ok=True)


@pytest.mark.parametrize("which", MONITORS)
def test_two_fits_are_recorded_as_one_that_is_as_long(which, tmp_path):
    monitor, expected = MONITORS[which](), MONITORS[which]()
    quiet_trainer(max_epochs=4, callbacks=[expected]).fit(Research(network()), batches())
    module = Research(network())
    trainer = quiet_trainer(max_epochs=2, callbacks=[monitor], logger=CSVLogger(tmp_path))
    trainer.fit(module, batches())
    once_more(trainer, module)
    assert_alike(monitor, expected)
    (path,) = tmp_path.glob("**/vitals/*.jsonl")
    assert next(iter(read_record_file(path).records.values())).steps == monitor.steps


@pytest.mark.parametrize("which", MONITORS)
def test_a_fit_with_nothing_left_to_do_keeps_the_record(which):
    monitor, module = MONITORS[which](), Research(network())
    trainer = quiet_trainer(max_epochs=2, callbacks=[monitor])
    trainer.fit(module, batches())
    before = seen(monitor)
    trainer.fit(module, batches())
    assert repr(seen(monitor)) == repr(before)


@pytest.mark.parametrize("which", MONITORS)
def test_another_module_begins_afresh(which):
    monitor = MONITORS[which]()
    trainer = quiet_trainer(max_epochs=2, callbacks=[monitor])
    trainer.fit(Research(network()), batches())
    once_more(trainer, Research(network()))
    assert monitor.steps[0] >= 2 * STEPS


class Breaks(Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            self.step = -1
            raise InterruptedError


@pytest.mark.parametrize("which", MONITORS)
def test_what_came_before_an_interruption_is_kept(which):
    monitor, module = MONITORS[which](), Research(network())
    trainer = quiet_trainer(max_epochs=3, callbacks=[monitor, Breaks(13)])
    with pytest.raises(InterruptedError):
        trainer.fit(module, batches())
    steps, _ = seen(monitor)
    assert steps
    trainer.fit(module, batches())
    assert monitor.steps[: len(steps)] == steps
    assert monitor.steps == sorted(set(monitor.steps))
    assert monitor.steps[-1] > 13


def digits():
    pixels, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(pixels[:640]).float() / 16
    pairs = TensorDataset(images, torch.from_numpy(labels[:640]))
    return DataLoader(pairs, batch_size=32)


class OfDigits(Research):
    def __init__(self, lr):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        super().__init__(network, torch.optim.SGD, lr=lr)


def test_the_doctor_says_once_what_lasts_through_two_fits():
    doctor, module = TrainingDoctor(), OfDigits(30.0)
    trainer = quiet_trainer(max_epochs=4, callbacks=[doctor])
    trainer.fit(module, digits())
    (found,) = doctor.diagnoses
    said = len(doctor.announced)
    trainer.fit_loop.max_epochs = 8
    trainer.fit(module, digits())
    assert [d.problem for d in doctor.diagnoses] == [found.problem]
    assert doctor.diagnoses[0].step == found.step
    assert len(doctor.announced) == said
    case = read_case(doctor._journal.entries)
    assert case.resumed == [80]
    assert len(case.losses) == 160


def test_the_doctor_reports_a_longer_fit_at_longer_intervals():
    doctor, module = TrainingDoctor(), OfDigits(0.5)
    trainer = quiet_trainer(max_epochs=1, callbacks=[doctor])
    trainer.fit(module, digits())
    assert doctor.gradients.every_n_steps == 5
    trainer.fit_loop.max_epochs = 20
    trainer.fit(module, digits())
    assert doctor.gradients.every_n_steps == 10
    assert doctor.gradients.steps[-3:] == [379, 389, 399]


def test_the_doctor_finds_nothing_in_the_later_fits_of_a_healthy_training():
    doctor, module = TrainingDoctor(), OfDigits(0.5)
    trainer = quiet_trainer(max_epochs=4, callbacks=[doctor])
    for epochs in (4, 8, 12, 12):
        trainer.fit_loop.max_epochs = epochs
        trainer.fit(module, digits())
    assert doctor.announced == []
    assert doctor.verdict == "Healthy: nothing stands out."


def test_the_doctors_page_of_another_module_has_nothing_of_the_first(tmp_path):
    doctor = TrainingDoctor()
    trainer = quiet_trainer(max_epochs=4, callbacks=[doctor], logger=CSVLogger(tmp_path))
    trainer.fit(OfDigits(30.0), digits())
    assert doctor.diagnoses
    trainer.fit_loop.max_epochs = 8
    trainer.fit(OfDigits(0.5), digits())
    (path,) = tmp_path.glob("**/TrainingDoctor.jsonl")
    for case in (read_case(doctor._journal.entries), read_case(read_json_lines(path))):
        assert (case.first_step, case.last_step, len(case.losses)) == (80, 160, 80)
        assert (case.findings, case.resumed) == ([], [])
        assert case.facts["learning rate at first"] == "0.5"


def test_the_doctor_goes_on_after_a_test_of_another_module_that_failed():
    doctor, module = TrainingDoctor(), OfDigits(30.0)
    trainer = quiet_trainer(max_epochs=4, callbacks=[doctor])
    trainer.fit(module, digits())
    (found,) = doctor.diagnoses
    with pytest.raises(MisconfigurationException):
        trainer.test(OfDigits(30.0), digits())
    trainer.fit_loop.max_epochs = 8
    trainer.fit(module, digits())
    assert doctor.diagnoses[0].step == found.step
    assert len(read_case(doctor._journal.entries).losses) == 160
