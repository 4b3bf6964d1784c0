"""A fit that goes on from a checkpoint finds what one without an interruption finds."""

import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import load_digits
from torch import nn

from torchvitals.callbacks import Problem, TrainingDoctor
from torchvitals.callbacks.reporting.case import read_case

STEPS, EPOCHS, EVERY = 20, 4, 9
pytestmark = [
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the"),
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`"),
]


class InOrder(LightningModule):
    """Takes its batches by their number, so that one that goes on in mid-epoch gets the rest."""

    def __init__(self, lr, optimizer=torch.optim.Adam):
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(),
            nn.Linear(32, 10),
        )  # fmt: skip
        self.lr, self.optimizer = lr, optimizer
        pixels, labels = load_digits(return_X_y=True)
        self.x, self.y = torch.from_numpy(pixels).float() / 16, torch.from_numpy(labels)

    def training_step(self, batch, batch_idx):
        part = slice(batch_idx * 32, batch_idx * 32 + 32)
        return F.cross_entropy(self.network(self.x[part]), self.y[part])

    def validation_step(self, batch, batch_idx):
        logits = self.network(self.x[1200:])
        self.log("val_loss", F.cross_entropy(logits, self.y[1200:]), batch_size=1)
        self.log("val_acc", (logits.argmax(1) == self.y[1200:]).float().mean(), batch_size=1)

    def train_dataloader(self):
        return range(STEPS)

    def val_dataloader(self):
        return range(1)

    def configure_optimizers(self):
        return self.optimizer(self.network.parameters(), lr=self.lr)


def train(model, doctor, folder=None, start=None, **settings):
    """Train, with checkpoints where there is a folder for them."""
    callbacks = [doctor]
    if folder is not None:
        saver = ModelCheckpoint(folder, "{step}", every_n_train_steps=EVERY, save_top_k=-1)
        callbacks.append(saver)
    arguments = {"max_epochs": EPOCHS, "enable_checkpointing": folder is not None, **settings}
    quiet_trainer(callbacks=callbacks, **arguments).fit(model, ckpt_path=start)
    assert not doctor.failed
    return doctor


def seen(doctor):
    """All that a doctor holds of a training, but for where it was taken up again."""
    vitals, case = doctor._observation.vitals, read_case(doctor._journal.entries)
    return [
        doctor.diagnoses, doctor.announced, vitals.losses, vitals.data_losses, vitals.accuracies,
        vitals.inputs, vitals.objective, vitals.layers, vitals.statistics_gap,
        doctor._validation.losses, doctor._validation.training_losses, doctor._validation.scores,
        [loss for _, loss in case.losses], case.figures, case.validations, case.findings,
        *(reporter.records[name].history for reporter in doctor._reporters
          for name in reporter.records),
    ]  # fmt: skip


MODELS = {
    "steps too large": lambda: InOrder(3.0),
    "steps too small": lambda: InOrder(1e-6, torch.optim.SGD),
    "healthy": lambda: InOrder(1e-3),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_a_resumed_fit_finds_what_an_uninterrupted_one_does(make, tmp_path):
    whole = train(make(), TrainingDoctor(), tmp_path)
    assert len(whole._observation.vitals.losses) == STEPS * EPOCHS
    # Before the first report, between two, in mid-epoch and at its end, and close to the end.
    for step in (9, 36, 45, 72):
        path = tmp_path / f"step={step}.ckpt"
        state = torch.load(path, weights_only=True)["callbacks"]
        resumed = TrainingDoctor()
        assert resumed.state_key in state
        train(make(), resumed, start=path)
        for found, expected in zip(seen(resumed), seen(whole), strict=True):
            assert repr(found) == repr(expected)  # NaN is NaN


def test_the_sick_ones_are_found():
    assert train(MODELS["steps too large"](), TrainingDoctor()).announced


def test_accumulation_goes_on_between_its_batches(tmp_path):
    whole = train(InOrder(3.0), TrainingDoctor(5), tmp_path, accumulate_grad_batches=3)
    resumed = TrainingDoctor(5)
    start = tmp_path / "step=9.ckpt"
    train(InOrder(3.0), resumed, start=start, accumulate_grad_batches=3)
    for found, expected in zip(seen(resumed), seen(whole), strict=True):
        assert repr(found) == repr(expected)


def test_the_record_begins_where_the_doctor_came_along(tmp_path):
    train(InOrder(1e-3), TrainingDoctor(), tmp_path)
    without = torch.load(tmp_path / "step=36.ckpt", weights_only=True)
    without["callbacks"] = {}
    torch.save(without, tmp_path / "without.ckpt")
    train(InOrder(1e-3), TrainingDoctor(), tmp_path / "late", tmp_path / "without.ckpt")
    for start, first in {"late/step=45.ckpt": 36, "step=45.ckpt": 0}.items():
        doctor = train(InOrder(1e-3), TrainingDoctor(), start=tmp_path / start)
        assert doctor._observation.vitals.missed == first


def test_a_second_fit_of_the_same_doctor_starts_afresh():
    doctor = train(InOrder(3.0), TrainingDoctor())
    train(InOrder(1e-3), doctor)
    alone = train(InOrder(1e-3), TrainingDoctor())
    assert repr(seen(doctor)) == repr(seen(alone))


class Level(InOrder):
    """Its loss cannot be read, and stays where it is."""

    def training_step(self, batch, batch_idx):
        return 0.5 + 0.02 * (-1) ** batch_idx + 1e-6 * self.network(self.x[:32]).mean()

    def validation_step(self, batch, batch_idx):
        pass


def test_where_a_doctor_comes_late_is_not_called_the_start(tmp_path):
    plan, saver = {"max_epochs": 20}, ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=260)
    quiet_trainer(callbacks=[saver], enable_checkpointing=True, **plan).fit(Level(1e-3))
    late = train(Level(1e-3), TrainingDoctor(), start=tmp_path / "step=260.ckpt", **plan)
    whole = train(Level(1e-3), TrainingDoctor(), **plan)
    found = [[d.problem for d in doctor.announced] for doctor in (late, whole)]
    assert [Problem.NOT_LEARNING in problems for problems in found] == [False, True]
    again = TrainingDoctor()
    again.load_state_dict(late.state_dict())
    assert again._observation.vitals.missed == 260


def test_a_record_that_cannot_be_read_is_left(tmp_path):
    state = train(InOrder(3.0), TrainingDoctor()).state_dict()
    del state["observation"]["record"]["other_terms"]
    doctor = TrainingDoctor()
    with pytest.warns(UserWarning, match="starts afresh.*KeyError: 'other_terms'"):
        doctor.load_state_dict(state)
    assert (doctor.diagnoses, doctor._observation.vitals.losses) == ([], [])
    alone = train(InOrder(1e-3), TrainingDoctor())
    assert repr(seen(train(InOrder(1e-3), doctor))) == repr(seen(alone))


def test_the_state_grows_by_a_few_bytes_a_batch(tmp_path):
    doctor, sizes = TrainingDoctor(20), []
    for epochs in (4, 24):
        train(InOrder(1e-3), doctor, max_epochs=epochs)
        torch.save(doctor.state_dict(), tmp_path / "state")
        sizes.append((tmp_path / "state").stat().st_size)
    assert (sizes[1] - sizes[0]) / (20 * STEPS) < 400
