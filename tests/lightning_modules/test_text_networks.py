import pytest
import torch
from helpers.texts import ARCHITECTURES, SMALL, texts
from torch import nn

from torchvitals.functional import hash_ngrams
from torchvitals.lightning_modules import TextClassifier


def normalized(model):
    """Running statistics and scales that are not those of the start."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    return model


def test_bag_equals_the_mean_over_a_loop():
    model = TextClassifier(3, ngrams=3, **SMALL)
    x = texts()
    weight, linear = model.network[0].embedding.weight, model.network[-1]
    for row, logits in zip(x, model(x), strict=True):
        words = row[row != 0]
        grams = [words[i : i + n] for n in (1, 2, 3) for i in range(len(words) - n + 1)]
        vectors = [weight[hash_ngrams(g[None], len(g), 200)[0, 0, len(g) - 1]] for g in grams]
        torch.testing.assert_close(logits, linear(torch.stack(vectors).mean(0)))


@pytest.mark.parametrize("norm_position", ["before", "after"])
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_conv_equals_a_loop_over_rows_and_windows(norm, norm_position):
    options = {"norm": norm, "norm_position": norm_position, "activation": "tanh"}
    model = normalized(TextClassifier(3, architecture="conv", **options, **SMALL)).eval()
    norms = (nn.BatchNorm1d, nn.LayerNorm)
    norm_layer = next((m for m in model.network if isinstance(m, norms)), nn.Identity())
    first, linear = model.network[0], model.network[-1]
    x = texts()
    for row, logits in zip(x, model(x), strict=True):
        words = row[row != 0]
        vectors = first.embedding.weight[hash_ngrams(words[None], 1, 200)[0, :, 0]]
        features = []
        for conv in first.convolutions:
            size = conv.weight.shape[2]
            margin = torch.zeros(size - 1, vectors.shape[1])
            ahead = torch.cat([margin, vectors, margin])
            windows = [ahead[i : i + size] for i in range(len(ahead) - size + 1)]
            outs = [torch.einsum("osk,ks->o", conv.weight, w) for w in windows]
            bias = 0 if conv.bias is None else conv.bias
            features.append(torch.stack(outs).amax(0) + bias)
        pooled = torch.cat(features)[None]
        if norm_position == "before":
            pooled = norm_layer(pooled).tanh()
        else:
            pooled = norm_layer(pooled.tanh())
        torch.testing.assert_close(logits, linear(pooled)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "group", "rms"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("training", [False, True])
def test_padding_never_changes_the_logits(architecture, norm, training):
    """In training too, where batch statistics must not take in the padding."""
    options = {"norm_options": {"groups": 3}} if norm == "group" else {}
    model = TextClassifier(
        3, architecture=architecture, norm=norm, hidden=(96,), **options, **SMALL
    )
    normalized(model).train(training)
    x = texts(rows=6)
    expected = model(x)
    assert expected.std(0).min() > 1e-3
    for left, right in ((0, 1), (0, 30), (3, 0), (7, 2)):
        padded = nn.functional.pad(x, (left, right))
        torch.testing.assert_close(model(padded), expected, rtol=1e-4, atol=1e-5)
    if not training:
        for row, logits in zip(x, expected, strict=True):
            torch.testing.assert_close(model(row[row != 0][None])[0], logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("length", [0, 1, 2, 9])
def test_empty_and_short_texts_have_finite_logits_and_gradients(architecture, norm, length):
    model = TextClassifier(3, architecture=architecture, norm=norm, hidden=(7,), **SMALL)
    empty = torch.zeros(2, length, dtype=torch.int64)
    logits = model(empty)
    assert logits.shape == (2, 3)
    mixed = torch.cat([empty, torch.full((1, length), 5)])
    sum_of_both = logits.square().sum() + model(mixed).square().sum()
    sum_of_both.backward()
    assert sum_of_both.isfinite()
    gradients = [p.grad for p in model.network.parameters() if p.grad is not None]
    assert len(gradients) > 2
    assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize(("init", "std"), [("auto", 0.1), ("zeros", 0.1), ("default", 1.0)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_spread_of_the_embedding(architecture, init, std):
    model = TextClassifier(2, architecture=architecture, buckets=2001, embedding_dim=100, init=init)
    weight = model.network[0].embedding.weight[1:]
    assert weight.std().item() == pytest.approx(std, rel=0.05)
    assert (model.network[-1].weight == 0).all() == (init == "zeros")


def test_dense_layer_behind_sigmoid_convolutions_is_initialised_for_a_sigmoid():
    model = TextClassifier(2, architecture="conv", activation="sigmoid", **SMALL)
    linear = model.network[-1]
    torch.testing.assert_close(linear.bias, -linear.weight.sum(1) / 2)


@pytest.mark.parametrize(
    ("activation", "init", "gain"),
    [("relu", "auto", 2**0.5), ("selu", "auto", 1.0), ("relu", "kaiming_normal", 2**0.5)],
)
def test_spread_of_the_convolutions(activation, init, gain):
    model = TextClassifier(
        2, architecture="conv", activation=activation, init=init, buckets=50, embedding_dim=32,
        channels=(128, 128), kernel_sizes=(2, 5),
    )  # fmt: skip
    for convolution, fan_in in zip(model.network[0].convolutions, (64, 160), strict=True):
        assert convolution.weight.std().item() == pytest.approx(gain / fan_in**0.5, rel=0.05)
        assert torch.equal(convolution.bias, torch.zeros(128))


@pytest.mark.parametrize(
    ("architecture", "activation"), [("bag", "relu"), ("conv", "tanh"), ("conv", "selu")]
)
def test_dropout_of_the_vector_of_a_text(architecture, activation):
    """About half of what the linear layer reads; SELU's is alpha dropout, which sets no zeros."""
    torch.manual_seed(0)
    model = TextClassifier(
        2, architecture=architecture, activation=activation, dropout=0.5, **SMALL
    )
    read = []
    model.network[-1].register_forward_pre_hook(lambda layer, args: read.append(args[0].detach()))
    x = texts(rows=200)
    model.eval()(x)
    model.train()(x)
    kept = (read[1] == 2 * read[0]).float().mean().item()
    zeros = (read[1] == 0).float().mean().item()
    if activation == "selu":
        assert kept == zeros == 0
        assert read[1].mode().values.unique().numel() == 1  # the one value of what is dropped
    else:
        assert kept == pytest.approx(0.5, abs=0.05)
        assert zeros == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_convolutions_have_a_bias_unless_batch_norm_takes_it_away(norm):
    model = TextClassifier(2, architecture="conv", norm=norm, **SMALL)
    biases = [layer.bias is not None for layer in model.network[0].convolutions]
    assert biases == [norm != "batch"] * 3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_compiled_forward_is_one_graph_and_equal(architecture):
    torch._dynamo.reset()
    model = TextClassifier(3, architecture=architecture, norm="batch", **SMALL).eval()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    for length in (7, 12, 0):
        x = texts(rows=4, length=12)[:, :length]
        torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_values_are_not_read_off_the_cpu(architecture):
    """On the meta device, which has no values, any read of them raises."""
    model = TextClassifier(2, architecture=architecture, norm="batch", **SMALL).to("meta")
    assert model(torch.zeros(2, 3, dtype=torch.int64, device="meta")).shape == (2, 2)
