"""What is seen of the batches that reach the layers of a network."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from torchvitals.callbacks.diagnosing.inputs.first_batches import FirstBatches
from torchvitals.callbacks.diagnosing.weights.anatomy import (
    count_gates,
    have_identical_units,
    largest_recurrent_gain,
    matrices_of,
)


class Bells(nn.Module):
    """Radial basis functions, each with a centre."""

    def __init__(self, width, trained):
        super().__init__()
        centres = torch.randn(20, 8)
        self.centres = nn.Parameter(centres) if trained else nn.Buffer(centres)
        self.width = width

    def forward(self, x):
        return torch.exp(-((x[:, None] - self.centres) ** 2).sum(-1) / (2 * self.width**2))


class Scaled(nn.Module):
    """Radial basis functions whose outputs are multiplied before the layer that takes them."""

    def __init__(self):
        super().__init__()
        self.bells, self.out = Bells(0.5, False), nn.Linear(20, 3)

    def forward(self, x):
        return self.out(100 * self.bells(x))


class TwoInputs(nn.Module):
    """Pictures, and columns that are joined to what the first layers make of them."""

    def __init__(self):
        super().__init__()
        self.body, self.meta = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), nn.Linear(3, 4)
        self.head = nn.Linear(16 + 4 + 2, 5)

    def forward(self, x, meta, more):
        return self.head(torch.cat([self.body(x), self.meta(meta), more], 1))


class Signed(Bells):
    def forward(self, x):
        return super().forward(x) - 0.5


def seen(module, *inputs):
    """What is known after one batch."""
    batches = FirstBatches()
    batches.attach(module)
    module(*inputs)
    batches.detach()
    batches.take([batches.news()])
    return batches


@pytest.mark.parametrize(("far", "level"), [([3], False), ([1, 2, 3], True)])
def test_a_batch_with_an_outlier_does_not_set_the_level_of_the_inputs(far, level):
    torch.manual_seed(0)
    network, batches, sizes = nn.Linear(4, 3), FirstBatches(), []
    for number in range(5):
        x = torch.randn(32, 4)
        if number in far:
            x[0] = 2000.0
        sizes.append(float(x.double().square().mean().sqrt()))
        batches.number = number
        batches.attach(network)
        network(x)
    batches.take([batches.news()])
    scale = batches.input_scale()
    assert scale.upper_rms == pytest.approx(sorted(sizes)[3], rel=0.01)
    assert scale.rms > 100
    assert (scale.level > 100) is level


def test_which_layers_follow_trained_ones():
    torch.manual_seed(0)
    network, x = TwoInputs(), (torch.randn(32, 8), torch.randn(32, 3), torch.randn(32, 2))
    batches = seen(network, *x)
    assert batches.follow == {"head"}
    other = FirstBatches()
    other.load_state_dict(batches.state_dict())
    assert other.follow == {"head"}
    network.requires_grad_(False)
    assert not seen(network, *x).follow


@pytest.mark.parametrize("trained", [False, True])
def test_the_outputs_of_custom_units_are_measured(trained):
    torch.manual_seed(0)
    bells, x = Bells(0.5, trained), torch.randn(32, 8)
    batches = seen(nn.Sequential(bells, nn.Linear(20, 3)), x)
    expected = float(bells(x).detach().double().square().mean().sqrt())
    assert batches.custom_units.found == {"0": pytest.approx(expected, rel=1e-5)}
    other = FirstBatches()
    other.load_state_dict(batches.state_dict())
    assert other.custom_units.found == batches.custom_units.found


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(Signed(0.5, False), nn.Linear(20, 3)),
        nn.Sequential(Bells(0.5, False), nn.LayerNorm(20), nn.Linear(20, 3)),
        Scaled(),
        nn.Sequential(nn.Sigmoid(), nn.Linear(8, 3)),
    ],
    ids=["of both signs", "normalised", "scaled", "torch's own"],
)
def test_which_units_are_not_measured(network):
    assert not seen(network, torch.randn(32, 8)).custom_units.found


@pytest.mark.parametrize(
    ("meta", "more", "raw"), [(1.0, 1.0, []), (300.0, 1.0, ["meta"]), (1.0, 1e6, ["head"])]
)
def test_second_inputs_and_joined_columns(meta, more, raw):
    torch.manual_seed(0)
    inputs = torch.randn(32, 8), meta * torch.randn(32, 3), more * torch.rand(32, 2)
    batches = seen(TwoInputs(), *inputs)
    found = batches.side_inputs.found
    assert [name for name, side in found.items() if side.is_raw] == raw
    assert found["meta"].is_data
    assert not found["head"].is_data
    columns = inputs[1].double().square().mean(0)
    assert found["meta"].rms == pytest.approx(float(columns.mean().sqrt()), rel=1e-5)
    assert found["meta"].largest == pytest.approx(float(columns.max().sqrt()), rel=1e-5)
    assert found["meta"].usual == pytest.approx(float(columns.median().sqrt()), rel=1e-5)
    state = batches.state_dict()
    other = FirstBatches()
    other.load_state_dict(state)
    assert other.side_inputs.found == found


def test_packed_sequences_are_seen_without_their_padding():
    torch.manual_seed(0)
    x, lengths = 1e4 * torch.rand(5, 7, 3), [2, 7, 4, 3, 1]
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    scale = seen(nn.GRU(3, 4, batch_first=True), packed).input_scale()
    steps = torch.cat([x[i, :n] for i, n in enumerate(lengths)]).double()
    assert (scale.features, scale.sizes) == (3, (5,))
    assert scale.rms == pytest.approx(float(steps.square().mean().sqrt()), rel=1e-5)
    assert scale.largest_mean == pytest.approx(float(steps.mean(0).max()), rel=1e-5)


def test_layers_that_are_not_trained_are_not_looked_at():
    module = TwoInputs()
    module.meta.requires_grad_(requires_grad=False)
    inputs = torch.randn(32, 8), 300 * torch.randn(32, 3), torch.rand(32, 2)
    assert list(seen(module, *inputs).side_inputs.found) == ["head"]


@pytest.mark.parametrize(
    ("norm", "shape", "values"),
    [
        (nn.BatchNorm1d(4), (2, 4), 2),
        (nn.BatchNorm1d(4), (2, 4, 7), 14),
        (nn.BatchNorm2d(4), (1, 4, 5, 6), 30),
        (nn.BatchNorm2d(4).eval(), (1, 4, 1, 1), float("inf")),
    ],
)
def test_how_many_values_a_channel_is_normalised_by(norm, shape, values):
    norms = seen(nn.Sequential(norm), torch.randn(shape)).norms
    assert (norms.fewest, norms.most) == (values, values)


def test_a_small_last_batch_leaves_the_largest():
    batches, norm = FirstBatches(), nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3))
    for size in (32, 2, 32):
        batches.attach(norm)
        norm(torch.randn(size, 3))
        batches.take([batches.news()])
    assert (batches.norms.fewest, batches.norms.most) == (2, 32)
    other = FirstBatches()
    other.load_state_dict(batches.state_dict())
    assert (other.norms.fewest, other.norms.most) == (2, 32)


def test_running_means_are_compared_with_those_of_the_batch():
    norm, x = nn.BatchNorm1d(3), torch.randn(200, 3, dtype=torch.float64).float() + 4
    gap = ((x.double().mean(0) - 0).abs() / (1 + norm.eps) ** 0.5).median()
    assert seen(nn.Sequential(norm), x).norms.gaps == {"0": pytest.approx(float(gap), rel=1e-5)}


def test_the_gain_of_recurrent_weights():
    torch.manual_seed(0)
    net = nn.Sequential(nn.LSTM(3, 64), nn.GRUCell(5, 64))
    assert largest_recurrent_gain(net) == pytest.approx(3**-0.5, rel=0.05)
    nn.init.orthogonal_(net[1].weight_hh[:64])
    nn.init.zeros_(net[1].weight_hh[64:])
    nn.init.normal_(net[0].weight_hh_l0, std=1.0)
    assert largest_recurrent_gain(net) == pytest.approx(8, rel=0.05)
    net[0].requires_grad_(requires_grad=False)
    assert largest_recurrent_gain(net) == pytest.approx((1 / 3) ** 0.5, rel=1e-5)
    assert torch.isnan(torch.tensor(largest_recurrent_gain(nn.Linear(2, 2))))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM, nn.LSTMCell])
def test_the_units_of_each_gate_are_compared(kind):
    layer = kind(3, 8)
    found = []
    for constant in (False, True):
        layer.zero_grad()
        if constant:
            for weight in layer.parameters():
                nn.init.constant_(weight, 0.1)
        states = layer(torch.randn(5, 3))[0]
        states.square().sum().backward()
        flag = have_identical_units(matrices_of(layer)[0], sure=False, gates=count_gates(layer))
        found.append(bool(flag))
    assert found == [False, True]
    assert count_gates(nn.Linear(3, 8)) == 1


@pytest.mark.parametrize("images", [64, 650, 1024])
def test_rows_of_images_are_taken_from_all_places(images):
    x = torch.zeros(images, 1, 28, 28)
    x[:, :, 8:20, 8:20] = 1.0
    scale = seen(nn.Sequential(nn.Conv2d(1, 2, 3)), x).input_scale()
    assert scale.rms == pytest.approx(12 / 28, rel=0.1)


def test_what_a_module_owns_beside_layers_makes_it_none():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.places, self.enter = nn.Parameter(torch.zeros(4, 3)), nn.Linear(3, 3)

        def forward(self, x):
            return self.enter(x / 1e3 + self.places)

    scale = seen(Scaled(), 3e3 + torch.randn(8, 4, 3)).input_scale()
    assert scale.layer == "enter"
    assert scale.rms == pytest.approx(3, rel=0.01)


class ByHand(nn.Module):
    """A matrix, and what is made of the inputs before."""

    def __init__(self, prepare=lambda x: x, inputs=3):
        super().__init__()
        self.prepare, self.matrix = prepare, nn.Parameter(torch.randn(inputs, 2))

    def forward(self, x):
        return self.prepare(x) @ self.matrix


def test_inputs_that_a_module_of_ones_own_may_prepare_are_not_those_of_its_matrix():
    x = 300 + torch.randn(8, 3)
    # As a part of a network, what comes in is what is multiplied; with fewer columns it is not.
    assert seen(nn.Sequential(ByHand()), x).input_scale().rms == pytest.approx(300, rel=0.01)
    angles = ByHand(lambda x: torch.stack([x.sin(), x.cos()], 2).flatten(1), 6)
    assert math.isnan(seen(nn.Sequential(angles), x).input_scale().rms)
    # A whole model begins with what others do in a data set.
    whole = ByHand(lambda x: (x - 300) / 20)
    assert math.isnan(seen(whole, x).input_scale().rms)
    assert seen(nn.Linear(3, 2), x).input_scale().rms == pytest.approx(300, rel=0.01)


def test_what_an_embedding_gives_is_seen_before_it_learns():
    table, batches = nn.Embedding(5, 3), FirstBatches()
    net = nn.Sequential(table, nn.Linear(3, 2))
    for size in (1.0, 100.0):
        nn.init.constant_(table.weight, size)
        batches.attach(net)
        net(torch.arange(5))
        batches.take([batches.news()])
    assert batches.input_scale().rms == pytest.approx(1)


@pytest.mark.parametrize(("gap", "first"), [(None, -1), (0, 4), (2, 6)])
def test_the_first_batch_that_is_not_finite_is_known_by_its_number(gap, first):
    layer, batches = nn.Linear(3, 2), FirstBatches()
    for number in range(4):
        batches.number = 4 + number
        batches.attach(layer)
        layer(torch.full((5, 3), torch.nan if number == gap else 1.0))
        batches.detach()
    batches.take([batches.news()])
    assert batches.input_scale().first_gap == first
    resumed = FirstBatches()
    resumed.load_state_dict(batches.state_dict())
    assert resumed.input_scale().first_gap == first


@pytest.mark.parametrize("rows", [0, 1])
def test_a_batch_of_no_number_or_one_lacks_none(rows):
    layer, batches = nn.Linear(1, 2), FirstBatches()
    for number, size in enumerate([4, rows, 4]):
        batches.number = number
        batches.attach(layer)
        layer(torch.ones(size, 1))
        batches.detach()
    batches.take([batches.news()])
    assert batches.input_scale().first_gap == -1
    assert batches.input_scale().rms == pytest.approx(1)


def test_one_unit_that_differs_is_enough():
    layer = nn.Linear(3, 6)
    nn.init.ones_(layer.weight)
    layer(torch.ones(1, 3)).sum().backward()
    assert have_identical_units(layer.weight, sure=False)
    for row in (0, 1, 5):
        weight = nn.Parameter(layer.weight.detach().clone())
        weight.grad = layer.weight.grad.clone()
        with torch.no_grad():
            weight[row, 2] = 2.0
        assert not have_identical_units(weight, sure=False)


@pytest.mark.parametrize("trained", [False, True])
def test_whether_weights_have_a_part_in_what_reaches_the_first_layer(trained):
    layer, batches, centre = nn.Linear(3, 2), FirstBatches(), torch.zeros(3, requires_grad=trained)
    batches.attach(layer)
    layer(torch.randn(5, 3) - centre)
    batches.detach()
    batches.take([batches.news()])
    resumed = FirstBatches()
    resumed.load_state_dict(batches.state_dict())
    assert batches.input_scale().is_data is resumed.input_scale().is_data is not trained


def test_what_comes_in_is_followed_over_the_training():
    layer, batches = nn.Linear(3, 2), FirstBatches()
    generator = torch.Generator().manual_seed(0)
    for i in range(40):
        batches.attach(layer)
        layer((1 + i / 10) * torch.randn(64, 3, generator=generator))
        batches.detach()
        batches.take([batches.news()])
        scale = batches.input_scale()
        assert math.isnan(scale.growth) is (i < 19)
    # Of tens of tenths the last have 4.45 and the first 1.45.
    assert scale.growth == pytest.approx(4.45 / 1.45, rel=0.03)
    assert scale.drift < 0.2


def test_features_that_are_rarely_another_number_are_on_no_small_scale():
    torch.manual_seed(0)
    usual, tenths = 6 * torch.randn(512, 2, dtype=torch.float64), 0.03 * torch.randn(512, 1)
    rare = torch.zeros(512, 1)
    rare[7] = 2.0
    layer = nn.Linear(3, 4).double()
    for column, expected in ((tenths.double(), tenths.std()), (rare.double(), 0.2)):
        batches = FirstBatches()
        for part in torch.cat([usual, column], 1).split(256):
            batches.attach(layer)
            layer(part)
            batches.detach()
        batches.take([batches.news()])
        scale = batches.input_scale()
        assert scale.smallest_std == pytest.approx(float(expected), rel=0.02)
        assert scale.largest_std == pytest.approx(float(usual.std(0).max()))


def spread_of(layer, batches):
    watch = FirstBatches()
    for i, batch in enumerate(batches):
        watch.number = i
        watch.attach(layer)
        layer(batch)
        watch.detach()
    watch.take([watch.news()])
    return watch.input_scale().feature_spread


def test_one_sorted_column_of_a_table_sets_its_batches_apart():
    x = torch.randn(650, 6, generator=torch.Generator().manual_seed(0))
    shuffled, ordered = (part.split(20) for part in (x, x[x[:, 3].argsort()]))
    assert spread_of(nn.Linear(6, 1), shuffled) < 0.5
    assert spread_of(nn.Linear(6, 1), ordered) > 5


@pytest.mark.parametrize(
    ("layer", "batches"),
    [
        (nn.LSTM(6, 2, batch_first=True), [torch.randn(20, 5, 6) for _ in range(9)]),
        (nn.Conv2d(3, 2, 3), [torch.randn(20, 3, 8, 8) for _ in range(9)]),
        (nn.LSTM(6, 2), [pack_sequence([torch.randn(5, 6)] * 4) for _ in range(9)]),
    ],
    ids=["sequences", "images", "packed"],
)
def test_only_of_a_table_is_each_row_a_sample(layer, batches):
    assert math.isnan(spread_of(layer, batches))
