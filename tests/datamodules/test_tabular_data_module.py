import csv
import os
import pickle
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.training import quiet_trainer, run
from jsonargparse import ArgumentParser
from lightning.pytorch.callbacks import ModelCheckpoint
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from torchvitals.datamodules import TabularDataModule
from torchvitals.lightning_modules import MLPClassifier, MLPRegressor

TESTS = Path(__file__).parents[1]
SCALERS = {
    "standard": StandardScaler(),
    "min_max": MinMaxScaler(),
    "min_max_symmetric": MinMaxScaler((-1, 1)),
    "robust": RobustScaler(),
}


def people(count=60, seed=0):
    """Columns with everything: numbers with holes, categories, classes and a number to predict."""
    draws = np.random.default_rng(seed)
    age, town = draws.uniform(18, 80, count), draws.choice(["Bonn", "Ulm", "Jena"], count)
    sick = np.where(age + 20 * (town == "Ulm") + draws.normal(0, 3, count) > 55, "yes", "no")
    cost = 3 * age + 50 * (town == "Ulm") + draws.normal(0, 2, count)
    holes = draws.random(count) < 0.1
    return {
        "id": list(range(count)),
        "age": [None if hole else round(a, 2) for a, hole in zip(age, holes, strict=True)],
        "town": [None if i % 17 == 3 else str(t) for i, t in enumerate(town)],
        "zip": [int(z) for z in draws.choice([10115, 80331, 20095], count)],
        "cost": [float(c) for c in cost],
        "sick": [str(s) for s in sick],
    }


def write_csv(path, columns):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        cells = zip(*columns.values(), strict=True)
        writer.writerows([["" if cell is None else cell for cell in row] for row in cells])
    return path


def batches(loader):
    return [tuple(part.clone() for part in batch) for batch in loader]


def everything(data):
    """Features and targets of each split."""
    loaders = (data.val_dataloader(), data.test_dataloader())
    return [torch.cat(parts) for loader in loaders for parts in zip(*loader, strict=True)]


# What the batches hold


@pytest.mark.parametrize("scaling", SCALERS)
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer, load_diabetes])
def test_real_tables_are_scaled_as_by_scikit_learn(load, scaling):
    x, y = load(return_X_y=True)
    regression = load is load_diabetes
    data = TabularDataModule(
        (x, y), task="regression" if regression else "classification", scaling=scaling
    )
    data.setup("fit")
    train = torch.cat([index for *_, index in data.train_dataloader()]).numpy()
    members = data._splits["train"].numpy()
    assert set(train) <= set(members)
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for features, targets, index in loader:
            expected = SCALERS[scaling].fit(x[members]).transform(x[index])
            np.testing.assert_allclose(features.numpy(), expected, rtol=1e-5, atol=1e-5)
            np.testing.assert_array_equal(targets.numpy(), y[index].astype(targets.numpy().dtype))
            assert features.dtype == torch.float32
            assert targets.dtype == (torch.float32 if regression else torch.int64)


def test_splits_never_move_do_not_overlap_and_keep_the_shares_of_classes():
    pair = load_wine(return_X_y=True)
    first, second = TabularDataModule(pair), TabularDataModule(pair, batch_size=7, augment=None)
    first.setup("fit")
    torch.rand(3)
    second.setup("test")
    first.setup("fit")
    assert all(torch.equal(first._splits[n], second._splits[n]) for n in first._splits)
    members = torch.cat([first._splits[name] for name in ("train", "val", "test")])
    assert torch.equal(members.sort().values, torch.arange(178))
    for name, rows in first._splits.items():
        shares = torch.from_numpy(pair[1])[rows].bincount(minlength=3) / len(rows)
        expected = torch.tensor([59, 71, 48]) / 178
        assert (shares - expected).abs().max() < 1.5 / len(rows), name


def test_names_sizes_and_classes_are_known_without_setup():
    data = TabularDataModule(
        people(), "sick", ignore=["id", "cost"], categorical=["zip"], missing="indicator"
    )
    towns = ["town=Bonn", "town=Jena", "town=Ulm", "town is missing"]
    codes = ["zip=10115", "zip=20095", "zip=80331"]
    assert data.feature_names == ["age", "age is missing", *towns, *codes]
    assert (data.in_features, data.num_classes, data.out_features) == (9, 2, 2)
    assert data.class_names == ["no", "yes"]
    assert data.category_sizes == {"town": 5, "zip": 4}
    members = data._splits["train"]
    labels = [people()["sick"][row] for row in members.tolist()]
    assert data.class_counts.tolist() == [labels.count("no"), labels.count("yes")]
    assert np.dot(data.class_weights, data.class_counts) == pytest.approx(len(members))


@pytest.mark.parametrize("suffix", ["csv", "columns", "pandas", "polars", "pyarrow", "parquet"])
def test_every_form_of_the_same_table_gives_the_same_batches(suffix, tmp_path):
    def form():
        if suffix == "csv":
            return write_csv(tmp_path / "people.csv", people())
        if suffix == "columns":
            return people()
        if suffix == "parquet":
            pytest.importorskip("pyarrow")
            pandas = pytest.importorskip("pandas")
            pandas.DataFrame(people()).to_parquet(tmp_path / "people.parquet")
            return tmp_path / "people.parquet"
        module = pytest.importorskip(suffix)
        return module.table(people()) if suffix == "pyarrow" else module.DataFrame(people())

    arguments = dict(ignore=["id"], categorical=["zip"], missing="median")
    expected = TabularDataModule(people(), "sick", **arguments)
    data = TabularDataModule(form(), "sick", **arguments)
    assert data.feature_names == expected.feature_names
    assert data.class_names == expected.class_names
    for got, wanted in zip(everything(data), everything(expected), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)


def test_columns_by_name_and_position():
    by_name = TabularDataModule(people(), "sick", features=["cost", "age"])
    by_position = TabularDataModule(people(), -1, features=[4, 1])
    assert by_name.feature_names == by_position.feature_names == ["cost", "age"]
    for got, wanted in zip(everything(by_name), everything(by_position), strict=True):
        assert torch.equal(got, wanted)


@pytest.mark.parametrize("targets", [1, 2])
def test_targets_are_standardised_by_the_training_split_and_back(targets):
    x, y = load_diabetes(return_X_y=True)
    y = np.stack([y, 1000 - 2 * y], 1)[:, :targets]
    given = y[:, 0] if targets == 1 else y
    data = TabularDataModule((x, given), task="regression", standardize_target=True)
    assert data.out_features == targets
    members = data._splits["train"].numpy()
    scaler = StandardScaler().fit(y[members])
    for _, scaled, index in data.test_dataloader():
        assert scaled.shape == ((len(index),) if targets == 1 else (len(index), 2))
        expected = scaler.transform(y[index]).reshape(scaled.shape)
        np.testing.assert_allclose(scaled.numpy(), expected, rtol=1e-5, atol=1e-5)
        outputs = scaled.reshape(-1, targets)
        np.testing.assert_allclose(data.unscale_targets(outputs).numpy(), y[index], rtol=1e-5)


# Statistics are those of the training split


def test_statistics_come_from_the_training_split_alone():
    arguments = dict(
        ignore=["id"], categorical=["zip"], missing="indicator", infinite="clip", scaling="robust"
    )
    columns = people()
    data = TabularDataModule(columns, "sick", **arguments)
    data.setup("fit")
    spoilt = {name: list(cells) for name, cells in columns.items()}
    for row in torch.cat([data._splits["val"], data._splits["test"]]).tolist():
        spoilt["age"][row] = [1e9, -np.inf, None][row % 3]
        spoilt["cost"][row] = [np.inf, None, -1e12][row % 3]
        spoilt["town"][row] = ["nowhere", None, "Atlantis"][row % 3]
        spoilt["zip"][row] = [None, 1, 2][row % 3]
    other = TabularDataModule(spoilt, "sick", **arguments)
    other.setup("fit")
    assert str(other.state_dict()) == str(data.state_dict())
    for ours, theirs in zip(
        batches(data.train_dataloader()), batches(other.train_dataloader()), strict=True
    ):
        assert all(map(torch.equal, ours, theirs))
    assert not torch.equal(everything(data)[0], everything(other)[0])
    assert all(part.isfinite().all() for part in everything(other))


def fitted_checkpoint(data, model, folder):
    trainer = quiet_trainer()
    trainer.fit(model, datamodule=data)
    trainer.save_checkpoint(folder / "fitted.ckpt")
    return folder / "fitted.ckpt"


def test_a_checkpoint_restores_what_was_measured_and_wins_over_measuring_again(tmp_path):
    arguments = dict(ignore=["id", "cost"], missing="indicator")
    data = TabularDataModule(people(), "sick", **arguments)
    path = fitted_checkpoint(data, MLPClassifier(data.in_features, 2), tmp_path)
    torch.load(path, weights_only=True)
    shifted = people(seed=5)
    shifted["age"] = [None if age is None else 10 * age for age in shifted["age"]]
    shifted["town"] = ["Bonn" if town == "Ulm" else town for town in shifted["town"]]
    other = TabularDataModule(shifted, "sick", **arguments)
    assert len(other.feature_names) == len(data.feature_names) - 1
    model = MLPClassifier(data.in_features, 2)
    quiet_trainer().test(model, datamodule=other, ckpt_path=path, verbose=False)
    assert str(other.state_dict()["prepared"]) == str(data.state_dict()["prepared"])
    expected = data.transform(shifted)
    for x, _, index in other.test_dataloader():
        assert torch.equal(x, expected[index])


def test_load_from_checkpoint_transforms_without_the_training_data(tmp_path):
    path = write_csv(tmp_path / "people.csv", people())
    data = TabularDataModule(path, "sick", ignore=["id"])
    expected = data.transform(people(7, seed=3))
    checkpoint = fitted_checkpoint(data, MLPClassifier(data.in_features, 2), tmp_path)
    path.unlink()
    restored = TabularDataModule.load_from_checkpoint(checkpoint, weights_only=True)
    assert torch.equal(restored.transform(people(7, seed=3)), expected)
    assert restored.class_names == ["no", "yes"]
    assert restored.feature_names == data.feature_names


def test_a_run_resumed_in_mid_epoch_ends_as_an_uninterrupted_one(tmp_path):
    def fit(ckpt_path=None):
        torch.manual_seed(0)
        data = TabularDataModule(
            load_wine(return_X_y=True),
            batch_size=16,
            augment={"noise": 0.2, "swap": 0.1, "mixup": 0.3},
        )
        # The schedule asks for the number of steps, and so for the loader, before it is restored.
        model = MLPClassifier(data.in_features, 3, scheduler="cosine")
        saving = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=5, save_top_k=-1)
        trainer = quiet_trainer(max_epochs=3, callbacks=[saving], enable_checkpointing=True)
        trainer.fit(model, datamodule=data, ckpt_path=ckpt_path)
        return model.state_dict()

    whole = fit()
    for step in (5, 10):
        resumed = fit(tmp_path / f"step={step}.ckpt")
        for name, value in whole.items():
            assert torch.equal(value, resumed[name]), name


# Data of other kinds


def test_test_and_predict_data_of_their_own():
    tested, asked = people(11, seed=1), people(5, seed=2)
    asked["town"][0] = "Atlantis"
    del asked["sick"]
    data = TabularDataModule(
        people(), "sick", ignore=["id"], test_data=tested, predict_data=asked, batch_size=4
    )
    data.setup("fit")
    assert len(data._splits["test"]) == 0
    assert [len(batch[0]) for batch in data.test_dataloader()] == [4, 4, 3]
    x = torch.cat([batch[0] for batch in data.test_dataloader()])
    assert torch.equal(x, data.transform(tested))
    model = MLPClassifier(data.in_features, 2)
    predictions = quiet_trainer().predict(model, datamodule=data)
    expected = torch.softmax(model(data.transform(asked)), -1)
    torch.testing.assert_close(torch.cat(predictions), expected)
    towns = [i for i, name in enumerate(data.feature_names) if name.startswith("town")]
    assert not data.transform(asked)[0, towns].any()


def test_folds_cover_every_row_once():
    pair = load_wine(return_X_y=True)
    folds = [TabularDataModule(pair, num_folds=4, fold=fold, test_fraction=0) for fold in range(4)]
    for data in folds:
        data.setup("fit")
    validated = torch.cat([data._splits["val"] for data in folds])
    assert torch.equal(validated.sort().values, torch.arange(178))
    with pytest.raises(ValueError, match="Expected rows to test, but there are none"):
        folds[0].test_dataloader()


def test_a_class_absent_from_the_training_split_keeps_its_place():
    columns = people(40)
    columns["sick"] = ["maybe", *columns["sick"][1:]]
    absent = [
        data
        for fold in range(5)
        if (
            data := TabularDataModule(
                columns, "sick", ignore=["id"], num_folds=5, fold=fold, test_fraction=0
            )
        ).class_counts[0]
        == 0
    ]
    assert len(absent) == 1
    assert absent[0].class_names == ["maybe", "no", "yes"]
    assert np.isfinite(absent[0].class_weights).all()
    model = MLPClassifier(absent[0].in_features, 3, class_weights=absent[0].class_weights)
    trainer = quiet_trainer()
    trainer.fit(model, datamodule=absent[0])
    assert trainer.callback_metrics["val_loss"].isfinite()


def test_classes_are_drawn_equally_often_by_choice():
    columns = people(400)
    columns["sick"] = ["rare" if row % 20 == 0 else "often" for row in range(400)]
    data = TabularDataModule(columns, "sick", ignore=["id"], balanced=True)
    drawn = torch.cat([y for _ in range(5) for _, y, _ in data.train_dataloader()])
    assert drawn.float().mean().item() == pytest.approx(0.5, abs=0.05)
    y = torch.cat([y for _, y, _ in data.val_dataloader()])
    assert y.bincount().tolist() == [57, 3]


def test_a_row_that_is_drawn_again_is_augmented_differently():
    x, y = torch.arange(40.0)[torch.randperm(40)][:, None] ** 2, [0] * 36 + [1] * 4
    data = TabularDataModule((x, y), balanced=True, test_fraction=0, augment={"noise": 0.1})
    seen = []

    class Seen(MLPClassifier):
        def training_step(self, batch, batch_idx):
            seen.append(batch[0][batch[1] == 1])
            return super().training_step(batch, batch_idx)

    quiet_trainer().fit(Seen(1, 2), datamodule=data)
    assert len(torch.cat(seen)) > 10
    assert len(torch.cat(seen).unique()) == len(torch.cat(seen))


def test_rows_in_two_splits_are_found():
    columns = people(60)
    data = TabularDataModule(columns, "sick", ignore=["id"])
    assert {name: len(rows) for name, rows in data.duplicates().items()} == {"val": 0, "test": 0}
    train, val, test = (int(data._splits[name][0]) for name in ("train", "val", "test"))
    for cells in (columns["age"], columns["town"], columns["zip"], columns["cost"]):
        cells[val] = cells[test] = cells[train]
    again = TabularDataModule(columns, "sick", ignore=["id"])
    again.setup("fit")
    found = again.duplicates()
    assert torch.equal(again._splits["train"], data._splits["train"])
    assert {name: rows.tolist() for name, rows in found.items()} == {"val": [val], "test": [test]}
    telling = TabularDataModule(columns, "sick", ignore=["id"], check_duplicates=True)
    with pytest.warns(UserWarning, match="1 of 'val' and 1 of 'test' have the features") as told:
        telling.setup("fit")
    assert len(told) == 1


def test_columns_that_tell_nothing_are_reported():
    columns = {**people(), "same": [7] * 60, "gone": [None] * 60, "kind": ["a"] * 60}
    data = TabularDataModule(columns, "sick", ignore=["id"])
    with pytest.warns(UserWarning, match="'same', 'gone', 'kind' do not. Name"):
        data.setup("fit")
    assert all(part.isfinite().all() for part in everything(data))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"row": list(range(100, 160))}, "Column 'row' counts the rows of the columns"),
        ({"row": [i * 7 % 60 for i in range(60)]}, "Column 'row' counts the rows of the columns"),
        ({"name": [f"n{i}" for i in range(60)]}, "Column 'name' has 39 categories in 39 training"),
    ],
)
def test_row_numbers_and_names_are_reported(column, message):
    data = TabularDataModule({**people(), **column}, "sick", ignore=["id"])
    with pytest.warns(UserWarning, match=message):
        data.setup("fit")


def test_a_pair_and_a_target_are_not_mixed_up():
    x, y = people(), people()["sick"]
    target = TabularDataModule((x, y), ignore=["id", "sick"]).class_names
    assert target == ["no", "yes"]
    with pytest.raises(ValueError, match=r"`target` to name the column .* but got both"):
        TabularDataModule((x, y), "sick").setup("fit")
    with pytest.raises(ValueError, match="to have the name of a target, but got 'target'"):
        TabularDataModule(({**x, "target": y}, y)).setup("fit")
    with pytest.raises(ValueError, match="each of 60 rows of the columns, but got 59"):
        TabularDataModule((x, y[1:])).setup("fit")
    labels = ["None", "NA"] * 30
    data = TabularDataModule((x, labels), ignore=["id"], missing_values=[""])
    assert data.class_names == ["NA", "None"]


def test_a_feature_that_looks_like_a_target_stays_a_feature():
    columns = {**people(), "target_age": [float(i**2) for i in range(60)]}
    data = TabularDataModule((columns, columns["sick"]), features=["target_age", "age"])
    assert data.feature_names == ["target_age", "age"]


# Training


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_batches_of_one_odd_last_batches_and_batches_larger_than_the_data(batch_size):
    data = TabularDataModule(people(30), "sick", ignore=["id"], batch_size=batch_size)
    model = MLPClassifier(data.in_features, 2, norm="layer" if batch_size == 1 else "batch")
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(model, datamodule=data)
    assert trainer.callback_metrics["val_loss"].isfinite()
    sizes = [len(y) for _, y, _ in data.train_dataloader()]
    count = len(data._splits["train"])
    assert sum(sizes) == count - (count % batch_size == 1 and batch_size > 1)


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_other_precisions(precision):
    augment = {"noise": 0.1, "swap": 0.2, "mixup": 0.3}
    data = TabularDataModule(load_wine(return_X_y=True), augment=augment)
    trainer = quiet_trainer(precision=precision)
    trainer.fit(MLPClassifier(13, 3), datamodule=data)
    assert trainer.callback_metrics["val_loss"].isfinite()


@pytest.mark.parametrize("scaling", [*SCALERS, "none"])
def test_it_goes_to_other_processes_before_and_after_setup(scaling):
    data = TabularDataModule(people(), "sick", ignore=["id"], scaling=scaling)
    copied = pickle.loads(pickle.dumps(data))
    data.setup("fit")
    for other in (copied, pickle.loads(pickle.dumps(data))):
        assert all(map(torch.equal, everything(other), everything(data)))


@pytest.mark.filterwarnings("ignore:Total length of `list` across ranks is zero")
def test_training_without_validation():
    data = TabularDataModule(people(), "sick", ignore=["id"], val_fraction=0)
    trainer = quiet_trainer()
    trainer.fit(MLPClassifier(data.in_features, 2), datamodule=data)
    assert "val_loss" not in trainer.callback_metrics
    assert len(data._splits["train"]) == 48


class Recording(MLPClassifier):
    """Keeps the batches that it is given, and changes nothing."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.seen = {"train": [], "val": [], "test": [], "predict": []}

    def training_step(self, batch, batch_idx):
        self.seen["train"].append(batch)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch, batch_idx):
        self.seen["val"].append(batch)
        super().validation_step(batch, batch_idx)

    def test_step(self, batch, batch_idx):
        self.seen["test"].append(batch)
        super().test_step(batch, batch_idx)

    def predict_step(self, batch, batch_idx):
        self.seen["predict"].append(batch)
        return super().predict_step(batch, batch_idx)


@pytest.mark.parametrize("operation", ["noise", "swap", "mixup"])
def test_only_training_batches_are_augmented_and_each_epoch_anew(operation):
    pair = load_wine(return_X_y=True)
    data = TabularDataModule(pair, augment={operation: 0.5}, batch_size=200)
    model, trainer = Recording(13, 3), quiet_trainer(max_epochs=2)
    before = torch.get_rng_state()
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    trainer.predict(model, datamodule=data)
    assert torch.equal(torch.get_rng_state(), before)
    plain = data.transform(pair[0])
    for stage in ("val", "test", "predict"):
        rows = data._splits["val" if stage == "val" else "test"]
        for x, y in model.seen[stage]:
            assert torch.equal(x, plain[rows])
            assert y.dtype == torch.int64
    assert [len(model.seen[stage]) for stage in ("val", "test", "predict")] == [3, 1, 1]
    epochs = [x[x[:, 0].argsort()] for x, _ in model.seen["train"]]
    assert not torch.equal(*epochs)
    known = set(map(tuple, plain.tolist()))
    assert not all(tuple(row) in known for row in epochs[0].tolist())
    if operation == "mixup":
        torch.testing.assert_close(model.seen["train"][0][1].sum(1), torch.ones(len(epochs[0])))


@pytest.mark.parametrize("augment", [None, {"noise": 0.1, "swap": 0.1, "mixup": 0.2}])
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_a_network_learns_real_classes(load, augment):
    torch.manual_seed(0)
    data = TabularDataModule(load(return_X_y=True), batch_size=16, augment=augment)
    model, trainer = MLPClassifier(data.in_features, data.num_classes), quiet_trainer(max_epochs=8)
    trainer.fit(model, datamodule=data)
    (results,) = trainer.test(model, datamodule=data, verbose=False)
    assert results["test_accuracy"] > 0.9


def test_a_network_learns_real_numbers():
    torch.manual_seed(0)
    data = TabularDataModule(
        load_diabetes(return_X_y=True),
        task="regression",
        standardize_target=True,
        augment={"mixup": 0.5},
        batch_size=32,
    )
    model, trainer = MLPRegressor(10, hidden=(32,), lr=3e-3), quiet_trainer(max_epochs=20)
    trainer.fit(model, datamodule=data)
    (results,) = trainer.test(model, datamodule=data, verbose=False)
    assert results["test_r2"] > 0.3
    outputs = data.unscale_targets(torch.cat(trainer.predict(model, datamodule=data)))
    y = load_diabetes().target[data._splits["test"]]
    rmse = np.sqrt(np.mean((outputs[:, 0].numpy() - y) ** 2))
    assert rmse == pytest.approx(
        results["test_rmse"] * data._prepared.targets.scaling.scale.item(), rel=1e-4
    )


RIVER = find_spec("river")
RIVER_DATA = [
    ("phishing.csv.gz", "is_phishing", "classification", {}),
    ("chick-weights.csv", "weight", "regression",
     {"categorical": ["chick", "diet"], "standardize_target": True}),
    ("sp500.csv.gz", "next_day_return", "regression", {"ignore": ["date"]}),
    ("trump_approval.csv.gz", "five_thirty_eight", "regression",
     {"ignore": ["ordinal_date"], "standardize_target": True}),
    ("shuttle.csv.gz", "anomaly", "classification", {"balanced": True, "batch_size": 1024}),
]  # fmt: skip


@pytest.mark.skipif(RIVER is None, reason="needs the data files of river")
@pytest.mark.parametrize(("name", "target", "task", "arguments"), RIVER_DATA)
def test_files_of_river_are_read_and_learnt(name, target, task, arguments):
    torch.manual_seed(0)
    path = Path(RIVER.submodule_search_locations[0], "datasets", name)
    data = TabularDataModule(path, target, task=task, **arguments)
    if task == "classification":
        model = MLPClassifier(data.in_features, data.num_classes)
    else:
        model = MLPRegressor(data.in_features)
    trainer = quiet_trainer(max_epochs=4)
    trainer.fit(model, datamodule=data)
    losses = trainer.callback_metrics
    assert losses["val_loss"].isfinite()
    if name in ("phishing.csv.gz", "shuttle.csv.gz"):
        assert losses["val_accuracy"] > 0.85
    if name in ("chick-weights.csv", "trump_approval.csv.gz"):
        assert losses["val_r2"] > 0.6


PENGUINS = find_spec("palmerpenguins")


@pytest.mark.skipif(PENGUINS is None, reason="needs the data files of palmerpenguins")
@pytest.mark.parametrize("missing", ["median", "indicator"])
def test_penguins_with_missing_values_and_categories_are_told_apart(missing):
    torch.manual_seed(0)
    path = Path(PENGUINS.submodule_search_locations[0], "data", "penguins.csv")
    data = TabularDataModule(
        path, "species", ignore=["year"], missing=missing, batch_size=32, test_fraction=0.3
    )
    sexes = ["sex=female", "sex=male", "sex is missing"]
    assert data.feature_names[-3:] == sexes
    assert data.class_names == ["Adelie", "Chinstrap", "Gentoo"]
    model, trainer = MLPClassifier(data.in_features, 3), quiet_trainer(max_epochs=15)
    trainer.fit(model, datamodule=data)
    (results,) = trainer.test(model, datamodule=data, verbose=False)
    assert results["test_accuracy"] > 0.95


# Command line, ranks and errors


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_command_line_fits_validates_tests_and_predicts(task, tmp_path):
    write_csv(tmp_path / "people.csv", people())
    network = "MLPClassifier" if task == "classification" else "MLPRegressor"
    sizes = "in_features: 7, num_classes: 2" if task == "classification" else "in_features: 6"
    target = "sick, ignore: [id]" if task == "classification" else "cost, ignore: [id, sick]"
    (tmp_path / "people.yaml").write_text(
        f"""
trainer: {{max_epochs: 2, accelerator: cpu, logger: false, enable_progress_bar: false}}
model:
  class_path: torchvitals.lightning_modules.{network}
  init_args: {{{sizes}}}
data:
  class_path: torchvitals.datamodules.TabularDataModule
  init_args: {{data: people.csv, target: {target}, task: {task}, missing: -1,
    infinite: clip, scaling: robust, unseen: other, augment: {{noise: 0.1}}, batch_size: 8}}
"""
    )
    script = TESTS / "datamodules" / "four_seams.py"
    printed = run([sys.executable, script, "people.yaml"], tmp_path)
    assert "val_loss" in printed
    assert "test_loss" in printed
    assert "predicted 12 rows" in printed
    torch.load(next(tmp_path.glob("checkpoints/*.ckpt")), weights_only=True)


def test_arguments_are_parsed_from_yaml():
    parser = ArgumentParser()
    parser.add_subclass_arguments(TabularDataModule, "data")
    arguments = {"data": "a.csv", "target": [-1, "b"], "task": "regression", "missing": 0.5}
    data = {"class_path": "torchvitals.datamodules.TabularDataModule", "init_args": arguments}
    made = parser.instantiate_classes(parser.parse_object({"data": data})).data
    assert made.hparams.target == [-1, "b"]
    assert made.hparams.missing == 0.5
    (value,) = (
        parser.parse_args(
            [
                "--data=torchvitals.datamodules.TabularDataModule",
                "--data.data=a.csv",
                "--data.target=-1",
            ]
        ).data.init_args.target,
    )
    assert value == -1


def test_two_ranks_share_splits_and_rows(tmp_path):
    worker = TESTS / "datamodules" / "read_tables_on_ranks.py"
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    run([sys.executable, worker, tmp_path], tmp_path, PYTHONPATH=path)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert str(first["state"]) == str(second["state"])
    for stage in ("train", "val", "test"):
        ours, theirs = first[stage], second[stage]
        assert len(ours) == len(theirs)
        rows = [index for batch in (*ours, *theirs) for index in batch]
        if stage == "train":
            assert len(set(rows)) == len(rows) >= len(first["splits"]["train"]) - 3
        else:
            assert sorted(rows) == first["splits"][stage]
        assert set(rows) <= set(first["splits"][stage])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "classify"}, "Did you mean 'classification'"),
        ({"scaling": "minmax"}, "Did you mean 'min_max'"),
        ({"missing": "drop"}, "`missing` to be one of"),
        ({"infinite": "zero"}, "`infinite` to be one of"),
        ({"categories": "hash"}, "`categories` to be one of"),
        ({"unseen": "skip"}, "`unseen` to be one of"),
        ({"val_fraction": 1.0}, "`val_fraction` to be at least 0 and below 1"),
        ({"test_fraction": -0.1}, "`test_fraction` to be at least 0 and below 1"),
        ({"val_fraction": 0.6, "test_fraction": 0.5}, "leave items for training"),
        ({"num_folds": 1}, "`num_folds` to be at least 2, but got 1"),
        ({"num_folds": 3, "fold": 3}, r"`fold` in 0..2, but got 3"),
        ({"fold": 1}, "`num_folds` with `fold`, but got fold 1"),
        ({"batch_size": 0}, "`batch_size` to be at least 1"),
        ({"delimiter": r"\t"}, r"`delimiter` to be a single character, but got '\\\\t'. In YAML"),
        ({"augment": {"nois": 1}}, "Did you mean 'noise'"),
        ({"augment": {"mixup": 1}, "categories": "ordinal"}, "numbers cannot be mixed"),
        ({"task": "regression", "balanced": True}, "`balanced` to be False for regression"),
        ({"standardize_target": True}, "`standardize_target` to be False for classification"),
    ],
)
def test_wrong_arguments_are_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        TabularDataModule(people(), "sick", **arguments)


@pytest.mark.parametrize(
    "argument", ["features", "ignore", "categorical", "missing_values", "column_names"]
)
def test_one_string_instead_of_several_is_refused(argument):
    with pytest.raises(TypeError, match=rf"`{argument}` to be a list, but got 'id': use \['id'\]"):
        TabularDataModule(people(), "sick", **{argument: "id"})


@pytest.mark.parametrize("categories", ["one_hot", "ordinal"])
def test_augmentation_is_no_name(categories):
    with pytest.raises(TypeError, match=r"as in \{'mixup': 0.2\}, but got 'mixup'"):
        TabularDataModule(people(), "sick", augment="mixup", categories=categories)


@pytest.mark.parametrize(
    ("argument", "values", "shown"),
    [("missing_values", ["", -999], "-999: use '-999'"), ("column_names", range(4), "0: use '0'")],
)
def test_missing_values_and_column_names_are_strings(argument, values, shown):
    with pytest.raises(TypeError, match=f"`{argument}` to be strings.* {shown}"):
        TabularDataModule(people(), "sick", **{argument: values})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "sik"}, r"`target` to be in the columns.*Did you mean 'sick'\?"),
        ({"target": None}, r"`target` to name the column to predict, one of 'id', 'age'"),
        ({"target": "cost"}, r"60 numbers there.*`task='regression'`"),
        ({"target": ["sick", "town"]}, r"one target for .*, but got 'sick', 'town'. Use `task="),
        ({"target": "id"}, r"60 numbers there.*`task='regression'`"),
        ({"ignore": ["ID"]}, r"`ignore` to be in the columns.*Did you mean 'id'\?"),
        ({"features": ["Age"]}, r"`features` to be in the columns.*Did you mean 'age'\?"),
        ({"features": ["sick"]}, "at least one column of the columns to predict from"),
        ({"categorical": ["zipp"]}, r"`categorical` to be .*Did you mean 'zip'\?"),
        ({"missing": "error"}, "no missing values in column 'age', but row"),
        ({"unseen": "error", "test_data": people(5) | {"town": ["Rom"] * 5}}, "row 0 .*'Rom'"),
        ({"test_data": {"id": [1]}}, "no column 'age', only 'id'"),
        ({"test_data": people(5) | {"sick": ["?!"] * 5}}, "classes 'no', 'yes'.* row 0 .*'[?]!'"),
    ],
)
def test_wrong_data_say_where_and_what_to_do(arguments, message):
    data = TabularDataModule(people(), **{"target": "sick", **arguments})
    with pytest.raises(ValueError, match=message):
        data.setup("fit")


@pytest.mark.parametrize(("true", "false"), [("true", "false"), ("TRUE", "FALSE"), (True, False)])
def test_truth_values_of_a_file_are_those_of_a_data_frame_and_back(true, false, tmp_path):
    pandas = pytest.importorskip("pandas")
    smoker = [true if i % 3 else false for i in range(30)]
    columns = {"v": list(range(0, 60, 2)), "smoker": smoker, "sick": ["no", "yes"] * 15}
    path = write_csv(tmp_path / "t.csv", columns)
    frame = pandas.read_csv(path)
    from_file, from_frame = (TabularDataModule(data, "sick") for data in (path, frame))
    assert (
        from_file.feature_names == from_frame.feature_names == ["v", "smoker=False", "smoker=True"]
    )
    expected = [[float(i % 3 == 0), float(i % 3 != 0)] for i in range(30)]
    for data in (from_file, from_frame):
        for rows in (path, frame):
            assert data.transform(rows)[:, 1:].tolist() == expected


def test_codes_that_lost_their_zeros_are_told(tmp_path):
    pandas = pytest.importorskip("pandas")
    codes = [f"{i % 3:02}" for i in range(30)]
    path = write_csv(tmp_path / "t.csv", {"code": codes, "sick": ["no", "yes"] * 15})
    data = TabularDataModule(path, "sick", categorical=["code"])
    with pytest.warns(UserWarning, match=r"column 'code' .*'00', '01', '02'.* '0', '1', '2'"):
        data.transform(pandas.read_csv(path))
    kept = data.transform(pandas.read_csv(path, dtype=str))
    assert torch.equal(kept, data.transform(path))
    assert kept.sum(1).tolist() == [1] * 30


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_features_and_targets_of_bfloat16_are_those_of_single_precision(task):
    x, y = torch.arange(60.0).reshape(20, 3) / 2, torch.arange(20) % 2
    short, full = (
        TabularDataModule((x.to(dtype), y.to(dtype)), task=task)
        for dtype in (torch.bfloat16, torch.float32)
    )
    for one, other in zip(everything(short), everything(full), strict=True):
        assert torch.equal(one, other)
