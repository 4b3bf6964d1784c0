"""An argument that does not fit is refused by its name, not by torch's error or a wrong result."""

import math
import re

import pytest
import torch

from torchvitals import functional as F
from torchvitals.functional.arguments import dimension, tensors

NAN = math.nan
X = torch.arange(12.0).view(3, 4)
COMPLEX = X + 1j
IMAGES = torch.zeros(2, 3, 4, 5)
AS_IT_IS = torch.eye(3)[:2].expand(2, 2, 3)
OFFSETS = torch.zeros(2, dtype=torch.int64)
INDEX = torch.arange(3)
UNITS = F.unit_statistics(F.moment_sums(F.unit_moments(X, 1, "relu")))
FEWER = F.unit_statistics(F.moment_sums(F.unit_moments(X[:, :2], 1, "relu")))
LAYERS = F.layer_index([1, 2])


def at_key(index=INDEX, draws=2, seed=0, epoch=0):
    return F.keyed_uniform(index, draws, seed=seed, epoch=epoch)


REFUSED = [
    (lambda: F.layer_index([2, -1]), ValueError, "`widths` to be at least 0, but got -1"),
    (lambda: F.layer_index([2.5]), TypeError, "`widths` to be a whole number, but got 2.5"),
    (lambda: F.saturated_entries([1.0], "tanh"), TypeError, "`outputs` to be a tensor"),
    (lambda: F.saturated_entries(COMPLEX, "tanh"), TypeError, "`outputs` to hold real numbers"),
    *(
        case
        for function in (
            lambda x, dim: F.unit_mean_and_variance(x, dim),
            lambda x, dim: F.unit_moments(x, dim, "relu"),
            lambda x, dim: F.active_units(x, dim),
        )
        for case in [
            (lambda f=function: f(X, 2), ValueError, "`unit_dim` to be a dimension of a tensor of"),
            (lambda f=function: f(X, -3), ValueError, "`unit_dim` to be at least -2, but got -3"),
            (lambda f=function: f(X[0, 0], 0), ValueError, "`unit_dim` to be a dimension of a"),
            (lambda f=function: f(X, 1.0), TypeError, "`unit_dim` to be a whole number"),
            (lambda f=function: f(COMPLEX, 1), TypeError, "`outputs` to hold real numbers"),
            (lambda f=function: f([[1.0]], 1), TypeError, "`outputs` to be a tensor, but got [[1."),
        ]
    ),
    (lambda: F.unit_mean_and_variance(X[:0], 1), ValueError, "`outputs` not to be empty"),
    (lambda: F.unit_moments(X[:0], 1, "relu"), ValueError, "`outputs` not to be empty"),
    (lambda: F.active_units(X, 1, threshold=NAN), ValueError, "`threshold` to be a number"),
    (lambda: F.active_units(X, 1, threshold="0"), TypeError, "`threshold` to be a number"),
    (lambda: F.moment_sums(X), ValueError, "`moments` to have the shape (7, units), but got (3, 4"),
    (lambda: F.unit_statistics(X), ValueError, "`sums` to have the shape (8, units), but got (3, "),
    (lambda: F.layer_means([1.0]), TypeError, "`values` to be a tensor, but got [1.0]"),
    (lambda: F.layer_means(X[0], LAYERS), ValueError, "for each of the 3 units of `layers`, but"),
    (lambda: F.dormant_units(X[0], -1), ValueError, "`threshold` to be at least 0, but got -1"),
    (lambda: F.dormant_units(X[0], NAN), ValueError, "`threshold` to be at least 0, but got nan"),
    (lambda: F.mean_drift(UNITS, FEWER), ValueError, "as many units as `before`, 4, but got 2"),
    (lambda: at_key(INDEX + 0.5), TypeError, "`index` to hold whole numbers, but got torch.float"),
    (lambda: at_key(INDEX[None]), ValueError, "`index` to have the shape (N,), but got (1, 3)"),
    (lambda: at_key(draws=-1), ValueError, "`draws` to be at least 0, but got -1"),
    (lambda: at_key(draws=2.0), TypeError, "`draws` to be a whole number, but got 2.0"),
    (lambda: at_key(seed=0.5), TypeError, "`seed` to be a whole number, but got 0.5"),
    (lambda: at_key(seed=2**63), ValueError, "`seed` to be below 2**63, but got"),
    (lambda: at_key(epoch=0.5), TypeError, "`epoch` to be a whole number, but got 0.5"),
    (lambda: F.affine_warp(IMAGES[0], AS_IT_IS), ValueError, "`images` to have the shape (N, C, H"),
    (lambda: F.affine_warp(IMAGES.byte(), AS_IT_IS), TypeError, "`images` to be floating point"),
    (lambda: F.affine_warp(IMAGES, torch.eye(3)), ValueError, "`matrices` to have the shape (2, 2"),
    (lambda: F.affine_warp(IMAGES, AS_IT_IS, "cubic"), ValueError, "`mode` to be one of 'bilin"),
    (
        lambda: F.move_pixels(IMAGES, OFFSETS[:1], OFFSETS, None, None),
        ValueError,
        "`x` to have the shape (2,), but got (1,)",
    ),
    (
        lambda: F.move_pixels(IMAGES, OFFSETS, 1, None, None),
        TypeError,
        "`y` to be a tensor, but got 1",
    ),
    (
        lambda: F.move_pixels(IMAGES, OFFSETS, OFFSETS, OFFSETS, None),
        TypeError,
        "`flip_x` to be boolean, but got torch.int64",
    ),
    (lambda: F.generalization_loss([1.0]), TypeError, "`validation_losses` to be a tensor"),
    (lambda: F.generalization_loss(X), ValueError, "`validation_losses` to have the shape (checks"),
    (lambda: F.training_progress(X[:, :0]), ValueError, "`training_losses` to have at least one"),
    (lambda: F.progress_quotient(X, X), ValueError, "`validation_losses` to have the shape (check"),
    (lambda: F.progress_quotient(X[0], [1.0]), TypeError, "`training_losses` to be a tensor"),
    (lambda: F.successive_increases(X), ValueError, "`validation_losses` to have the shape"),
    (lambda: F.exponential_average(X, 2), ValueError, "`values` to be a non-empty sequence"),
    (lambda: F.windowed_median([1.0], 2), TypeError, "`values` to be a tensor, but got [1.0]"),
    (lambda: F.vanishing_from([1.0] * 4, NAN), ValueError, "`factor` to be above 0, but got nan"),
    (lambda: F.exploding_from([1.0] * 4, -1), ValueError, "`factor` to be above 0, but got -1"),
    (lambda: F.layer_gradient_norms([X]), TypeError, "`gradients` to be tensors by layer, but"),
    (lambda: F.layer_gradient_norms({"a": [X.long()]}), TypeError, "`gradients` to be floating or"),
    (lambda: F.layer_gradient_norms({"a": [None]}), TypeError, "`gradients` to be a tensor, but"),
    (lambda: F.layer_gradient_norms({}, "fro"), TypeError, "`norm_type` to be a number, but got"),
    (lambda: F.layer_norms([X]), TypeError, "`tensors` to be tensors by layer, but got"),
    (lambda: F.layer_norms({}, NAN), ValueError, "`norm_type` to be above 0, but got nan"),
    (lambda: F.total_norm(X[0], -1), ValueError, "`norm_type` to be above 0, but got -1"),
    (lambda: F.total_norm([1.0]), TypeError, "`layer_norms` to be a tensor, but got [1.0]"),
    (lambda: F.single_precision_range(0), ValueError, "`norm_type` to be above 0, but got 0"),
    (lambda: F.splitmix64(1), TypeError, "`state` to be a tensor, but got 1"),
    (lambda: F.splitmix64(X), TypeError, "`state` to hold whole numbers, but got torch.float32"),
    (lambda: F.shift_right(INDEX, 64), ValueError, "`bits` to be at most 63, but got 64"),
    (lambda: F.shift_right(INDEX, 0), ValueError, "`bits` to be at least 1, but got 0"),
    (lambda: F.shift_right(X, 1), TypeError, "`z` to hold whole numbers, but got torch.float32"),
    (lambda: F.hash_ngrams(INDEX, 1, 5), ValueError, "`tokens` to have the shape (N, L), but got "),
    (lambda: F.hash_ngrams(X, 1, 5), TypeError, "`tokens` to hold whole numbers, but got torch"),
    (lambda: F.hash_ngrams(INDEX[None], 1.5, 5), TypeError, "`n` to be a whole number, but got 1."),
    (lambda: F.hash_ngrams(INDEX[None], 1, 5.5), TypeError, "`buckets` to be a whole number, but"),
    (lambda: F.depth_preserving_gain("tanh"), TypeError, "`activation` to be a function, but got"),
    (lambda: F.depth_preserving_gain(torch.tanh, 0), ValueError, "`depth` to be at least 1, but"),
    (lambda: F.depth_preserving_gain(lambda x: (x > 0) + 0.0), ValueError, "pass a gradient back"),
    (lambda: F.gradient_noise(1.0, 1.0, "1", 2), TypeError, "`small_batch` to be a number, but go"),
    (lambda: F.gradient_noise(1.0, 1.0, 0, 2), ValueError, "`small_batch` to be above 0, but got "),
    (lambda: F.gradient_noise(1.0, 1.0, 2, 2), ValueError, "`big_batch` to be above 2, but got 2"),
    (lambda: F.l1_penalty([]), ValueError, "`weights` to hold at least one tensor, but got none"),
    (lambda: F.l2_penalty([X, None]), TypeError, "`weights[1]` to be a tensor, but got None"),
    (lambda: F.zero_fraction([]), ValueError, "`weights` to hold at least one tensor, but got non"),
    (lambda: F.soft_threshold_([X], -1), ValueError, "`threshold` to be at least 0, but got -1"),
    (lambda: F.soft_threshold_([X], NAN), ValueError, "`threshold` to be at least 0, but got nan"),
    (lambda: F.decay_([X], NAN), ValueError, "`factor` to be at least 0, but got nan"),
    (lambda: F.decay_([X], "0.1"), TypeError, "`factor` to be a number, but got '0.1'"),
    (lambda: F.RunningMoments(decay=1.0), ValueError, "`decay` to be below 1, but got 1.0"),
    (lambda: F.RunningMoments(decay=NAN), ValueError, "`decay` to be above 0, but got nan"),
    (lambda: F.update_norms([X], [X, X]), ValueError, "`after` to have the shapes of `before`, [("),
    (lambda: F.update_norms([X], [X.T]), ValueError, "`after` to have the shapes of `before`, [(3"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "said"), REFUSED)
def test_it_is_refused_by_its_name(call, error, said):
    before = X.clone()
    with pytest.raises(error, match=f"^Expected .*{re.escape(said)}"):
        call()
    assert torch.equal(X, before)


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.uint8])
def test_whole_numbers_of_any_type_hash_alike(dtype):
    index = torch.tensor([7, 3, 255 if dtype == torch.uint8 else 300])
    index = index.clamp(max=torch.iinfo(dtype).max)
    other = index.to(dtype)
    assert torch.equal(F.splitmix64(other), F.splitmix64(index))
    assert torch.equal(at_key(other), at_key(index))
    assert torch.equal(F.hash_ngrams(other[None], 2, 50), F.hash_ngrams(index[None], 2, 50))
    assert torch.equal(
        F.shift_right(torch.tensor([-1], dtype=torch.int32), 1), torch.tensor([2**63 - 1])
    )


def test_a_dimension_may_be_counted_from_the_last_one():
    assert [dimension("dim", dim, X) for dim in (0, 1, -1, -2)] == [0, 1, 1, 0]


def test_tensors_may_come_one_by_one():
    assert len(tensors("weights", (x for x in X))) == 3
    assert float(F.zero_fraction(x for x in X)) == pytest.approx(1 / 12)
    assert tensors("weights", X)[0] is X
