"""What is said of a stop: the reason, the sentence, the log and the figure."""

import math

import pytest
from helpers.scripted import fit
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from torchvitals.callbacks import EarlyStopping, StoppingReason

NAN = float("nan")


def test_reasons_equal_lightnings_of_the_same_name():
    for reason in EarlyStoppingReason:
        ours = StoppingReason[reason.name]
        assert ours == reason
        assert reason == ours
        assert {ours: 1}[reason] == 1
        assert ours.nearest_in_lightning is reason
    assert StoppingReason.OVERFITTING not in list(EarlyStoppingReason)
    assert {reason.nearest_in_lightning for reason in StoppingReason} == set(EarlyStoppingReason)


@pytest.mark.parametrize(
    ("losses", "arguments", "sentence"),
    [
        ([3, 2, 1.9, 1.8], {"patience": 2, "min_delta": 0.5},
         "val_loss did not improve on 2 (epoch 1) by 0.5 for 2 checks (patience 2)."),
        ([3, 2, 1], {"patience": 2, "min_delta": 0.9, "min_delta_mode": "relative"},
         "val_loss did not improve on 3 (epoch 0) by 0.9 of it for 2 checks (patience 2)."),
        ([3, 1, 2, 4, 5], {"patience": 2, "min_delta": -1.5},
         "val_loss was worse than 2 by 1.5 or more (best: 1 (epoch 1)) for 2 checks (patience 2)."),
        ([5, 4, 1, 6, 7], {"patience": 2, "smoothing": "median", "smoothing_window": 3},
         "smoothed val_loss did not improve on 4 (best: 1 (epoch 2)) for 2 checks (patience 2)."),
        ([3, 2, 1.9], {"patience": 3, "baseline": 1.0},
         "val_loss did not beat the baseline of 1 (best: 1.9 (epoch 2)) for 3 checks "
         "(patience 3)."),
        ([NAN, NAN], {"patience": 2, "check_finite": False},
         "val_loss was never finite for 2 checks (patience 2)."),
        ([3, 2, 1, 2, 2], {"patience": 3.5, "patience_unit": "steps"},
         "val_loss did not improve on 1 (epoch 2) for 4 steps (patience 3.5)."),
        ([3, 2, NAN], {}, "val_loss = nan is not finite (best: 2 (epoch 1))."),
        ([3, 2, 7], {"max_loss_ratio": 3.0},
         "val_loss = 7 is over 3 times its best, 2 (epoch 1)."),
        ([3, 2], {"stopping_threshold": 2.5},
         "val_loss = 2 is better than 2.5, the stopping threshold."),
        ([3, 9], {"divergence_threshold": 8.5},
         "val_loss = 9 is worse than 8.5, the divergence threshold."),
        ([3, 2], {"baseline": 1.0, "baseline_by_epoch": 2},
         "val_loss did not reach the baseline of 1 by epoch 2: its best is 2 (epoch 1)."),
    ],
)  # fmt: skip
def test_the_sentence_says_what_was_watched_and_waited_for(losses, arguments, sentence):
    stopping = EarlyStopping("val_loss", **arguments)
    fit(stopping, losses)
    assert stopping.stopping_reason_message == sentence


def test_the_log_says_what_happened(caplog):
    caplog.set_level("INFO")
    stopping = EarlyStopping("val_loss", patience=2, verbose=True)
    fit(stopping, [3, 2, 1, 2, 3, 4])
    assert "Stopped in epoch 4, step 10: val_loss did not improve on 1 (epoch 2) for 2 checks" in (
        caplog.text
    )
    assert "val_loss = 2 is the best so far; previous best: 3 (epoch 0)." in caplog.text
    assert "restored the weights of the best val_loss, 1 (epoch 2)" in caplog.text


def test_plot_shows_curve_best_stop_and_saved_epochs():
    import matplotlib

    matplotlib.use("agg")
    stopping = EarlyStopping("val_loss", patience=2, smoothing="median", smoothing_window=3)
    with pytest.raises(ValueError, match="run fit first"):
        stopping.plot()
    fit(stopping, [5, 4, 1, 6, 7, 6, 9])
    ax = stopping.plot()
    raw, smoothed = ax.lines[:2]
    assert raw.get_ydata().tolist() == [5, 4, 1, 6, 7]
    assert smoothed.get_ydata().tolist() == [5, 4.5, 4, 4, 6]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [
        "val_loss",
        "smoothed (median, 3 checks)",
        "best so far, weights kept",
        "best: 1, epoch 2",
        "stopped after epoch 5",
        "2 of 7 epochs saved",
    ]
    assert math.isclose(ax.lines[2].get_xdata()[0], 5)
