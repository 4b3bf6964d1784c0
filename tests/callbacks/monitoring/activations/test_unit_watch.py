import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from helpers.dead_units import Keep, Plain, Research, fit, loader
from lightning.pytorch import Callback
from torch import nn

from torchvitals.callbacks import DeadReLUMonitor
from torchvitals.callbacks.monitoring.activations import unit_watch


class Watched(Plain):
    """Counts the steps in which anything watched it."""

    def __init__(self, width=20):
        super().__init__(width)
        self.hooked = []

    def forward(self, x):
        if self.training:
            self.hooked.append(bool(self._forward_hooks))
        return super().forward(x)


def test_once_every_unit_was_active_nothing_is_watched_until_the_next_window():
    torch.manual_seed(0)
    network = Watched()
    fit(
        Research(network),
        loader(torch.randn(160, 6), batch_size=16),
        [DeadReLUMonitor()],
        max_epochs=3,
    )
    for window in (network.hooked[i : i + 10] for i in (0, 10, 20)):
        watched = sum(window)
        assert 1 <= watched <= 4
        assert window == [True] * watched + [False] * (10 - watched)


class Late(Watched):
    """An activation, a module or a function, that runs from one batch on."""

    def __init__(self, since, *, module):
        super().__init__()
        self.since, self.late = since, nn.ReLU() if module else F.relu

    def forward(self, x):
        outputs = super().forward(x)
        return self.late(outputs) if len(self.hooked) > self.since else outputs


@pytest.mark.parametrize("module", [False, True], ids=["function", "module"])
def test_an_activation_that_comes_late_in_the_first_window_is_found(module):
    torch.manual_seed(0)
    network, monitor = Late(20, module=module), DeadReLUMonitor()
    with torch.no_grad():
        network.second.bias.fill_(1.0)
    fit(Research(network), loader(torch.randn(160, 6), batch_size=4), [monitor])
    site = "network.late" if module else "network.relu#2"
    assert site in monitor.dead_units
    # Modules that have not run are waited for; functions are searched for now and then.
    assert all(network.hooked[:21]) == module
    assert network.hooked[16]
    assert network.hooked[32]
    assert not any(network.hooked[36:])


@pytest.mark.parametrize("module", [False, True], ids=["function", "module"])
@pytest.mark.parametrize("first_dead", [False, True])
@pytest.mark.filterwarnings("ignore:DeadReLUMonitor did not see the activation module")
def test_an_activation_that_comes_with_a_later_window_is_followed_to_its_end(module, first_dead):
    torch.manual_seed(0)
    network, monitor = Late(40, module=module), DeadReLUMonitor()
    with torch.no_grad():
        network.second.bias.fill_(1.0)
        network.out.weight.zero_()
        network.out.weight[:, 0] = 1.0
        # Only the very last batch activates the new site's units.
        network.first.weight[0] = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 10.0])
        network.second.weight[0] = torch.eye(20)[0]
        network.out.bias.fill_(-30.0)
        network.first.bias[1] = -1e3 * first_dead
    x = torch.randn(160, 6)
    x[:, 5] = torch.rand(160)
    x[-1, 5] = 10.0
    fit(Research(network, lr=0.0), loader(x), [monitor], max_epochs=2)
    site = "network.late" if module else "network.relu#2"
    assert monitor.dead_units[site].tolist() == [False] * 3
    assert monitor.findings == {}


def test_while_a_unit_is_dead_the_others_are_looked_at_no_more(monkeypatch):
    torch.manual_seed(0)
    network, monitor, sizes = Plain(), DeadReLUMonitor(), []
    with torch.no_grad():
        network.second.bias.fill_(1.0)
        network.first.bias[3] = network.second.bias[5] = -1e3

    def spy(outputs, unit_dim, **rule):
        sizes.append(outputs.shape[1])
        return active(outputs, unit_dim, **rule)

    active = unit_watch.active_units
    monkeypatch.setattr(unit_watch, "active_units", spy)
    fit(Research(network), loader(torch.randn(160, 6), batch_size=16), [monitor])
    assert sizes[:2] == [20, 20]
    assert sizes[-2:] == [1, 1]
    assert [mask.nonzero().tolist() for mask in monitor.dead_units.values()] == [[[3]], [[5]]]


class Modules(nn.Module):
    """Activation modules alone; notes which units were active, and where there are hooks."""

    def __init__(self, *, repeated=False):
        super().__init__()
        self.first, self.second = nn.Linear(6, 20), nn.Linear(20, 20)
        self.one, self.two = nn.ReLU(), nn.ReLU(inplace=True)
        self.out, self.repeated = nn.Linear(20, 3), repeated
        self.batches, self.hooked = [], []

    def forward(self, x):
        one = self.one(self.first(x))
        two = self.two(self.second(one))
        if self.training:
            self.batches.append([(hidden > 0).any(0) for hidden in (one, two)])
            hooked = [module._forward_hooks for module in (self, self.one, self.two)]
            self.hooked.append(tuple(map(bool, hooked)))
        out = self.out(two).view(len(x), -1)
        return self.one(out) if self.repeated else out


def modules_with_dead_units(seed=0, **options):
    torch.manual_seed(seed)
    network = Modules(**options)
    with torch.no_grad():
        network.first.bias.uniform_(-4, 1)
        network.second.bias.fill_(2.0)
        network.first.bias[3] = -1e3
    return network


@pytest.mark.parametrize("seed", range(3))
def test_where_only_modules_are_left_each_has_a_hook_of_its_own(seed):
    network, monitor = modules_with_dead_units(seed), DeadReLUMonitor()
    keep = Keep(monitor)
    data = loader(torch.randn(160, 6), batch_size=4, shuffle=True)
    fit(Research(network, lr=0.1), data, [monitor, keep], max_epochs=3)
    for epoch in range(3):
        batches = network.batches[40 * epoch : 40 * epoch + 40]
        dead = [(~torch.stack(active).any(0)).tolist() for active in zip(*batches, strict=True)]
        assert keep.said[epoch] == {"network.one": dead[0], "network.two": dead[1]}
        hooked = network.hooked[40 * epoch : 40 * epoch + 40]
        # Everything is followed at first, and at each 16th batch; else what is undecided.
        assert [batch for batch in range(40) if hooked[batch][0]] == [0, 16, 32]
        assert all(one for _, one, _ in hooked)
        assert not any(two for everything, _, two in hooked[20:] if not everything)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_copy_of_a_network_with_hooks_on_its_modules_does_not_hold_the_monitor():
    network, copies = modules_with_dead_units(), []

    class Copy(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if network.one._forward_hooks and not network._forward_hooks:
                copies.extend([pickle.dumps(network), pickle.dumps(copy.deepcopy(network))])

    data = loader(torch.randn(40, 6), batch_size=4)
    fit(Research(network), data, [DeadReLUMonitor(), Copy()])
    assert copies
    assert not any(b"torchvitals" in copied for copied in copies)
    pickle.loads(copies[0])(torch.randn(2, 6))


def test_a_module_that_is_called_twice_is_followed_as_a_whole():
    network, monitor = modules_with_dead_units(repeated=True), DeadReLUMonitor()
    fit(Research(network), loader(torch.randn(160, 6), batch_size=4), [monitor])
    assert set(monitor.dead_units) == {"network.one", "network.two", "network.one#2"}
    assert all(everything for everything, _, _ in network.hooked)


def test_an_activation_that_is_taken_out_does_not_end_the_watch():
    network, monitor = modules_with_dead_units(), DeadReLUMonitor()

    class TakeOut(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            if batch_idx == 15:
                network.one = nn.Identity()

    fit(Research(network), loader(torch.randn(160, 6), batch_size=4), [monitor, TakeOut()])
    assert not monitor.failed
    assert set(monitor.dead_units) == {"network.one", "network.two"}
    assert all(everything for everything, _, _ in network.hooked[18:])


class Varying(Watched):
    """Has a function of one width in each epoch, another one in the next."""

    def forward(self, x):
        out = super().forward(x)
        width = 7 + (len(self.hooked) - 1) // 40
        return out + F.relu(out.flatten()[:1].expand(1, width) ** 2 + 1).sum()


def test_what_has_no_units_is_waited_for_no_more():
    torch.manual_seed(0)
    network, monitor = Varying(), DeadReLUMonitor()
    data = loader(torch.randn(160, 6), batch_size=4)
    fit(Research(network), data, [monitor], max_epochs=4)
    assert set(monitor.dead_units) == {"network.act", "network.relu"}
    for epoch in range(1, 4):
        assert not any(network.hooked[40 * epoch + 20 : 40 * epoch + 40])
    state = monitor.state_dict()
    assert state["watch"]["varying"] == ["network.relu#2"]
    resumed = DeadReLUMonitor()
    resumed.load_state_dict(state)
    assert resumed.state_dict()["watch"]["varying"] == ["network.relu#2"]
    # Even if the ranks disagreed on its width, so that the saved window lacks it.
    assert state["window"] == {}
    assert resumed._watch.window.is_decided(["network.relu#2"])


def test_outputs_of_another_form_are_found_out_anew():
    network, monitor = modules_with_dead_units(), DeadReLUMonitor()

    def unsqueeze(module, args):
        return (args[0][None],) if len(network.batches) > 20 else None

    network.one.register_forward_pre_hook(unsqueeze)
    fit(Research(network), loader(torch.randn(160, 6), batch_size=4), [monitor])
    followed = [everything for everything, _, _ in network.hooked]
    assert not any(followed[18:21])
    assert all(followed[22:])
    assert not monitor.failed
