"""What the name of a logged metric says."""

import re
from collections.abc import Iterable

# Losses by other names; in units of their own they are none of the training's.
OTHER_LOSSES = {
    "nll": ("nll", "cross_entropy"), "bce": ("bce", "bce_logits"), "ce": ("cross_entropy",),
    "xent": ("cross_entropy",), "crossentropy": ("cross_entropy",), "mse": (), "cost": (),
    "objective": (), "criterion": (),
}  # fmt: skip
_ACCURACY = r"[a-z]*acc(uracy|uracies|s)?\d*|top[15]"
_OTHER_SCORE = (
    r"(val|valid|test|macro|micro|weighted)?f1(s|scores?|macro|micro|weighted)?"
    r"|[a-z]*au(c|roc|prc)s?\d*"
)
# What is smaller for the better is none, whatever it is of.
_ERROR = (
    r"[a-z]*(loss|losses|errors?|err|mse|mae|mape|nll|bce|perplexity|ppl|entropy|inaccuracy)\d*"
)
# Between words that are written together: valAcc, BinaryF1Score, MulticlassAccuracy.
_SEAM = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
_RANKINGS = r"auc|auroc|auprc|averageprecision|average_precision|ndcg|mrr|hit_?rate|recall@|\bap\b"
_DECISIONS = r"f1|recall(?!@)|sensitivity|mcc|kappa"
_PARTS = "validation|valid|eval|val|(?<![a-z])(?:dev|test|heldout|holdout)(?![a-z])"
_BETWEEN = "_-/.: "
_BARE = {"val", "valid", "validation", "eval", "dev", "test", "heldout", "holdout", "epoch"}
# Beside these a name says nothing of a part of the loss.
_PLAIN = _BARE | {"loss", "total", "step", "dataloader", "idx"}


def says_validation(name: str) -> bool:
    """``val``, ``valid``, ``eval``, or ``dev`` as a word of its own."""
    words = words_of(name)
    return "val" in name.lower() or ("dev" in words and not words & {"std", "train"})


def find_losses(names: Iterable[str]) -> list[str]:
    """All that are called so, those first that name no part of it."""
    return sorted((name for name in names if "loss" in name.lower()), key=lambda n: not is_plain(n))


def find_other_loss(names: Iterable[str]) -> str:
    """The first loss by another name; empty if there is none."""
    return next((n for n in names if words_of(n) & set(OTHER_LOSSES)), "")


def find_bare(names: Iterable[str]) -> str:
    """The first bare name; empty if there is none."""
    return next((name for name in names if is_bare(name)), "")


def find_score(names: Iterable[str]) -> str:
    """The first score; empty if there is none."""
    return next((name for name in names if is_accuracy(name) or _has(name, _OTHER_SCORE)), "")


def is_unknown(name: str) -> bool:
    """Whether it says nothing of what it is: neither a loss nor an error, nor a score."""
    score = is_accuracy(name) or is_ranking(name) or is_decision(name) or _has(name, _OTHER_SCORE)
    named = _is_error(name) or score or is_bare(name) or bool(words_of(name) & set(OTHER_LOSSES))
    return not named and "loss" not in name.lower()


def is_plain(name: str) -> bool:
    """Whether it says no more than that it is the loss of validation: ``val_loss``, not a part."""
    return words_of(name) - {""} <= _PLAIN


def is_bare(name: str) -> bool:
    """Whether it says no more than that it is of validation, as ``val`` beside ``train``."""
    return words_of(name) - {""} <= _BARE


def is_ranking(name: str) -> bool:
    """Whether it is a score about the order of samples."""
    return not _is_error(name) and bool(re.search(_RANKINGS, name.lower().replace("/", " ")))


def is_decision(name: str) -> bool:
    """Whether it is a score about decisions, as accuracy is."""
    is_other = not _is_error(name) and bool(re.search(_DECISIONS, name.lower()))
    return is_other or is_accuracy(name)


def is_accuracy(name: str) -> bool:
    """Whether it is one."""
    return _has(name, _ACCURACY)


def counterparts(name: str) -> list[str]:
    """What a metric of validation would be called in training: ``val_mse`` is ``mse`` in Keras."""
    found = [re.sub(_PARTS, word, name, flags=re.IGNORECASE) for word in ("train", "training")]
    pieces = [piece.strip(_BETWEEN) for piece in re.split(_PARTS, name, flags=re.IGNORECASE)]
    rest = [piece for piece in pieces if piece]
    found += rest if len(rest) == 1 and len(pieces) > 1 else []
    return [n + ending for n in found for ending in ("", "_epoch", "_step")]


def words_of(name: str) -> set[str]:
    """Its words, in small letters."""
    return set(re.split("[^a-z]+", name.lower().replace("cross_entropy", "crossentropy")))


def _has(name: str, score: str) -> bool:
    """Whether a word of it is that score, and none an error."""
    return not _is_error(name) and any(re.fullmatch(score, word) for word in _split(name))


def _is_error(name: str) -> bool:
    return any(re.fullmatch(_ERROR, word) for word in _split(name))


def _split(name: str) -> list[str]:
    """Its words in small letters, digits included, also those that capitals set apart."""
    return re.findall("[a-z0-9]+", re.sub(_SEAM, " ", name).lower())
