"""The doctor in real trainings: right, silent on the healthy, and without effect."""

import csv
import json
import logging
import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers.game import Game, Seldom
from helpers.training import quiet_trainer
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    Problem,
    TrainingDoctor,
    UpdateRatioMonitor,
)


def digits():
    pixels, labels = load_digits(return_X_y=True)
    return torch.from_numpy(pixels).float() / 16, torch.from_numpy(labels)


class Research(LightningModule):
    """Somebody's classifier of the digits."""

    def __init__(self, network, lr=1e-3, optimizer=torch.optim.Adam, loss=F.cross_entropy, scale=1):
        super().__init__()
        self.network, self.lr, self.optimizer = network, lr, optimizer
        self.loss_function, self.scale = loss, scale

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss_function(self.network(x * self.scale), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss_function(self.network(x * self.scale), y))

    def configure_optimizers(self):
        return self.optimizer(self.network.parameters(), lr=self.lr)


def network(activation=nn.ReLU, width=64, last=()):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(64, width), activation(), nn.Linear(width, width), activation(),
        nn.Linear(width, 10), *last,
    )  # fmt: skip


def shuffled(logits, labels):
    return F.cross_entropy(logits, labels[torch.randperm(len(labels))])


def constant(module):
    for parameter in module.parameters():
        nn.init.constant_(parameter, 0.01)
    return module


def loader(batch_size=32, seed=0):
    data = TensorDataset(*(part[:640] for part in digits()))
    return DataLoader(data, batch_size, True, generator=torch.Generator().manual_seed(seed))


def validation():
    return DataLoader(TensorDataset(*(part[1200:] for part in digits())), 600)


def examine(model, epochs=5, data=None, doctor=None, **arguments):
    """Train with a doctor."""
    doctor = doctor or TrainingDoctor()
    trainer = quiet_trainer(max_epochs=epochs, callbacks=[doctor], **arguments)
    trainer.fit(model, data or loader(), validation() if data is None else None)
    assert not doctor.failed
    assert not any(monitor.failed for monitor in doctor._monitors)
    return doctor


SGD = torch.optim.SGD
HEALTHY = {
    "Adam": lambda: Research(network()),
    "SGD": lambda: Research(network(), 0.1, SGD),
    "tanh": lambda: Research(network(nn.Tanh)),
    "pixels as they are, small": lambda: Research(network(), 3e-4),
}
SICK = {
    "steps too large": (lambda: Research(network(), 1.0), Problem.LEARNING_RATE_TOO_HIGH),
    "steps too large, SGD": (lambda: Research(network(), 30.0, SGD),
                             Problem.LEARNING_RATE_TOO_HIGH),
    "steps too small": (lambda: Research(network(), 1e-5, SGD), Problem.LEARNING_RATE_TOO_LOW),
    "softmax twice": (lambda: Research(network(last=[nn.Softmax(1)])),
                      Problem.OUTPUT_LOSS_MISMATCH),
    "copies of one unit": (lambda: Research(constant(network())), Problem.SYMMETRIC_WEIGHTS),
    "nothing bends": (lambda: Research(network(nn.Identity)), Problem.LINEAR_NETWORK),
    "pixels to 255": (lambda: Research(network(), 0.1, SGD, scale=255),
                      Problem.UNNORMALIZED_INPUT),
    "labels drawn anew": (lambda: Research(network(), loss=shuffled), Problem.INCONSISTENT_LABELS),
}  # fmt: skip


@pytest.mark.parametrize("make", HEALTHY.values(), ids=HEALTHY.keys())
def test_a_healthy_training_hears_nothing(make, caplog):
    doctor = examine(make())
    assert doctor.healthy
    assert [d for d in doctor._history.announced if d.severity != "info"] == []
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(("make", "problem"), SICK.values(), ids=SICK.keys())
def test_a_sick_one_hears_what_it_is(make, problem, caplog):
    doctor = examine(make(), epochs=10)
    assert not doctor.healthy
    diagnosis = doctor.diagnoses[0]
    assert diagnosis.problem is problem
    assert diagnosis.remedies
    said = [d.severity for d in doctor.announced if d.problem is problem and d.severity != "info"]
    assert said in (["warning"], ["critical"], ["warning", "critical"])
    lines = [r.getMessage() for r in caplog.records if f": {problem.value}" in r.getMessage()]
    assert [line.split(": ")[1] for line in lines] == said


def test_a_detached_layer_is_named():
    class Detached(nn.Sequential):
        def forward(self, x):
            for i, layer in enumerate(self):
                x = layer(x).detach() if i == 1 else layer(x)
            return x

    model = Research(Detached(*network()))
    (diagnosis,) = [d for d in examine(model).diagnoses if d.severity != "info"]
    assert (diagnosis.problem, diagnosis.layer) == (Problem.FROZEN_PARAMETER, "network.0")


def test_layers_frozen_on_purpose_are_not_sick():
    model = Research(network(width=256))
    model.network[0].requires_grad_(False)
    assert examine(model).healthy


class Bytes(Research):
    """Batches as dictionaries, output as one."""

    def training_step(self, batch, batch_idx):
        loss = super().training_step((batch["pixels"], batch["label"]), batch_idx)
        return {"loss": loss, "more": 1}


@dataclass
class Batch:
    pixels: Tensor
    label: Tensor


class Objects(Research):
    """Batches as objects."""

    def training_step(self, batch, batch_idx):
        return super().training_step((batch.pixels, batch.label), batch_idx)


@pytest.mark.parametrize(
    ("kind", "form"), [(Bytes, lambda x, y: {"pixels": x, "label": y}), (Objects, Batch)]
)
@pytest.mark.parametrize(("lr", "healthy"), [(1e-3, True), (1.0, False)])
def test_batches_of_any_form(kind, form, lr, healthy):
    batches = [form(x, y) for x, y in loader()]
    data = DataLoader(batches, batch_size=None)
    doctor = examine(kind(network(), lr), epochs=10, data=data)
    assert doctor.healthy is healthy
    assert doctor._observation.vitals.objective.task == "classification"


class SetFreeLater(Research):
    """Its optimiser was made of what could be trained before the first epoch."""

    def __init__(self):
        super().__init__(network())
        self.network[0].requires_grad_(requires_grad=False)

    def on_train_epoch_start(self):
        self.network[0].requires_grad_(requires_grad=self.current_epoch > 0)

    def configure_optimizers(self):
        return torch.optim.Adam(p for p in self.parameters() if p.requires_grad)


def test_a_layer_that_was_set_free_too_late_is_missed():
    doctor = examine(SetFreeLater())
    (diagnosis,) = [d for d in doctor.diagnoses if d.severity != "info"]
    assert diagnosis.problem is Problem.FROZEN_PARAMETER
    assert "network.0" in diagnosis.evidence


def test_layers_in_a_list_are_missed():
    class Listed(Research):
        def __init__(self):
            super().__init__(nn.Linear(64, 10))
            torch.manual_seed(0)
            self.hidden = [nn.Linear(64, 64) for _ in range(20)]

        def training_step(self, batch, batch_idx):
            x, y = batch
            for layer in self.hidden:
                x = torch.relu(layer(x))
            return F.cross_entropy(self.network(x), y)

        def validation_step(self, batch, batch_idx):
            pass

    found = [d for d in examine(Listed()).diagnoses if d.severity != "info"]
    assert found[0].problem is Problem.FROZEN_PARAMETER
    assert found[0].measurements["weights"] == 20 * (64 * 64 + 64)


class ByHand(nn.Module):
    """A layer as it is written to understand layers."""

    def __init__(self, inputs, units, deviation):
        super().__init__()
        self.weight = nn.Parameter(deviation * torch.randn(inputs, units))

    def forward(self, x):
        return torch.tanh(x @ self.weight)


@pytest.mark.parametrize(("deviation", "sick"), [(1.0, True), (0.1, False)])
def test_layers_by_hand_that_were_drawn_too_large_are_named(deviation, sick):
    torch.manual_seed(0)
    sizes = (64, 128, 128, 128, 128)
    layers = [ByHand(*pair, deviation) for pair in pairwise(sizes)]
    doctor = examine(Research(nn.Sequential(*layers, nn.Linear(128, 10)), 0.02, SGD), 10)
    gains = [layer.weight_gain for layer in doctor._observation.vitals.layers]
    assert gains[:4] == pytest.approx([128**0.5 * deviation] * 4, rel=0.02)
    found = {d.problem for d in doctor.diagnoses if d.severity != "info"}
    assert found == ({Problem.SATURATED_ACTIVATION} if sick else set())


class InADictionary(nn.Module):
    """Two layers whose matrices are in a dictionary."""

    def __init__(self, draw, *, functional):
        super().__init__()
        first, last = draw(64, 32), draw(32, 10)
        self.functional = functional
        matrices = {"W1": first, "b1": torch.zeros(32), "W2": last}
        if functional:  # Rows are the units.
            matrices |= {"W1": first.T.contiguous(), "W2": last.T.contiguous()}
        self.params = nn.ParameterDict(matrices)

    def forward(self, x):
        W1, b1, W2 = (self.params[name] for name in ("W1", "b1", "W2"))
        if self.functional:
            return F.linear(F.linear(x, W1, b1).relu(), W2)
        return torch.relu(x @ W1 + b1) @ W2


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize(
    ("draw", "sick"),
    [(lambda n, m: torch.full((n, m), 0.01), True), (lambda n, m: torch.randn(n, m) / 8, False)],
)
def test_units_of_ones_own_that_are_one_unit_many_times(draw, sick, functional):
    torch.manual_seed(0)
    module = Research(InADictionary(draw, functional=functional), 0.1, SGD)
    doctor = examine(module, 3)
    (said,) = [d for d in doctor.diagnoses if d.problem == Problem.SYMMETRIC_WEIGHTS] or [None]
    assert (said is not None) is sick
    # A module with one matrix, its first, is a layer of that name.
    assert said is None or said.layer == f"network.params{'' if functional else '.W1'}"


class Factors(LightningModule):
    """Products of what is known of a user and of an item."""

    def __init__(self, deviation):
        super().__init__()
        self.user, self.item = nn.Embedding(12, 3), nn.Embedding(12, 3)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=deviation)

    def training_step(self, batch, batch_idx):
        pairs, ratings = batch
        return F.mse_loss((self.user(pairs[:, 0]) * self.item(pairs[:, 1])).sum(-1), ratings)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize(("deviation", "sick"), [(0.0, True), (0.3, False)])
def test_embeddings_of_zero_that_wait_for_each_other_are_named(deviation, sick):
    torch.manual_seed(0)
    pairs = torch.randint(12, (960, 2))
    ratings = (pairs[:, 0] * pairs[:, 1] % 3 - 1).float()
    data = DataLoader(TensorDataset(pairs, ratings), 16, shuffle=True)
    doctor = examine(Factors(deviation), 3, data)
    named = [d.layer for d in doctor.diagnoses if d.problem == Problem.SYMMETRIC_WEIGHTS]
    assert named == ["user.weight"] * sick


class Tempered(Research):
    """Logits by a temperature of its own."""

    def __init__(self, network, *, forgets):
        super().__init__(network)
        self.temperature, self.forgets = nn.Parameter(torch.tensor(2.0)), forgets
        self.loss_function = lambda out, y: F.cross_entropy(out / self.temperature, y)

    def configure_optimizers(self):
        trained = self.network if self.forgets else self
        return torch.optim.Adam(trained.parameters(), lr=1e-3)


@pytest.mark.parametrize("forgets", [True, False])
def test_a_parameter_of_no_layer_that_no_optimizer_has_is_named(forgets):
    doctor = examine(Tempered(network(), forgets=forgets), 2, loader())
    found = [(d.problem, d.layer) for d in doctor.diagnoses]
    assert found == [(Problem.FROZEN_PARAMETER, "temperature")] * forgets


@pytest.mark.parametrize("validates", [False, True])
def test_labels_that_are_no_class_are_named(validates, tmp_path):
    x, y = digits()
    doctor, logger = TrainingDoctor(), CSVLogger(tmp_path)
    trainer = quiet_trainer(callbacks=[doctor], max_epochs=1, logger=logger)
    module, data = Research(network()), DataLoader(TensorDataset(x, y + 1), 64)
    # The sanity check breaks off before anything of the training has begun.
    with pytest.raises(IndexError):
        trainer.fit(module, data, data if validates else None)
    (diagnosis,) = doctor.diagnoses
    assert (diagnosis.problem, diagnosis.severity) == (Problem.OUTPUT_LOSS_MISMATCH, "critical")
    assert "Target 10 is out of bounds" in diagnosis.evidence
    assert not doctor.failed
    lines = Path(logger.log_dir, "vitals", "TrainingDoctor.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["diagnosis"]["severity"] for entry in entries if "diagnosis" in entry] == [
        "critical"
    ]
    assert entries[-1]["error"] == "IndexError: Target 10 is out of bounds."
    assert doctor.report(tmp_path / "page.html").exists()
    with pytest.raises(IndexError):
        trainer.validate(module, data, verbose=False)
    assert doctor.diagnoses == [diagnosis]


def gaussian(outputs, labels):
    return (
        -torch.distributions.Normal(outputs.mean(1), 1.0, validate_args=True)
        .log_prob(labels)
        .mean()
    )


def test_an_error_that_missing_data_brought_is_explained_by_them():
    x, y = digits()
    x = x.index_fill(0, torch.tensor([100]), float("nan"))
    doctor = TrainingDoctor()
    trainer = quiet_trainer(callbacks=[doctor], max_epochs=1)
    with pytest.raises(ValueError, match="Normal"):
        trainer.fit(Research(network(), loss=gaussian), DataLoader(TensorDataset(x, y), 64))
    (diagnosis,) = [d for d in doctor.diagnoses if d.problem is Problem.NON_FINITE]
    assert (diagnosis.severity, diagnosis.layer) == ("critical", "network.0")
    assert "The input of network.0 was not finite itself" in diagnosis.evidence


def test_two_optimizers_by_hand():
    assert examine(Game(network()), data=loader()).healthy


class Forgetful(LightningModule):
    """Two networks with losses of their own by hand; the second optimiser's step may be forgotten.

    Its forward pass comes after the first loss was differentiated.
    """

    def __init__(self, *, steps):
        super().__init__()
        self.automatic_optimization = False
        self.first, self.second, self.steps = network(width=16), network(width=16), steps

    def training_step(self, batch, batch_idx):
        for part, optimizer in zip((self.first, self.second), self.optimizers(), strict=True):
            optimizer.zero_grad()
            self.manual_backward(F.cross_entropy(part(batch[0]), batch[1]))
            if part is self.first or self.steps:
                optimizer.step()

    def configure_optimizers(self):
        return [torch.optim.Adam(part.parameters()) for part in (self.first, self.second)]


@pytest.mark.parametrize("steps", [True, False])
def test_an_optimizer_whose_step_was_forgotten_by_hand_is_named(steps):
    doctor = examine(Forgetful(steps=steps), 4, loader())
    found = [(d.problem, d.layer) for d in doctor.diagnoses if d.severity != "info"]
    assert found == [(Problem.FROZEN_PARAMETER, "second.0")] * (not steps)


def test_the_doctors_monitors_wait_for_an_optimizer_that_steps_by_hand_in_some_batches():
    doctor = TrainingDoctor(8)
    data = DataLoader(TensorDataset(torch.randn(160, 4)), batch_size=4)
    quiet_trainer(callbacks=[doctor]).fit(Seldom(), data)
    reports = {}
    for kind, monitor in (("gradients", doctor.gradients), ("updates", doctor.updates)):
        reported = zip(monitor.steps, monitor.history["generator"], strict=True)
        reports[kind] = [step for step, value in reported if value == value]
    # The optimisers' first five steps are all looked at; then reports are due at 7, 15, 23, ...
    assert reports["gradients"] == reports["updates"] == [0, 10, 15, 25, 35]
    assert not doctor.failed


class TwoByHand(LightningModule):
    """Dropout, BatchNorm and two optimisers by hand."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.body = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3))
        self.head = nn.Linear(32, 10)

    def training_step(self, batch, batch_idx):
        for optimizer in self.optimizers():
            loss = F.cross_entropy(self.head(self.body(batch[0])), batch[1])
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()

    def configure_optimizers(self):
        return [SGD(self.body.parameters(), 0.05), torch.optim.Adam(self.head.parameters())]


def with_dropout(**arguments):
    net = nn.Sequential(
        nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 10)
    )
    return Research(net, 0.05, SGD, **arguments)


class Sequences(Research):
    """Rows of pixels one after the other; dropout between the layers draws random numbers."""

    def __init__(self):
        super().__init__(nn.LSTM(8, 16, num_layers=2, dropout=0.2, batch_first=True))
        self.head = nn.Linear(16, 10)

    def training_step(self, batch, batch_idx):
        outputs, _ = self.network(batch[0].view(-1, 8, 8))
        return F.cross_entropy(self.head(outputs[:, -1]), batch[1])

    def validation_step(self, batch, batch_idx):
        return self.training_step(batch, batch_idx)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


class Adapted(Research):
    """Judged after a step of its own on each of four parts of the batch, as MAML does."""

    def training_step(self, batch, batch_idx):
        weights = dict(self.network.named_parameters())

        def loss_of(weights, x, y):
            return F.cross_entropy(torch.func.functional_call(self.network, weights, (x,)), y)

        def adapted_loss(x, y):
            slopes = torch.func.grad(loss_of)(weights, x, y)
            return loss_of({n: w - 0.1 * slopes[n] for n, w in weights.items()}, x, y)

        parts = [part.view(4, -1, *part.shape[1:]) for part in batch]
        return torch.vmap(adapted_loss)(*parts).mean()


def compiled(**arguments):
    model = with_dropout(**arguments)
    model.network = torch.compile(model.network, backend="aot_eager")
    return model


SAME = {
    "plain": (with_dropout, {}),
    "accumulation": (with_dropout, {"accumulate_grad_batches": 3}),
    "bf16-mixed": (with_dropout, {"precision": "bf16-mixed"}),
    "clipped": (with_dropout, {"gradient_clip_val": 0.1}),
    "two optimisers by hand": (TwoByHand, {}),
    "recurrent": (Sequences, {}),
    "compiled": (compiled, {}),
    "transformed": (lambda: Adapted(network()), {}),
}


@pytest.mark.parametrize(("make", "settings"), SAME.values(), ids=SAME.keys())
def test_training_is_the_same_with_and_without(make, settings):
    found, after = [], []
    for callbacks in ([], [TrainingDoctor()]):
        torch._dynamo.reset()
        torch.manual_seed(3)
        model = make()
        quiet_trainer(max_epochs=2, callbacks=callbacks, **settings).fit(model, loader())
        found.append({name: value.clone() for name, value in model.state_dict().items()})
        after.append(torch.rand(3))
    assert not callbacks[0].failed
    assert len(callbacks[0]._observation.vitals.losses) in (40, 0)
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert torch.equal(*after)


def test_a_compiled_network_is_judged_and_has_no_more_graphs():
    graphs, doctor = [], TrainingDoctor()
    for callbacks in ([], [doctor]):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        quiet_trainer(max_epochs=3, callbacks=callbacks).fit(compiled(), loader(), validation())
        assert not torch._dynamo.utils.counters["graph_break"]
        graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    assert graphs[1] == graphs[0]
    assert doctor.healthy
    assert doctor._observation.vitals.objective.task == "classification"


def all_monitors():
    return [
        GradientNormMonitor(2), DeadReLUMonitor(), ActivationMonitor(3), UpdateRatioMonitor(1),
    ]  # fmt: skip


def recorded(monitors):
    return {
        name: record.history
        for monitor in monitors
        for name, record in monitor._reporter.records.items()
    }


@pytest.mark.parametrize("first", [True, False])
def test_monitors_go_on_beside_the_doctor_as_they_are(first, tmp_path):
    """Each records what it does alone; each figure is logged once, by the Trainer's own."""
    alone, beside, doctors = all_monitors(), all_monitors(), [TrainingDoctor(), TrainingDoctor()]
    together = [doctors[1], *beside] if first else [*beside, doctors[1]]
    for i, callbacks in enumerate((alone, [doctors[0]], together)):
        logger = CSVLogger(tmp_path, name=str(i))
        trainer = quiet_trainer(max_epochs=2, callbacks=callbacks, logger=logger)
        trainer.fit(Research(network()), loader(seed=1))
    assert repr(recorded(beside)) == repr(recorded(alone))
    assert repr(recorded(doctors[1]._monitors)) == repr(recorded(doctors[0]._monitors))
    assert repr(doctors[1].announced) == repr(doctors[0].announced)
    rows = [(tmp_path / str(i) / "version_0" / "metrics.csv").read_text() for i in range(3)]
    assert rows[2] == rows[0]
    assert "grad_norm/total" in rows[1]
    files = {path.name for path in (tmp_path / "2" / "version_0" / "vitals").glob("*.jsonl")}
    assert files == {f"{type(m).__name__}.jsonl" for m in [*beside, doctors[1]]}


def test_the_doctors_monitors_share_a_row(tmp_path):
    trainer = quiet_trainer(callbacks=[TrainingDoctor(5)], logger=CSVLogger(tmp_path, name=""))
    trainer.fit(Research(network()), loader())
    with (tmp_path / "version_0" / "metrics.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["grad_norm/total"]]
    assert [int(row["step"]) for row in rows] == [0, 1, 2, 3, 4, 9, 14, 19]
    assert all(row["update_ratio/total"] and row["drift/mean"] for row in rows[1:])


def test_a_report_is_made_once_a_step_under_accumulation():
    doctor = TrainingDoctor(5)
    steps = []
    doctor._fill = lambda vitals: steps.append(vitals.step)
    quiet_trainer(max_epochs=2, accumulate_grad_batches=4, callbacks=[doctor]).fit(
        Research(network()), loader()
    )
    assert steps == [0, 5, 10, 10]  # before the first step, and once more at the end


@pytest.mark.parametrize("schedule", [{0: 4}, {0: 3, 1: 1}, {1: 3, 2: 4}, {0: 20, 7: 1}])
def test_a_loss_is_that_of_a_batch_however_many_a_callback_accumulates(schedule):
    plain, doctor = TrainingDoctor(5), TrainingDoctor(5)
    examine(Research(network(), lr=0.0), epochs=3, doctor=plain)
    callbacks = [doctor, GradientAccumulationScheduler(schedule)]
    trainer = quiet_trainer(max_epochs=3, callbacks=callbacks)
    trainer.fit(Research(network(), lr=0.0), loader())
    found = doctor._observation.vitals
    assert found.losses == pytest.approx(plain._observation.vitals.losses)
    assert found.other_terms == pytest.approx([0.0] * len(found.other_terms), abs=1e-5)
    assert found.planned_steps == trainer.global_step


def test_weights_that_await_a_step_are_not_untouched():
    doctor = TrainingDoctor()
    callbacks = [doctor, GradientAccumulationScheduler({0: 160})]
    trainer = quiet_trainer(max_epochs=1, callbacks=callbacks, val_check_interval=120)
    checked = DataLoader(TensorDataset(*digits()), 600)
    trainer.fit(Research(network()), loader(batch_size=4), checked)
    assert doctor.announced == []


def test_nothing_is_left_on_the_model():
    model = Research(network())
    examine(model)
    hooks = [h for m in model.modules() for h in (*m._forward_hooks, *m._forward_pre_hooks)]
    assert hooks == []


def test_a_second_fit_starts_afresh():
    doctor = examine(Research(network(), 1.0))
    assert not doctor.healthy
    examine(Research(network()), doctor=doctor)
    assert doctor.healthy


def test_an_error_of_its_own_stops_the_doctor_and_not_the_training(monkeypatch):
    doctor = TrainingDoctor()
    monkeypatch.setattr(doctor, "_fill", lambda vitals: 1 / 0)
    trainer = quiet_trainer(max_epochs=2, callbacks=[doctor])
    with pytest.warns(UserWarning, match="TrainingDoctor switched itself off.*ZeroDivisionError"):
        trainer.fit(Research(network()), loader(), validation())
    assert trainer.current_epoch == 2
    assert doctor.failed


@pytest.mark.parametrize(
    "path", ["diagnosing.observation.Observation.end", "reporting.journal.Journal.end"]
)
def test_an_error_at_the_end_stops_neither_the_training_nor_the_monitors(path, monkeypatch):
    def fails(*arguments, **named):
        raise RuntimeError("not at the end")

    monkeypatch.setattr(f"torchvitals.callbacks.{path}", fails)
    doctor, ended = TrainingDoctor(), []
    monkeypatch.setattr(DeadReLUMonitor, "on_train_end", lambda *arguments: ended.append(arguments))
    trainer = quiet_trainer(max_epochs=1, callbacks=[doctor])
    with pytest.warns(UserWarning, match="TrainingDoctor switched itself off.*not at the end"):
        trainer.fit(Research(network()), loader())
    assert len(ended) == 1
    assert doctor.failed


class SpeechlessError(IndexError):
    def __str__(self):
        raise ValueError("no words")


def test_an_error_that_cannot_say_itself_stays_what_it_is():
    def fails(logits, labels):
        raise SpeechlessError

    doctor = TrainingDoctor()
    trainer = quiet_trainer(max_epochs=1, callbacks=[doctor])
    with pytest.raises(SpeechlessError):
        trainer.fit(Research(network(), loss=fails), loader())
    assert doctor._journal.entries[-1]["error"] == "SpeechlessError"


def test_a_doctor_who_failed_leaves_no_hook_behind(monkeypatch):
    def fails(*arguments):
        raise RuntimeError("no look")

    monkeypatch.setattr("torchvitals.callbacks.diagnosing.observation.Observation.look", fails)
    hooked = []

    class Counts(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            hooked.append(doctor._observation._is_attached)

    doctor = TrainingDoctor()
    trainer = quiet_trainer(max_epochs=1, limit_train_batches=3, callbacks=[doctor, Counts()])
    with pytest.warns(UserWarning, match="TrainingDoctor switched itself off.*no look"):
        trainer.fit(Research(network()), loader())
    assert hooked == [True, False, False]


def test_an_error_inside_of_a_hook_stops_no_forward_pass(monkeypatch):
    def fails(self, x, sizes, *, is_data):
        raise NotImplementedError("no moments of this")

    monkeypatch.setattr(
        "torchvitals.callbacks.diagnosing.inputs.first_batches.FirstBatches._keep", fails
    )
    doctor = TrainingDoctor()
    trainer = quiet_trainer(max_epochs=2, callbacks=[doctor])
    with pytest.warns(UserWarning, match="TrainingDoctor switched itself off.*no moments of this"):
        trainer.fit(Research(network()), loader(), validation())
    assert trainer.current_epoch == 2
    assert doctor.failed


def scripted():
    model = Research(network())
    model.network = torch.jit.script(model.network)
    return model


class Ragged(Research):
    """Rows of several lengths; the layers see nested tensors."""

    def training_step(self, batch, batch_idx):
        x, y = batch
        rows = torch.nested.nested_tensor([*x[:-2].split(3), x[-2:]], layout=torch.jagged)
        return F.cross_entropy(torch.cat(self.network(rows).unbind()), y)


class OneByOne(Research):
    """Samples without a batch."""

    def training_step(self, batch, batch_idx):
        losses = [F.cross_entropy(self.network(x), y) for x, y in zip(*batch, strict=True)]
        return torch.stack(losses[:1]).mean()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated")
@pytest.mark.parametrize(
    "make", [scripted, lambda: Ragged(network()), lambda: OneByOne(network())],
    ids=["scripted", "ragged", "one by one"],
)  # fmt: skip
def test_what_takes_no_hooks_or_has_no_batch_is_no_problem(make):
    doctor = TrainingDoctor()
    quiet_trainer(max_epochs=2, callbacks=[doctor]).fit(make(), loader())
    assert not doctor.failed
    assert not any(monitor.failed for monitor in doctor._monitors)
    assert Problem.OUTPUT_LOSS_MISMATCH not in {d.problem for d in doctor.announced}
    assert len(doctor._observation.vitals.losses) == 40


def test_an_alert_that_fails_is_one_warning_and_the_doctor_goes_on(monkeypatch, tmp_path):
    def alert(logger, title, text):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("torchvitals.callbacks.monitoring.recording.loggers.alert", alert)
    with pytest.warns(UserWarning, match="Doctor gave up on its logger.*no route") as caught:
        doctor = examine(SICK["softmax twice"][0](), logger=CSVLogger(tmp_path))
    assert sum("gave up on its logger" in str(warning.message) for warning in caught) == 1
    assert [d.problem for d in doctor.diagnoses] == [Problem.OUTPUT_LOSS_MISMATCH]


def test_a_warning_that_becomes_critical_is_one_line_and_one_alert_more(
    monkeypatch, tmp_path, caplog
):
    alerts, path = [], "torchvitals.callbacks.monitoring.recording.loggers.alert"
    monkeypatch.setattr(path, lambda logger, title, text: alerts.append((title, text)))
    module = Research(network(last=[nn.Softmax(1)]), 1e-4, SGD)
    with caplog.at_level(logging.WARNING):
        doctor = examine(module, 10, loader(), logger=CSVLogger(tmp_path))
    said = [d for d in doctor.announced if d.problem is Problem.OUTPUT_LOSS_MISMATCH]
    assert [d.severity for d in said] == ["warning", "critical"]
    title = "Doctor: output_loss_mismatch"
    texts = [f"{d.severity}: {d.evidence} {d.remedies[0].advice}" for d in said]
    assert [alert for alert in alerts if alert[0] == title] == [(title, text) for text in texts]
    lines = [line for line in caplog.messages if "output_loss_mismatch" in line]
    assert [line.split(": ")[:2] for line in lines] == [["Doctor", d.severity] for d in said]


def test_a_strategy_that_flattens_is_refused():
    trainer = quiet_trainer()
    trainer.strategy.__class__ = type("FSDPStrategy", (type(trainer.strategy),), {})
    with pytest.raises(TypeError, match="Expected TrainingDoctor to find each layer's own"):
        TrainingDoctor().setup(trainer, Research(network()), "fit")


def test_bad_arguments():
    with pytest.raises(ValueError, match="`every_n_steps` to be at least 1, but got 0"):
        TrainingDoctor(0)


class Validated(Research):
    """Logs two metrics in validation, or others, or none in the sanity check."""

    def __init__(self, loaders=1, *, sanity=("val_loss", "acc"), later=("val_loss", "acc")):
        super().__init__(network())
        self.loaders, self.names = loaders, (later, sanity)

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        for name in self.names[self.trainer.sanity_checking]:
            self.log(name, 1.0 + dataloader_idx)

    def train_dataloader(self):
        return DataLoader(TensorDataset(*digits()), 64)

    def val_dataloader(self):
        loaders = [self.train_dataloader() for _ in range(self.loaders)]
        return loaders if self.loaders > 1 else loaders[0]


def validated(model, sanity=2, epochs=2, **arguments):
    """The doctor of a short training, and how often it complained of a metric."""
    doctor = TrainingDoctor(**arguments)
    trainer = quiet_trainer(
        callbacks=[doctor],
        max_epochs=epochs,
        limit_train_batches=3,
        limit_val_batches=1,
        num_sanity_val_steps=sanity,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(model)
    assert not doctor.failed
    said = [str(w.message) for w in caught if "to be a metric that is logged" in str(w.message)]
    return doctor, trainer, said


@pytest.mark.parametrize(
    ("argument", "name"), [("validation_loss", "valid_loss"), ("validation_score", "ac")]
)
def test_a_metric_that_is_not_logged_is_refused_before_training(argument, name):
    model = Validated()
    expected = f"`{argument}` to be a metric that is logged, but got '{name}'.*'val_loss', 'acc'"
    with pytest.raises(ValueError, match=expected):
        validated(model, **{argument: name})
    assert model.trainer.global_step == 0


@pytest.mark.parametrize(
    ("model", "sanity"),
    [
        (lambda: Validated(), 0),
        (lambda: Validated(sanity=()), 2),
        (lambda: Validated(sanity=("val_loss", "score")), 2),
        (lambda: Validated(sanity=("val_loss",)), 2),
        (lambda: Validated(loaders=2), 2),
    ],
    ids=[
        "no sanity check",
        "nothing logged in it",
        "not logged later",
        "only another logged",
        "several loaders",
    ],
)
def test_a_metric_that_is_not_logged_later_is_a_warning_once(model, sanity):
    doctor, trainer, said = validated(model(), sanity, validation_score="score")
    assert len(said) == 1
    assert "`validation_score` to be a metric that is logged, but got 'score'" in said[0]
    assert "'val_loss" in said[0]
    assert trainer.global_step == 6
    assert doctor._validation.scores == []
    assert len(doctor._validation.losses) == 2


@pytest.mark.parametrize("loaders", [1, 2])
@pytest.mark.parametrize("sanity", [0, 2])
def test_a_metric_that_is_logged_is_taken_and_nothing_said(loaders, sanity):
    found = validated(
        Validated(loaders), sanity, validation_loss="val_loss", validation_score="acc"
    )
    doctor, _, said = found
    assert said == []
    # Of several loaders the first.
    assert (doctor._validation.losses, doctor._validation.scores) == ([1.0, 1.0], [1.0, 1.0])


def test_a_metric_of_another_loader_can_be_named():
    doctor, _, said = validated(Validated(2), validation_loss="val_loss/dataloader_idx_1")
    assert (doctor._validation.losses, said) == ([2.0, 2.0], [])


def test_of_a_training_without_validation_nothing_is_demanded():
    model = Validated()
    model.val_dataloader = lambda: []
    _, trainer, said = validated(model, validation_loss="val_loss")
    assert (trainer.global_step, said) == (6, [])


def test_the_verdict_is_that_of_the_page(tmp_path):
    doctor = TrainingDoctor()
    assert doctor.verdict == "No verdict: no step is recorded."
    quiet_trainer(callbacks=[doctor], max_steps=3).fit(Research(network()), loader())
    assert doctor.verdict == "Nothing stands out so far: it is too early for a verdict."
    quiet_trainer(callbacks=[doctor], max_epochs=4).fit(Research(network()), loader())
    assert doctor.verdict == "Healthy: nothing stands out."
    quiet_trainer(callbacks=[doctor], max_epochs=4).fit(Research(network(), lr=30.0), loader())
    assert doctor.verdict.startswith("1 problem: learning rate too high")
    assert doctor.verdict in doctor.report(tmp_path / "page.html").read_text("utf-8")
    found, doctor.failed = doctor.verdict, True
    assert doctor.verdict == found  # What it found before it failed.
    doctor = TrainingDoctor()
    doctor.failed = True
    assert doctor.verdict == "No verdict: the doctor failed and switched itself off."
