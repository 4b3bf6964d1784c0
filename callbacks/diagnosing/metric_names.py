"""What the name of a logged metric says about it."""

import re
from collections.abc import Iterable

# Other words for a loss, with the kinds of training loss that they name.
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
# Errors of a regression, and the score that tells them, by the words that alone are their names.
_ERRORS = {
    "absolute": ({"mae"}, {"mean", "absolute", "error"}),
    "root": ({"rmse"}, {"root", "mean", "squared", "error"}),
    "squared": ({"mean", "squared", "error"},),
    "determination": ({"r2"}, {"r2", "score"}, {"r", "squared"}),
}
# Metrics that are better when smaller are no scores, whatever they are of.
_ERROR = (
    r"[a-z]*(loss|losses|errors?|err|mse|mae|mape|nll|bce|perplexity|ppl|entropy|inaccuracy)\d*"
)
# Between words that are written as one: valAcc, BinaryF1Score, MulticlassAccuracy.
_SEAM = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
_RANKINGS = r"auc|auroc|auprc|averageprecision|average_precision|ndcg|mrr|hit_?rate|recall@|\bap\b"
_DECISIONS = r"f1|recall(?!@)|sensitivity|mcc|kappa"
# Neither a value nor a valence, nor the end of another word: interval, retrieval, survival.
_VALIDATION = r"(?<![a-z])(eval|val(?!u|en))"
_PARTS = "validation|valid|eval|val|(?<![a-z])(?:dev|test|heldout|holdout)(?![a-z])"
_BETWEEN = "_-/.: "
_BARE = {"val", "valid", "validation", "eval", "dev", "test", "heldout", "holdout", "epoch"}
# A name of these words alone does not refer to a part of the loss.
_PLAIN = _BARE | {"loss", "total", "step", "dataloader", "idx"}


def says_validation(name: str) -> bool:
    """Whether a word of a name begins with ``val`` or ``eval``, or is ``dev``."""
    words, apart = words_of(name), re.sub(_SEAM, " ", name).lower()
    said = re.search(_VALIDATION, apart) is not None
    return said or ("dev" in words and not words & {"std", "train"})


def find_losses(names: Iterable[str]) -> list[str]:
    """Return all names with ``loss``, those first that do not refer to a part of it."""
    return sorted((name for name in names if "loss" in name.lower()), key=lambda n: not is_plain(n))


def is_other_loss(name: str) -> bool:
    """Whether a name is that of a loss by another name."""
    return not words_of(name).isdisjoint(OTHER_LOSSES)


def error_in(name: str) -> str:
    """Return which error a name is of: a key of `_ERRORS`; empty for other names."""
    words = set(_split(name)) - (_PLAIN - {"loss"})
    return next((kind for kind, known in _ERRORS.items() if words in known), "")


def is_score(name: str) -> bool:
    """Whether a name is that of a score of which larger values are better."""
    return is_accuracy(name) or _has(name, _OTHER_SCORE)


def is_unknown(name: str) -> bool:
    """Whether a name says more than validation, but neither loss, error nor score."""
    score = is_score(name) or is_ranking(name) or is_decision(name)
    error = _is_error(name) or bool(error_in(name))
    return not (error or score or is_bare(name) or is_other_loss(name) or "loss" in name.lower())


def is_plain(name: str) -> bool:
    """Whether a name says no more than that it is the validation loss, as ``val_loss`` does."""
    return words_of(name) - {""} <= _PLAIN


def is_bare(name: str) -> bool:
    """Whether a name says no more than that it is of validation, as ``val`` does."""
    return words_of(name) - {""} <= _BARE


def is_ranking(name: str) -> bool:
    """Whether a name is that of a ranking metric, which scores the order of samples."""
    return not _is_error(name) and bool(re.search(_RANKINGS, name.lower().replace("/", " ")))


def is_decision(name: str) -> bool:
    """Whether a name is that of a score of decisions, such as accuracy."""
    is_other = not _is_error(name) and bool(re.search(_DECISIONS, name.lower()))
    return is_other or is_accuracy(name)


def is_accuracy(name: str) -> bool:
    """Whether a name is that of an accuracy."""
    return _has(name, _ACCURACY)


def counterparts(name: str) -> list[str]:
    """Return possible names of a validation metric in training: ``val_mse`` is ``mse`` in Keras."""
    found = [re.sub(_PARTS, word, name, flags=re.IGNORECASE) for word in ("train", "training")]
    pieces = [piece.strip(_BETWEEN) for piece in re.split(_PARTS, name, flags=re.IGNORECASE)]
    rest = [piece for piece in pieces if piece]
    found += rest if len(rest) == 1 and len(pieces) > 1 else []
    return [n + ending for n in found for ending in ("", "_epoch", "_step")]


def words_of(name: str) -> set[str]:
    """Return the words of a name, in lower case."""
    return set(re.split("[^a-z]+", name.lower().replace("cross_entropy", "crossentropy")))


def _has(name: str, score: str) -> bool:
    """Whether a word of a name matches that score, and none an error."""
    return not _is_error(name) and any(re.fullmatch(score, word) for word in _split(name))


def _is_error(name: str) -> bool:
    return any(re.fullmatch(_ERROR, word) for word in _split(name))


def _split(name: str) -> list[str]:
    """Return the words of a name in lower case, with digits, also split at capitals."""
    return re.findall("[a-z0-9]+", re.sub(_SEAM, " ", name).lower())
