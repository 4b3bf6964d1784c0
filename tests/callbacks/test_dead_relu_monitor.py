import csv
import math
import statistics
import warnings
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from helpers.dead_units import Keep, Plain, Research, fit, loader, partly_dead
from jsonargparse import ArgumentParser
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from torch import nn
from torch._dynamo.utils import counters
from torch.optim.swa_utils import get_ema_avg_fn
from torch.utils.checkpoint import checkpoint
from torchvision.models import resnet18

from torchvitals.callbacks import ActivationMonitor, DeadReLUMonitor, TrainingDoctor


@pytest.mark.parametrize("seed", range(4))
def test_each_epochs_masks_are_those_of_a_loop_over_all_its_batches(seed):
    network, monitor = partly_dead(seed), DeadReLUMonitor()
    keep = Keep(monitor)
    fit(
        Research(network, lr=0.5),
        loader(torch.randn(70, 6), batch_size=4, shuffle=True),  # the last batch has 2
        [monitor, keep],
        max_epochs=4,
    )
    per_epoch = [network.batches[i : i + 18] for i in range(0, 72, 18)]
    assert keep.said == [network.dead(batches) for batches in per_epoch]
    counts = [sum(map(sum, said.values())) for said in keep.said]
    assert min(counts) > 0
    assert max(counts) < 40
    total = sum(map(sum, keep.said[-1].values())) / 40
    assert monitor.total_dead_fraction == pytest.approx(total)
    assert monitor.dead_fraction["network.act"] == sum(keep.said[-1]["network.act"]) / 20
    assert monitor.steps == [17, 35, 53, 71]
    shares = [sum(said["network.act"]) / 20 for said in keep.said]
    assert monitor.history["network.act"] == pytest.approx(shares)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_window_of_steps_is_one_on_the_loggers_axis(accumulate, tmp_path):
    network, monitor = partly_dead(1), DeadReLUMonitor(every_n_steps=5)
    logger = CSVLogger(tmp_path)
    fit(
        Research(network),
        loader(torch.randn(48, 6), batch_size=4),
        [monitor],
        logger=logger,
        max_epochs=2,
        accumulate_grad_batches=accumulate,
    )
    size = 5 * accumulate
    windows = [network.batches[i : i + size] for i in range(0, 24, size)]
    windows = [network.dead(batches) for batches in windows if len(batches) == size]
    assert {s: mask.tolist() for s, mask in monitor.dead_units.items()} == windows[-1]
    rows = csv.DictReader(Path(logger.log_dir, "metrics.csv").read_text().splitlines())
    logged = {int(r["step"]): float(r["dead_relu/total"]) for r in rows if r["dead_relu/total"]}
    shares = [sum(map(sum, window.values())) / 40 for window in windows]
    assert logged == pytest.approx(dict(zip(range(4, 99, 5), shares, strict=False)))


def test_units_that_die_and_revive_are_counted():
    class Switched(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.out, self.steps = nn.Linear(4, 4), nn.Linear(4, 3), 0

        def forward(self, x):
            on = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0]][self.steps // 3])
            self.steps += 1
            return self.out(F.relu(torch.ones(len(x), 4) * on + 0 * self.layer(x)))

    monitor = DeadReLUMonitor()

    class Count(Callback):
        counts = ()

        def on_train_epoch_end(self, trainer, pl_module):
            self.counts += ((dict(monitor.births), dict(monitor.revivals)),)

    count, site = Count(), "network.relu"
    trainer = fit(Research(Switched()), loader(torch.randn(12, 4)), [monitor, count], max_epochs=3)
    assert count.counts == (({}, {}), ({site: 1}, {site: 1}), ({site: 1}, {site: 1}))
    assert monitor.dead_units[site].tolist() == [True, False, False, True]
    assert trainer.callback_metrics["dead_relu/births"] == 1
    assert trainer.callback_metrics["dead_relu/total"] == 0.5


def test_only_training_counts():
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 3))
    network[0].weight.data = torch.eye(2)
    network[2].weight.data.zero_()
    dying, lively = torch.tensor([[1.0, -1.0]] * 8), torch.ones(8, 2)
    monitor, model = DeadReLUMonitor(), Research(network)
    trainer = fit(
        model, loader(dying), [monitor], loader(lively), max_epochs=2, val_check_interval=0.5
    )
    trainer.validate(model, loader(lively), verbose=False)
    trainer.predict(model, loader(lively))
    assert monitor.dead_units["network.1"].tolist() == [False, True]
    assert monitor.total_dead_fraction == 0.5


class Gan(LightningModule):
    """Manual optimisation, the critic on real and fake images in one step."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.make = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 5))
        self.judge = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1))
        with torch.no_grad():
            self.judge[0].weight.zero_()
            # Unit 0 is active on real images only, unit 1 on fakes only, unit 2 on none.
            self.judge[0].weight[0, 0], self.judge[0].weight[1, 0] = 1.0, -1.0
            self.judge[0].bias.copy_(torch.tensor([0.0, 0.0, -1.0, 1.0]))
            self.make[2].weight.zero_()
            self.make[2].bias.fill_(-1.0)

    def training_step(self, batch, batch_idx):
        judge, make = self.optimizers()
        real = batch[0].abs() + 0.1
        fake = self.make(torch.randn(len(real), 2))
        loss = self.judge(fake.detach()).mean() - self.judge(real).mean()
        judge.zero_grad()
        self.manual_backward(loss)
        judge.step()
        make.zero_grad()
        self.manual_backward(-self.judge(fake).mean())
        make.step()

    def configure_optimizers(self):
        return [torch.optim.SGD(part.parameters(), lr=1e-9) for part in (self.judge, self.make)]


@pytest.mark.parametrize("every", [None, 2])
def test_manual_optimisation_with_several_optimisers_and_passes(every, tmp_path):
    monitor, logger = DeadReLUMonitor(every_n_steps=every), CSVLogger(tmp_path)
    fit(Gan(), loader(torch.randn(24, 5)), [monitor], logger=logger)
    assert set(monitor.dead_units) == {"make.1", "judge.1"}
    assert monitor.dead_units["judge.1"].tolist() == [False, False, True, False]
    rows = csv.DictReader(Path(logger.log_dir, "metrics.csv").read_text().splitlines())
    assert [int(row["step"]) for row in rows] == ([5] if every is None else [1, 3, 5])


def compile_before(model):
    model.network.compile(backend="aot_eager")
    return model


def compile_and_run_before(model):
    model.network.compile(backend="aot_eager")
    model.network(torch.randn(4, 6)).sum().backward()
    return model


def wrap(model):
    model.network = torch.compile(model.network, backend="aot_eager")
    return model


def compile_on_fit_start(model):
    model.on_fit_start = lambda: model.network.compile(backend="aot_eager")
    return model


def compile_module(model):
    return torch.compile(model, backend="aot_eager")


def compile_function(model):
    step = torch.compile(model.loss, backend="aot_eager")
    model.training_step = lambda batch, batch_idx: step(*batch)
    return model


class Simple(Research):
    def loss(self, x, y):
        return F.cross_entropy(self.network(x), y)

    def training_step(self, batch, batch_idx):
        return self.loss(*batch)


class Quiet(nn.Module):
    """`Plain` without its notes, which no graph can hold."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 20), nn.Linear(20, 20)
        self.act, self.out = nn.ReLU(), nn.Linear(20, 3)

    def forward(self, x):
        return self.out(F.relu(self.second(self.act(self.first(x)))))


@pytest.mark.parametrize(
    ("prepare", "graphs"),
    [
        (compile_before, 2),
        (compile_and_run_before, 3),
        (wrap, 2),
        (compile_on_fit_start, 2),
        (compile_module, 2),
        (compile_function, 1),
    ],
)
def test_compiled_training_counts_as_eager_training_does_in_one_graph(prepare, graphs):
    data = loader(torch.randn(40, 6), batch_size=5)
    masks = []
    for how in (lambda model: model, prepare):
        torch._dynamo.reset()
        counters.clear()
        monitor, network = DeadReLUMonitor(), Quiet()
        network.load_state_dict(partly_dead(2).state_dict())
        fit(how(Simple(network)), data, [monitor], data, max_epochs=3)
        masks.append({site: mask.tolist() for site, mask in monitor.dead_units.items()})
    assert masks[0] == masks[1]
    assert set(masks[0]) == {"network.act", "network.relu"}
    assert any(masks[0]["network.act"])
    assert not counters["graph_break"]
    # One for training, and where validation is compiled too, one for that.
    assert counters["stats"]["unique_graphs"] == graphs


class Checkpointed(Plain):
    """What is computed again is not what was: every unit is active in it."""

    calls = 0

    def forward(self, x):
        return self.out(checkpoint(self.part, x.requires_grad_(), use_reentrant=self.reentrant))

    def part(self, x):
        self.calls += 1
        shift = 0.0 if self.calls % 2 else 1e6
        return F.relu(self.second(self.act(self.first(x) + shift)) + shift)


@pytest.mark.parametrize("reentrant", [False, True])
def test_what_checkpointing_computes_again_is_not_counted(reentrant):
    torch.manual_seed(3)
    network, monitor = Checkpointed(), DeadReLUMonitor()
    network.reentrant = reentrant
    with torch.no_grad():
        network.second.bias.fill_(1.0)
        network.first.bias[2] = network.second.bias[4] = -1e3
    fit(Research(network, lr=0.0), loader(torch.randn(16, 6)), [monitor])
    assert network.calls == 8
    assert [mask.nonzero().flatten().tolist() for mask in monitor.dead_units.values()] == [[2], [4]]
    assert set(monitor.dead_units) == {"network.act", "network.relu"}


@pytest.mark.parametrize("activation", [F.relu, nn.ReLU()])
def test_an_encoder_is_seen_and_keeps_its_fast_path_in_validation(activation, monkeypatch):
    fast, calls = torch._transformer_encoder_layer_fwd, []
    monkeypatch.setattr(
        torch, "_transformer_encoder_layer_fwd", lambda *a, **k: calls.append(0) or fast(*a, **k)
    )
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation, batch_first=True)

    class Encoder(Research):
        def training_step(self, batch, batch_idx):
            return self.network(batch[0]).square().mean()

    monitor, data = DeadReLUMonitor(), loader(torch.randn(8, 5, 8))
    fit(Encoder(nn.TransformerEncoder(layer, 2)), data, [monitor], data, max_epochs=2)
    name = "relu" if activation is F.relu else "activation"
    assert set(monitor.dead_units) == {f"network.layers.{i}.{name}" for i in (0, 1)}
    assert {len(mask) for mask in monitor.dead_units.values()} == {16}
    assert len(calls) == 2 * 2 * 3  # layers, batches, validations


def test_weight_averaging_and_saved_models_neither_count_nor_break(tmp_path):
    class Save(Callback):
        def on_train_batch_end(self, trainer, pl_module, *_):
            torch.save(pl_module.network, tmp_path / "network.pt")

    averaging = WeightAveraging(avg_fn=get_ema_avg_fn(0.9))
    network, monitor = partly_dead(1), DeadReLUMonitor()
    data = loader(torch.randn(24, 6))
    trainer = fit(Research(network), data, [averaging, monitor, Save()], data, max_epochs=2)
    assert {s: m.tolist() for s, m in monitor.dead_units.items()} == network.dead(
        network.batches[-6:]
    )
    saved = torch.load(tmp_path / "network.pt", weights_only=False)
    saved(torch.randn(2, 6))
    assert trainer.global_step == 12
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_a_module_used_more_than_once_has_a_record_for_each_call():
    monitor = DeadReLUMonitor()
    fit(Research(resnet18(num_classes=3)), loader(torch.randn(4, 3, 32, 32)), [monitor])
    assert len(monitor.dead_units) == 17
    widths = sorted(len(mask) for mask in monitor.dead_units.values())
    assert widths == sorted([64] * 5 + [128] * 4 + [256] * 4 + [512] * 4)


class Using(nn.Module):
    def __init__(self, inputs, units, act):
        super().__init__()
        self.layer, self.act = nn.Linear(inputs, units), act

    def forward(self, x):
        return self.act(self.layer(x))


@pytest.mark.parametrize("every", [None, 5])
@pytest.mark.parametrize("width", [8, 12])
@pytest.mark.filterwarnings("error:DeadReLUMonitor did not see")
def test_blocks_that_share_their_relu_are_told_apart(width, every):
    act = nn.ReLU()
    network = nn.Sequential(Using(6, 8, act), Using(8, width, act), nn.Linear(width, 3))
    with torch.no_grad():
        network[0].layer.bias[0] = -99.0  # one unit is left to be watched
        network[1].layer.bias.fill_(-99.0)
    monitor = DeadReLUMonitor(every)
    fit(Research(network), loader(torch.randn(80, 6)), [monitor], max_epochs=2)
    assert monitor.dead_fraction == {"network.0.act": 1 / 8, "network.1.act": 1.0}


class Experts(nn.Module):
    """Sends each sample to one of three, of which the last never gets any."""

    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(6, 8), nn.ReLU()) for _ in range(3))
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        chosen = (x[:, 0] > 1).long()
        shown = F.relu(torch.arange(len(x)) - 3)  # whole numbers have no units
        parts = [expert(x[chosen == i]) for i, expert in enumerate(self.experts)]
        order = torch.cat([torch.nonzero(chosen == i)[:, 0] for i in range(3)]).argsort()
        return self.out(torch.cat(parts)[order]) + 0 * shown[:, None]


@pytest.mark.parametrize("every", [None, 1])
def test_an_expert_that_no_sample_came_to_has_no_verdict(every):
    torch.manual_seed(0)
    network, dead = Experts(), DeadReLUMonitor(every)
    activations = ActivationMonitor(1)
    fit(Research(network), loader(torch.randn(96, 6)), [dead, activations])
    assert dead.dead_fraction.keys() == {"network.experts.0.1", "network.experts.1.1"}
    assert not any("experts.2" in finding for finding in dead.findings.values())
    assert not any("experts.2" in site for site in activations.mean)
    assert all(math.isfinite(mean) for mean in activations.mean.values())


class DeadAtFirst(nn.Module):
    """Its units are dead in the first of the three evaluations that each step makes."""

    def __init__(self):
        super().__init__()
        self.layer, self.out, self.runs = nn.Linear(5, 4), nn.Linear(4, 3), 0

    def forward(self, x):
        sign = -1 if self.runs % 3 == 0 else 1
        self.runs += 1
        return self.out(F.relu(sign * (1 + self.layer(x).square())))


class Searching(Research):
    def configure_optimizers(self):
        exact = {"tolerance_grad": -1, "tolerance_change": -1}
        return torch.optim.LBFGS(self.parameters(), 0.1, max_iter=3, max_eval=3, **exact)


@pytest.mark.parametrize("every", [None, 1])
def test_of_several_evaluations_of_a_closure_the_first_is_observed(every):
    network, dead, activations = DeadAtFirst(), DeadReLUMonitor(every), ActivationMonitor(1)
    fit(Searching(network), loader(torch.randn(8, 5)), [dead, activations])
    assert network.runs == 6
    assert dead.dead_fraction == {"network.relu": 1.0}
    assert activations.mean == {"network.relu": 0.0}


def test_no_relu_is_nothing_and_not_a_healthy_zero():
    monitor = DeadReLUMonitor()
    network = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    trainer = fit(Research(network), loader(torch.randn(8, 5)), [monitor], max_epochs=2)
    assert monitor.dead_units == monitor.dead_fraction == {}
    assert monitor.total_dead_fraction != monitor.total_dead_fraction
    assert "dead_relu/total" not in trainer.callback_metrics


@pytest.mark.parametrize(
    ("spare", "said"),
    [
        (1, "the activation module 'network.spare.0' in training: it is unused, or runs without"),
        (2, "2 activation modules in training, the first 'network.spare.0': they are unused, or"),
    ],
)
def test_a_relu_that_is_never_used_is_said_to_be_unseen(spare, said):
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    network.spare = nn.ModuleList(nn.ReLU() for _ in range(spare))
    network.forward = lambda x: network[2](network[1](network[0](x)))
    monitor = DeadReLUMonitor()
    with pytest.warns(UserWarning, match=f"DeadReLUMonitor did not see {said}"):
        fit(Research(network), loader(torch.randn(8, 5)), [monitor], max_epochs=2)
    assert set(monitor.dead_units) == {"network.1"}


@pytest.mark.filterwarnings("error:DeadReLUMonitor did not see")
def test_where_warnings_are_errors_what_is_unseen_is_logged_and_the_monitor_goes_on(
    told_in_the_log,
):
    network = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 3))
    network[0].spare = nn.ReLU()
    monitor = DeadReLUMonitor()
    fit(Research(network), loader(torch.randn(8, 5)), [monitor], max_epochs=2)
    assert not monitor.failed
    assert monitor.steps == [1, 3]
    assert ["did not see the" in text for text in told_in_the_log] == [True]
    told_in_the_log.clear()


class Ragged(Research):
    def training_step(self, batch, batch_idx):
        rows = torch.nested.as_nested_tensor(list(batch[0].split([1, 3])), layout=torch.jagged)
        return F.cross_entropy(torch.cat(self.network(rows).unbind()), batch[1])


class Gated(Research):
    def training_step(self, batch, batch_idx):
        out, relu = self.network
        logits = out(batch[0])
        return F.cross_entropy(logits * relu(logits[:, 0])[:, None], batch[1])


class Positive(Research):
    def training_step(self, batch, batch_idx):
        out, relu = self.network
        return F.cross_entropy(F.linear(batch[0], relu(out.weight)), batch[1])


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Ragged, "on nested or sparse tensors"),
        (Gated, "on one number per sample"),
        (Positive, "on parameters"),
    ],
)
def test_outputs_without_units_are_among_the_reasons_why_a_module_is_not_seen(model, said):
    monitor, network = DeadReLUMonitor(), nn.Sequential(nn.Linear(5, 3), nn.ReLU())
    with pytest.warns(UserWarning, match=f"did not see the.*'network.1'.*{said}"):
        fit(model(network), loader(torch.randn(8, 5)), [monitor])
    assert monitor.dead_units == {}


def scripted(*layers):
    return torch.jit.script(nn.Sequential(*layers))


def traced(*layers):
    return torch.jit.trace(nn.Sequential(*layers), torch.randn(8, 5))


def exported(*layers):
    return torch.export.export(nn.Sequential(*layers), (torch.randn(4, 5),)).module()


def holding(parts):
    """Holds a TorchScript container, which has no code of its own."""
    network = nn.Linear(5, 3)
    network.parts = parts
    return network


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: scripted(nn.Linear(5, 3), nn.ReLU()), "'network'"),
        (lambda: traced(nn.Linear(5, 3), nn.ReLU()), "'network'"),
        (lambda: nn.Sequential(nn.Linear(5, 3), scripted(nn.ReLU())), "'network.1'"),
        (
            lambda: nn.Sequential(scripted(nn.Linear(5, 3), nn.ReLU()), scripted(nn.ReLU())),
            "2 modules, the first 'network.0'",
        ),
        (lambda: nn.Sequential(scripted(nn.Linear(5, 3)), nn.ReLU()), None),
        (lambda: scripted(nn.Linear(5, 3), nn.Tanh()), None),
        (lambda: exported(nn.Linear(5, 3), nn.ReLU()), "'network'"),
        (lambda: exported(nn.Linear(5, 3), nn.Tanh()), None),
        (lambda: torch.fx.symbolic_trace(nn.Sequential(nn.Linear(5, 3), nn.ReLU())), None),
        (lambda: holding(torch.jit.script(nn.ModuleList([nn.ReLU()]))), None),
    ],
)
def test_it_is_said_which_parts_cannot_be_looked_into(make, said):
    monitors = [DeadReLUMonitor(), TrainingDoctor()]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(Research(make()), loader(torch.randn(8, 5)), monitors, max_epochs=2)
    told = [str(w.message) for w in caught if "sees no activation" in str(w.message)]
    start = f"DeadReLUMonitor sees no activation inside {said}: TorchScript and exported networks"
    assert [text.startswith(start) for text in told] == [True] * (said is not None)
    assert not any(monitor.failed for monitor in monitors)


def test_over_half_dead_is_said_once_with_the_figures(caplog):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        network[2].bias[:5] = -100.0
        network[0].bias[:4] = -100.0
    monitor = DeadReLUMonitor()
    fit(Research(network), loader(torch.randn(80, 5)), [monitor], max_epochs=3)
    assert list(monitor.findings) == ["dead:network.3"]
    assert "5 of 8 units of network.3 (62%) are dead" in monitor.findings["dead:network.3"]
    assert caplog.text.count("5 of 8 units") == 1


@pytest.mark.parametrize(("depth", "lines"), [(3, 3), (4, 1), (40, 1)])
def test_dead_units_of_many_layers_are_one_line(depth, lines, caplog, tmp_path):
    layers = [layer for _ in range(depth) for layer in (nn.Linear(5, 5), nn.ReLU())]
    network = nn.Sequential(*layers, nn.Linear(5, 3))
    with torch.no_grad():
        for layer in layers[::2]:
            layer.bias[:3] = -100.0
    monitor = DeadReLUMonitor()
    fit(Research(network), loader(torch.randn(80, 5)), [monitor], max_epochs=2)
    assert len(monitor.findings) == depth
    assert caplog.text.count("no training input in the window") == lines
    assert (f"The same applies to {depth - 1} more." in caplog.text) is (lines == 1)


@pytest.mark.parametrize(
    ("activations", "expected"),
    [
        (["elu", "gelu"], {"network.1": 1, "network.5": 1}),
        ({"elu": -0.5}, {"network.1": 2}),
        (["leaky_relu"], {"network.3": 3}),
        ({"sigmoid": 0.5}, {"network.7": 1}),
        ({"gelu": 0.0}, {"network.5": 0}),
    ],
)
def test_other_activations_have_their_own_thresholds(activations, expected):
    biases = [-5.0, -1.0, 1.0], [-5.0, -1.0, -0.1], [-5.0, 0.5, 1.0], [-3.0, 1.0, 2.0]
    acts = nn.ELU(), nn.LeakyReLU(), nn.GELU(), nn.Sigmoid()
    layers = []
    for bias, act in zip(biases, acts, strict=True):
        layer = nn.Linear(3, 3)
        layer.weight.data.zero_()
        layer.bias.data = torch.tensor(bias)
        layers += [layer, act]
    monitor = DeadReLUMonitor(activations=activations)
    fit(Research(nn.Sequential(*layers), lr=0.0), loader(torch.randn(8, 3)), [monitor])
    assert {site: int(mask.sum()) for site, mask in monitor.dead_units.items()} == expected


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"every_n_steps": 0}, ValueError, "`every_n_steps` to be at least 1, but got 0"),
        ({"observe_every_n_batches": -1}, ValueError, "`observe_every_n_batches` to be at least 1"),
        ({"activations": "relu"}, TypeError, r"write \['relu'\]"),
        ({"activations": ["ReLU"]}, ValueError, "but got 'ReLU'"),
        ({"activations": ["tanh"]}, ValueError, "give its threshold, as in {'tanh': 0.0}"),
        ({"activations": {"swish": 0.0}}, ValueError, "but got 'swish'"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        DeadReLUMonitor(**arguments)


@pytest.mark.parametrize(
    ("yaml", "sites"),
    [("[relu, gelu]", ["relu", "gelu"]), ("{relu: 0.0, tanh: 0.1}", ["relu", "tanh"])],
)
def test_the_command_line_can_give_the_activations(yaml, sites):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(DeadReLUMonitor, "monitor")
    parsed = parser.parse_args([f"--monitor.activations={yaml}", "--monitor.every_n_steps=7"])
    monitor = parser.instantiate_classes(parsed).monitor
    assert monitor.every_n_steps == 7
    assert list(monitor._watch.rules) == sites


def test_only_some_batches_are_seen_where_that_is_asked_for():
    network, monitor = partly_dead(0), DeadReLUMonitor(observe_every_n_batches=3)
    fit(Research(network), loader(torch.randn(40, 6)), [monitor])
    expected = network.dead(network.batches[::3])
    assert {s: mask.tolist() for s, mask in monitor.dead_units.items()} == expected
    assert expected != network.dead(network.batches)


class Alternating(nn.Module):
    """Another of four units is active in each observed batch, every third one."""

    def __init__(self):
        super().__init__()
        self.layer, self.out, self.calls = nn.Linear(6, 4), nn.Linear(4, 3), 0

    def forward(self, x):
        on = torch.zeros(4).index_fill_(0, torch.tensor(self.calls // 3 % 4), 1.0)
        self.calls += 1
        return self.out(F.relu(0 * self.layer(x) + on))


def test_a_window_without_an_observed_batch_leaves_all_as_it_was():
    said = []

    class Said(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            said.append((monitor.dead_fraction, monitor.births, monitor.revivals))

    monitor = DeadReLUMonitor(1, observe_every_n_batches=3)
    data = loader(torch.randn(36, 6))
    trainer = fit(Research(Alternating()), data, [monitor, Said()], log_every_n_steps=1)
    share, change = {"network.relu": 0.75}, {"network.relu": 1}
    assert said == [({}, {}, {})] + [(share, {}, {})] * 3 + [(share, change, change)] * 5
    assert monitor.steps == [0, 3, 6]
    assert trainer.callback_metrics["dead_relu/births"] == 1


def test_monitors_that_see_other_batches_go_side_by_side():
    network = partly_dead(0)
    monitors = [DeadReLUMonitor(observe_every_n_batches=n) for n in (1, 2, 3)]
    fit(Research(network), loader(torch.randn(40, 6)), monitors)
    for n, monitor in enumerate(monitors, 1):
        expected = network.dead(network.batches[::n])
        assert {s: mask.tolist() for s, mask in monitor.dead_units.items()} == expected
    assert monitors[0].state_key == DeadReLUMonitor().state_key


def test_a_monitor_that_fails_says_so_once_and_lets_training_go_on(monkeypatch):
    unit_watch = "torchvitals.callbacks.monitoring.activations.unit_watch"
    monkeypatch.setattr(f"{unit_watch}.active_units", lambda *_, **__: 1 / 0)
    monitor = DeadReLUMonitor()
    with pytest.warns(UserWarning, match="DeadReLUMonitor switched itself off") as caught:
        trainer = fit(Research(Plain()), loader(torch.randn(16, 6)), [monitor], max_epochs=2)
    assert sum("switched itself off" in str(warning.message) for warning in caught) == 1
    assert monitor.failed
    assert trainer.global_step == 8
    assert monitor.dead_units == {}


@pytest.mark.parametrize(
    ("batches", "bias", "found"), [(99, 0.0, 0), (120, 0.0, 0), (120, -9.0, 1)]
)
def test_units_that_are_active_for_few_inputs_are_dead_in_a_short_window_and_no_finding(
    batches, bias, found
):
    """Windows of one batch of one input: each holds a different unit, and 15 that seem dead."""
    network = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
    nn.init.eye_(network[0].weight)
    nn.init.constant_(network[0].bias, bias)
    monitor = DeadReLUMonitor(1)
    inputs = torch.eye(16).repeat(8, 1)[:batches]
    fit(Research(network, lr=0.0), loader(inputs, batch_size=1), [monitor])
    assert monitor.total_dead_fraction == (15 / 16 if bias == 0 else 1.0)
    assert len(monitor.findings) == found


def test_a_site_of_another_width_in_each_window_has_no_units():
    class Triplets(nn.Module):
        """Ends in a hinge of as many pairs as there happen to be."""

        def __init__(self):
            super().__init__()
            self.first, self.act, self.out = nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)
            self.calls = 0

        def forward(self, x):
            out = self.out(self.act(self.first(x)))
            self.calls += 1
            return out + F.relu(out.flatten()[: 2 + self.calls % 7] - 1e3).sum()

    monitor = DeadReLUMonitor(1)
    fit(Research(Triplets()), loader(torch.randn(480, 6)), [monitor])
    assert list(monitor.dead_units) == ["network.act"]
    assert not any("network.relu" in finding for finding in monitor.findings.values())


def test_the_picture_of_a_model_without_a_relu_says_why_there_is_none():
    monitor = DeadReLUMonitor()
    fit(Research(nn.Sequential(nn.Linear(5, 8), nn.SiLU())), loader(torch.randn(8, 5)), [monitor])
    with pytest.raises(ValueError, match="A model without such layers has no values to draw"):
        monitor.plot()


def test_the_picture_has_a_row_for_each_site():
    monitor = DeadReLUMonitor()
    with pytest.raises(ValueError, match="run fit first"):
        monitor.plot()
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
    fit(Research(network), loader(torch.randn(40, 5)), [monitor], max_epochs=3)
    ax = monitor.plot()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == list(monitor.dead_fraction) == ["network.1", "network.3"]
    medians = [statistics.median(monitor.history[site]) for site in labels]
    assert [float(note.get_text().rstrip("%")) for note in ax.texts] == pytest.approx(
        medians, abs=0.05
    )
