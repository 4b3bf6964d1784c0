import math
import os
import pickle
import random
import sys
from pathlib import Path

import numpy
import pytest
import torch
from helpers.reviews import Recorder, reviews, write_reviews
from helpers.training import quiet_trainer, run
from sklearn.utils.class_weight import compute_class_weight

from torchvitals.datamodules import TextAugment, TextDataModule
from torchvitals.datamodules.texts.hashed_words import HashedWords
from torchvitals.datamodules.texts.vocabulary import Vocabulary
from torchvitals.lightning_modules import TextClassifier

TEXTS, LABELS = reviews(120)
ENCODINGS = ["hashed", "vocabulary"]


def module(**arguments):
    return TextDataModule((TEXTS, LABELS), **{"batch_size": 16, **arguments})


def classifier(**arguments):
    torch.manual_seed(0)
    return TextClassifier(2, buckets=2000, embedding_dim=16, lr=0.03, **arguments)


def numbers_of(data, split):
    """Numbers of each text of a split, without padding."""
    loader = {"val": data.val_dataloader, "test": data.test_dataloader}[split]()
    return [[n for n in row if n] for x, _ in loader for row in x.tolist()]


def recorded(data, epochs=2, **arguments):
    model = Recorder()
    quiet_trainer(max_epochs=epochs, **arguments).fit(model, datamodule=data)
    return model.seen


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("augment", [None, "eda"])
@pytest.mark.parametrize("architecture", ["bag", "conv"])
def test_a_text_classifier_learns_from_it(encoding, augment, architecture):
    data = module(encoding=encoding, augment=augment)
    model = classifier(architecture=architecture, channels=(16,), kernel_sizes=(2,))
    trainer = quiet_trainer(max_epochs=12)
    trainer.fit(model, datamodule=data)
    (tested,) = trainer.test(model, datamodule=data, verbose=False)
    assert tested["test_accuracy"] > 0.9
    predictions = torch.cat(trainer.predict(model, datamodule=data))
    members = data._splits["test"]
    assert len(predictions) == len(members)
    right = predictions.argmax(1) == data._y[members]
    assert right.float().mean().item() == pytest.approx(tested["test_accuracy"])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_text_comes_with_its_label_and_only_its_own_numbers(encoding):
    data = module(encoding=encoding, max_length=9)
    data.setup("fit")
    encode = data.vocabulary.encode if encoding == "vocabulary" else HashedWords().encode
    for split in ("val", "test"):
        expected = [encode(TEXTS[i])[:9] for i in data._splits[split].tolist()]
        assert numbers_of(data, split) == expected
    y = torch.cat([labels for _, labels in data.test_dataloader()])
    names = [data.class_names[label] for label in y.tolist()]
    assert names == [LABELS[i] for i in data._splits["test"].tolist()]
    assert data.class_names == ["con", "pro"]
    assert data.class_counts.tolist() == [39, 39]


def test_data_2_and_3_augmentation_depends_on_seed_epoch_and_text_alone():
    def by_text(**arguments):
        """Numbers of each training text in each epoch."""
        data = module(augment="eda", length_buckets=False, **arguments)
        seen = recorded(data)
        sampler = data.trainer.train_dataloader.batches
        found = {0: {}, 1: {}}
        for epoch in found:
            rows = [row for e, x, _ in seen["train"] if e == epoch for row in x]
            order = sampler.order(epoch).tolist()[: len(rows)]
            for item, row in zip(order, rows, strict=True):
                found[epoch][item] = [n for n in row if n]
        return found

    expected = by_text()
    augment = TextAugment("eda", seed=0)
    for epoch, rows in expected.items():
        for item, row in rows.items():
            (variant,) = augment(TEXTS[item], index=item, epoch=epoch)
            assert row == HashedWords().encode(variant)
    assert sum(expected[0][item] != expected[1][item] for item in expected[0]) > 50
    for arguments in ({"batch_size": 5}, {"num_workers": 2}):
        changed = by_text(**arguments)
        for epoch in (0, 1):
            assert len(changed[epoch]) >= 75
            assert all(changed[epoch][i] == expected[epoch].get(i, row)
                       for i, row in changed[epoch].items())  # fmt: skip


def test_data_4_no_global_generator_is_touched():
    states = random.getstate(), torch.get_rng_state()
    data = module(augment="eda", encoding="vocabulary")
    data.setup("fit")
    for loader in (data.train_dataloader(), data.val_dataloader(), data.predict_dataloader()):
        list(loader)
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])


def test_data_5_only_training_texts_are_augmented():
    plain, data = module(), module(augment={"random_deletion": 0.9})
    model, trainer = Recorder(), quiet_trainer(max_epochs=2)
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    plain.setup("fit")
    validated = [x.tolist() for x, _ in plain.val_dataloader()]
    # The sanity check sees two batches.
    assert model.seen["val"] == validated[:2] + 2 * validated
    assert model.seen["test"] == [x.tolist() for x, _ in plain.test_dataloader()]
    for ours, theirs in zip(data.predict_dataloader(), plain.predict_dataloader(), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    trained = [row for _, x, _ in model.seen["train"] for row in x]
    assert sum(n > 0 for row in trained for n in row) < 5 * len(trained)


def test_data_6_splits_never_move_and_do_not_overlap():
    first, second = module(), module(batch_size=7, augment="eda", encoding="vocabulary")
    first.setup("fit")
    torch.rand(3)
    second.setup("test")
    first.setup("fit")
    splits = [first._splits[name] for name in ("train", "val", "test")]
    assert all(torch.equal(first._splits[name], second._splits[name]) for name in first._splits)
    assert torch.equal(torch.cat(splits).sort().values, torch.arange(120))


def test_data_8_the_vocabulary_is_that_of_the_training_split_alone():
    data = module(encoding="vocabulary")
    data.setup("fit")
    held_out = set(range(120)) - set(data._splits["train"].tolist())
    texts = [f"zzz{i} {text[::-1]}" if i in held_out else text for i, text in enumerate(TEXTS)]
    corrupt = TextDataModule((texts, LABELS), encoding="vocabulary", batch_size=16)
    corrupt.setup("fit")
    assert corrupt.vocabulary.words == data.vocabulary.words
    training = [TEXTS[i] for i in data._splits["train"].tolist()]
    assert data.vocabulary.words == Vocabulary.of(training).words
    small = module(encoding="vocabulary", min_count=3, max_words=5)
    assert small.vocabulary.words == Vocabulary.of(training, min_count=3, max_words=5).words
    assert len(small.vocabulary) == 7


def test_data_9_texts_of_two_splits_are_found_and_reported():
    data = module()
    assert [len(found) for found in data.duplicates().values()] == [0, 0]
    first, last = (data._splits[name][0].item() for name in ("train", "test"))
    texts = TEXTS.copy()
    texts[last] = f" {TEXTS[first].upper()} "
    repeated = TextDataModule((texts, LABELS))
    assert {k: v.tolist() for k, v in repeated.duplicates().items()} == {"val": [], "test": [last]}
    with pytest.warns(UserWarning, match="but 1 of 'test' have the text of an item of an earlier"):
        repeated.setup("fit")
    with pytest.warns(UserWarning, match=r"but \d+ of 'val' and \d+ of 'test' have") as told:
        TextDataModule((TEXTS[:2] * 40, LABELS[:2] * 40)).setup("fit")
    assert len(told) == 1
    apart = TextDataModule((TEXTS, LABELS), test_data=(["new", TEXTS[first]], ["pro", "con"]))
    assert apart.duplicates()["test"].tolist() == [1]


def test_texts_of_one_class_are_told_before_training():
    data = TextDataModule((TEXTS, ["pro"] * len(TEXTS)))
    with pytest.warns(UserWarning, match=rf"all {len(TEXTS)} texts are of one.* `label_column`"):
        data.setup("fit")
    TextDataModule((TEXTS, ["pro"] * len(TEXTS))).setup("test")


@pytest.mark.parametrize("batch_size", [1, 13, 77, 200])
def test_data_11_batches_of_any_size(batch_size):
    seen = recorded(module(batch_size=batch_size, augment="eda"), epochs=1)
    sizes = [len(y) for _, _, y in seen["train"]]
    # A last batch of one is left out, because BatchNorm cannot use it.
    assert sum(sizes) == (77 if batch_size == 77 else 78)
    assert sum(map(len, seen["val"])) == 18 + min(2 * batch_size, 18)


def test_data_11_an_empty_validation_split_is_none():
    data = module(val_fraction=0.0)
    assert data.val_dataloader() == []
    seen = recorded(data, epochs=1, limit_val_batches=0)
    assert seen["val"] == []


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_data_17_and_18_a_resumed_run_has_the_rest_and_the_vocabulary(encoding, workers, tmp_path):
    arguments = {"encoding": encoding, "augment": "eda", "num_workers": workers}
    whole = recorded(module(**arguments))["train"]
    interrupted, data = Recorder(stop_at=7), module(**arguments)
    trainer = quiet_trainer(max_epochs=2)
    with pytest.raises(SystemExit):
        trainer.fit(interrupted, datamodule=data)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    torch.load(tmp_path / "run.ckpt", weights_only=True)
    resumed, again = Recorder(), module(**arguments)
    quiet_trainer(max_epochs=2).fit(resumed, datamodule=again, ckpt_path=tmp_path / "run.ckpt")
    assert interrupted.seen["train"] + resumed.seen["train"] == whole
    assert len(whole) == 10
    if encoding == "vocabulary":
        assert again.vocabulary.words == data.vocabulary.words


def test_data_18_a_checkpoint_wins_over_the_data_and_does_without(tmp_path):
    data, model = module(encoding="vocabulary"), classifier()
    trainer = quiet_trainer(max_epochs=12)
    trainer.fit(model, datamodule=data)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    new, labels = reviews(40, seed=1)
    alone = TextDataModule(encoding="vocabulary", test_data=(new, labels), predict_data=new)
    (tested,) = quiet_trainer().test(
        classifier(), datamodule=alone, ckpt_path=tmp_path / "run.ckpt", verbose=False
    )
    assert tested["test_accuracy"] > 0.9
    assert alone.class_names == ["con", "pro"]
    assert alone.vocabulary.words == data.vocabulary.words
    logits = torch.cat(
        quiet_trainer().predict(classifier(), datamodule=alone, ckpt_path=tmp_path / "run.ckpt")
    )
    expected = model(data.encode(new)).softmax(1)
    assert torch.equal(logits.argmax(1), expected.argmax(1))
    other = TextDataModule(reviews(90, seed=2), encoding="vocabulary")
    quiet_trainer().validate(
        classifier(), datamodule=other, ckpt_path=tmp_path / "run.ckpt", verbose=False
    )
    assert other.vocabulary.words == data.vocabulary.words
    with pytest.raises(ValueError, match="`encoding='vocabulary'`"):
        quiet_trainer().test(
            classifier(), datamodule=module(), ckpt_path=tmp_path / "run.ckpt", verbose=False
        )


def test_data_19_a_rare_class_has_its_number_and_stays_in_training():
    texts, labels = [*TEXTS, "one of a kind"], [*LABELS, "neutral"]
    data = TextDataModule((texts, labels))
    assert data.class_names == ["con", "neutral", "pro"]
    assert data.class_counts.tolist()[1] == 1


def test_data_19_a_class_absent_from_training_has_a_finite_weight_and_its_number():
    texts, labels = [*TEXTS, "one of a kind"], [*LABELS, "neutral"]
    folds = [
        TextDataModule(
            (texts, labels), num_folds=5, fold=fold, test_fraction=0, balanced=True, batch_size=8
        )
        for fold in range(5)
    ]
    (absent,) = (data for data in folds if data.class_counts[1] == 0)
    assert absent.class_names == ["con", "neutral", "pro"]
    weights = absent.class_weights
    assert all(0 < weight < math.inf for weight in weights)
    drawn = torch.cat([y for _, y in absent.train_dataloader()])
    assert set(drawn.tolist()) == {0, 2}
    torch.manual_seed(0)
    model = TextClassifier(3, buckets=500, embedding_dim=4, class_weights=weights)
    trainer = quiet_trainer()
    trainer.fit(model, datamodule=absent)
    assert trainer.callback_metrics["val_loss"].isfinite()


def test_class_weights_are_those_of_scikit_learn():
    labels = numpy.array(["pro" if i % 6 == 0 else "con" for i in range(120)])
    data = TextDataModule((TEXTS, labels.tolist()))
    weights = numpy.array(data.class_weights)
    training = labels[data._splits["train"].numpy()]
    expected = compute_class_weight("balanced", classes=numpy.array(["con", "pro"]), y=training)
    numpy.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_batches_are_of_similar_lengths_unless_told_not_to():
    def padding(**arguments):
        seen = recorded(module(batch_size=8, **arguments))
        return sum(row.count(0) for _, x, _ in seen["train"] for row in x)

    assert padding() < 0.35 * padding(length_buckets=False)
    lengths = [[len(r) - r.count(0) for r in x] for _, x, _ in recorded(module())["train"]]
    assert sorted(map(max, lengths[:5])) != [max(x) for x in lengths[:5]]


def test_a_text_that_is_drawn_again_is_augmented_differently():
    texts = [" ".join(f"{row}x{i}" for i in range(30)) for row in range(40)]
    arguments = {"val_fraction": 0, "test_fraction": 0, "augment": {"random_swap": 0.5}}
    data = TextDataModule((texts, [0] * 36 + [1] * 4), balanced=True, **arguments)
    drawn = [tuple(row) for x, y in data.train_dataloader() for row in x[y == 1].tolist()]
    assert len(drawn) > 10
    assert len(set(drawn)) == len(drawn)


def test_balanced_batches_have_equal_shares_of_the_classes():
    labels = ["pro" if i % 6 == 0 else "con" for i in range(120)]
    data = TextDataModule((TEXTS, labels), balanced=True, batch_size=16)
    y = [n for _, _, labels in recorded(data, epochs=20)["train"] for n in labels]
    assert abs(sum(y) / len(y) - 0.5) < 0.06


def test_a_part_of_the_texts_can_stay_unchanged():
    data = module(augment="eda", augment_p=0.25)
    assert data.augment.p == 0.25


@pytest.mark.parametrize("kind", ["csv", "list", "folder"])
def test_new_texts_are_predicted_without_labels(kind, tmp_path):
    texts = [f"good film {number}" for number in range(7)]
    if kind == "csv":
        (tmp_path / "new.csv").write_text("\n".join(["text", *texts]))
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(text)
    new = {"csv": tmp_path / "new.csv", "list": texts, "folder": tmp_path}[kind]
    data = module(predict_data=new, batch_size=3)
    outputs = quiet_trainer().predict(classifier(), datamodule=data)
    assert [len(batch) for batch in outputs] == [3, 3, 1]
    assert torch.equal(torch.cat(list(data.predict_dataloader())), data.encode(texts))


def test_data_7_two_ranks_have_one_vocabulary_disjoint_shards_and_even_steps(tmp_path):
    write_reviews(tmp_path / "reviews.csv", 120)
    script = Path(__file__).with_name("read_texts_on_ranks.py")
    for ranks in (1, 2):
        path = f"{Path(__file__).parents[1]}:{os.environ.get('PYTHONPATH', '')}"
        run([sys.executable, script, ranks, tmp_path], tmp_path, PYTHONPATH=path)
    alone = torch.load(tmp_path / "1.0", weights_only=True)
    both = [torch.load(tmp_path / f"2.{rank}", weights_only=True) for rank in (0, 1)]
    assert both[0]["words"] == both[1]["words"] == alone["words"]

    def rows(batches):
        return sorted([n for n in row if n] for batch in batches for row in batch)

    assert len(alone["train"]) == len(both[0]["train"]) == len(both[1]["train"]) == 10
    # A step of two ranks holds the texts of one rank with twice the batch size, changed alike.
    steps = zip(*(seen["train"] for seen in (alone, *both)), strict=True)
    for (epoch, x, _), *parts in steps:
        assert [part[0] for part in parts] == [epoch] * 2
        if len(x) == 16:
            assert rows([x]) == rows(part[1] for part in parts)
    assert len(both[0]["val"]) == len(both[1]["val"])
    assert rows(both[0]["val"] + both[1]["val"]) == rows(alone["val"])


def test_folds_cover_what_is_outside_the_test_split():
    folds = [module(num_folds=3, fold=fold) for fold in range(3)]
    for data in folds:
        data.setup("fit")
    held_out = torch.cat([data._splits["val"] for data in folds])
    assert len(held_out) == len(held_out.unique()) == 96


def test_hyperparameters_are_plain_and_without_the_texts(tmp_path):
    data = TextDataModule(write_reviews(tmp_path / "a.csv", 30), predict_data=["x"])
    assert data.hparams.data == str(tmp_path / "a.csv")
    assert "predict_data" not in data.hparams
    assert data.hparams.encoding == "hashed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"encoding": "hash"}, "Did you mean 'hashed'"),
        ({"augment": "ead"}, "Did you mean 'eda'"),
        ({"augment": {"random_swap": 3}}, "`random_swap`"),
        ({"augment_p": 2}, "`p` between 0 and 1"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"min_count": 0}, "`min_count`"),
        ({"max_words": 0}, "`max_words`"),
        ({"max_length": 0}, "`max_length`"),
        ({"num_workers": -1}, "`num_workers`"),
        ({"val_fraction": 1.0}, "`val_fraction` to be at least 0 and below 1"),
        ({"test_fraction": -0.1}, "`test_fraction` to be at least 0 and below 1"),
        ({"val_fraction": 0.6, "test_fraction": 0.5}, "leave items for training"),
        ({"num_folds": 1}, "`num_folds` to be at least 2, but got 1"),
        ({"num_folds": 3, "fold": 3}, r"`fold` in 0..2, but got 3"),
        ({"fold": 1}, "`num_folds` with `fold`, but got fold 1"),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        module(**arguments)


def test_nothing_to_test_says_what_to_do():
    data = module(test_fraction=0)
    for ask in (data.test_dataloader, data.predict_dataloader):
        with pytest.raises(ValueError, match=r"Expected texts to test, .* Pass `test_data`"):
            ask()


def test_no_data_says_what_to_do():
    with pytest.raises(ValueError, match="Expected `data`, but got None"):
        TextDataModule(test_data=(TEXTS, LABELS)).setup("fit")
    with pytest.raises(ValueError, match="Expected class names, but got neither"):
        TextDataModule(test_data=(TEXTS, LABELS)).test_dataloader()
    with pytest.raises(ValueError, match="Expected a vocabulary, but got neither"):
        TextDataModule(predict_data=TEXTS, encoding="vocabulary").predict_dataloader()
    assert len(TextDataModule(predict_data=TEXTS).predict_dataloader()) == 2
    with pytest.raises(AttributeError, match="`encoding='vocabulary'`"):
        _ = module().vocabulary


def test_one_text_is_not_encoded_letter_by_letter():
    data = TextDataModule((["good", "bad"] * 10, [0, 1] * 10))
    with pytest.raises(
        TypeError, match=r"`texts` to be a list, but got 'A good film.': use \[text"
    ):
        data.encode("A good film.")
    assert data.encode(["A good film."]).shape == (1, 3)


def test_a_module_that_has_read_its_texts_is_pickled_for_spawned_processes(tmp_path):
    write_reviews(tmp_path / "texts.csv", 40)
    for label, name in enumerate("ab"):
        for number in range(10):
            path = tmp_path / "texts" / name / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"text {number} of {label}")
    for source in ((TEXTS, LABELS), tmp_path / "texts.csv", tmp_path / "texts"):
        data = TextDataModule(source, encoding="vocabulary", batch_size=4)
        data.setup("fit")
        again = pickle.loads(pickle.dumps(data))
        for (x, y), (same_x, same_y) in zip(
            data.train_dataloader(), again.train_dataloader(), strict=True
        ):
            assert torch.equal(x, same_x)
            assert torch.equal(y, same_y)
