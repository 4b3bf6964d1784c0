import pytest
import torch
from helpers.overfitting import errors_after_overfitting
from helpers.texts import ARCHITECTURES, SMALL, texts
from helpers.training import quiet_trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.functional import hash_ngrams
from torchvitals.lightning_modules import TextClassifier


def fit(model, x, y, epochs, batch_size=16, **trainer):
    loader = DataLoader(TensorDataset(x, y), batch_size=batch_size)
    once = {"check_val_every_n_epoch": epochs, "num_sanity_val_steps": 0}
    run = quiet_trainer(max_epochs=epochs, **once, **trainer)
    run.fit(model, loader, loader)
    return run


def accuracy(model, x, y):
    with torch.no_grad():
        return (model.eval()(x).argmax(1) == y).float().mean().item()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_vector_of_padding_stays_zero(architecture):
    model = TextClassifier(2, architecture=architecture, l1=1e-3, l2=1e-2, **SMALL)
    weight = model.network[0].embedding.weight
    assert torch.equal(weight[0], torch.zeros(8))
    before = weight.detach().clone()
    x = texts()
    model(x).sum().backward()
    assert torch.equal(weight.grad[0], torch.zeros(8))
    fit(model, x, torch.arange(16) % 2, epochs=2)
    assert torch.equal(weight[0], torch.zeros(8))
    assert not torch.equal(weight, before)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid", "selu"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_batch_can_be_learnt_by_heart(architecture, activation):
    torch.manual_seed(0)
    model = TextClassifier(
        4, architecture=architecture, activation=activation, hidden=(16,), **SMALL
    )
    x, y = texts(), torch.arange(16) % 4
    assert errors_after_overfitting(model, x, y, lr=0.01) == 0


def orders(fillers: range) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts of the same words, of which class 0 says "1 2" and class 1 says "2 1"."""
    rows = [[f, *pair, f + 1, 0] for f in fillers for pair in ((1, 2), (2, 1))]
    return torch.tensor(rows), torch.arange(len(rows)) % 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"ngrams": 1}, 0.5),
        ({"ngrams": 2}, 1.0),
        ({"architecture": "conv", "channels": (16,), "kernel_sizes": (1,)}, 0.5),
        ({"architecture": "conv", "channels": (16,), "kernel_sizes": (2,)}, 1.0),
    ],
)
def test_order_of_words_is_seen_from_bigrams_on(arguments, expected):
    torch.manual_seed(0)
    model = TextClassifier(2, buckets=2000, embedding_dim=8, lr=0.03, **arguments)
    x, y = orders(range(3, 103))
    fit(model, x, y, epochs=15)
    unseen = orders(range(200, 240))
    assert accuracy(model, *unseen) == expected


def topics(rows: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Common words 1..50, with three of 51..70 in texts of class 0 and of 71..90 in class 1."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 2, (rows,), generator=generator)
    x = torch.randint(1, 51, (rows, 12), generator=generator)
    x[:, :3] = torch.randint(51, 71, (rows, 3), generator=generator) + 20 * y[:, None]
    x = x.gather(1, torch.rand(rows, 12, generator=generator).argsort(1))
    return nn.functional.pad(x, (0, 3)), y


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_topics_are_told_apart_in_unseen_texts(architecture):
    torch.manual_seed(0)
    model = TextClassifier(
        2, architecture=architecture, buckets=5000, embedding_dim=16, channels=(16,),
        kernel_sizes=(3,), dropout=0.2, lr=0.01,
    )  # fmt: skip
    x, y = topics(300, seed=0)
    unseen = topics(200, seed=1)
    fit(model, x, y, epochs=12, batch_size=32)
    assert accuracy(model, *unseen) > 0.95


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_checkpoint_loads_back_with_no_argument(architecture, tmp_path):
    model = TextClassifier(
        3, architecture=architecture, activation=nn.Tanh, norm="batch", hidden=(6,), **SMALL
    )
    x = texts()
    run = fit(model, x, torch.arange(16) % 3, epochs=2)
    run.save_checkpoint(tmp_path / "run.ckpt")
    loaded = TextClassifier.load_from_checkpoint(tmp_path / "run.ckpt").eval()
    assert torch.equal(loaded(x), model.eval()(x))
    torch.load(tmp_path / "run.ckpt", weights_only=True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_l1_makes_rows_of_the_embedding_exactly_zero(architecture):
    zeros = {}
    for l1 in (0.0, 0.5):
        torch.manual_seed(0)
        model = TextClassifier(2, architecture=architecture, l1=l1, lr=0.01, **SMALL)
        fit(model, texts(), torch.arange(16) % 2, epochs=60)
        zeros[l1] = (model.network[0].embedding.weight[1:] == 0).float().mean().item()
    assert zeros[0.0] == 0
    assert zeros[0.5] > 0.3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_l2_shrinks_the_embedding_by_its_own_rate(architecture):
    model = TextClassifier(2, architecture=architecture, l2=0.5, lr=0.1, optimizer="sgd", **SMALL)
    x = texts()
    weight = model.network[0].embedding.weight
    ids = hash_ngrams(x, 2 if architecture == "bag" else 1, 200)
    unused = torch.ones(200, dtype=torch.bool)
    unused[ids.unique()] = False
    before = weight.detach()[unused]
    fit(model, x, torch.arange(16) % 2, epochs=3)
    assert unused.sum() > 10
    torch.testing.assert_close(weight.detach()[unused], before * (1 - 0.1 * 0.5) ** 3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("arguments", [{"precision": "bf16-mixed"}, {}])
@pytest.mark.parametrize("init", ["auto", "lsuv"])
def test_training_in_either_precision(architecture, arguments, init):
    torch.manual_seed(0)
    model = TextClassifier(
        4, architecture=architecture, hidden=(16,), lr=0.01, init=init, dropout=0.05, **SMALL
    )
    x, y = texts(), torch.arange(16) % 4
    fit(model, x, y, epochs=80, **arguments)
    assert accuracy(model, x, y) >= 15 / 16


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "convs"}, "Did you mean 'conv'"),
        ({"buckets": 1}, "`buckets`"),
        ({"buckets": 0}, "`buckets`"),
        ({"embedding_dim": 0}, "`embedding_dim`"),
        ({"ngrams": 0}, "`ngrams`"),
        ({"hidden": (0,)}, "`hidden`"),
        ({"channels": (4, 0, 4)}, "`channels`"),
        ({"kernel_sizes": (1, 2, 0)}, "`kernel_sizes`"),
        ({"kernel_sizes": (1, 2)}, "`channels` and `kernel_sizes`"),
        ({"channels": (), "kernel_sizes": ()}, "`channels` and `kernel_sizes`"),
        ({"activation": "leakyrelu"}, "Did you mean 'leaky_relu'"),
        ({"norm": "batchnorm"}, "Did you mean 'batch'"),
        ({"norm_position": "behind"}, "`norm_position`"),
        ({"init": "kaiming"}, "'kaiming_normal'"),
        ({"init_options": {"std": 1.0}}, "`init_options`"),
        ({"dropout": 1.0}, "`dropout`"),
        ({"lr": 0.0}, "`lr`"),
        ({"num_classes": 1}, "`num_classes`"),
    ],
)
def test_wrong_arguments_say_what_to_do(architecture, arguments, message):
    with pytest.raises(ValueError, match=message):
        TextClassifier(**{"num_classes": 3, "architecture": architecture, **arguments})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 3), r"but got torch.float32 of shape \(2, 3\)"),
        (torch.zeros(2, 3, dtype=torch.int32), r"`x.long\(\)`"),
        (torch.zeros(3, dtype=torch.int64), r"`x\[None\]`"),
        (torch.zeros(2, 3, 4, dtype=torch.int64), r"shape \(2, 3, 4\)"),
        (torch.tensor([[1, 2], [-4, 3]]), "at least 0, but got -4"),
    ],
)
def test_wrong_batches_say_what_to_do(x, message):
    with pytest.raises(ValueError, match=message):
        TextClassifier(2, **SMALL)(x)
