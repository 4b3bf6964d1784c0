import io

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from torchvitals.datamodules.tables.category_encoder import CategoryEncoder
from torchvitals.datamodules.tables.class_labels import ClassLabels
from torchvitals.datamodules.tables.column_findings import column_findings
from torchvitals.datamodules.tables.number_encoder import NumberEncoder
from torchvitals.datamodules.tables.reading import read_table
from torchvitals.datamodules.tables.table_encoder import TableEncoder
from torchvitals.datamodules.tables.target_numbers import TargetNumbers

SCALERS = {
    "standard": StandardScaler(),
    "min_max": MinMaxScaler(),
    "min_max_symmetric": MinMaxScaler((-1, 1)),
    "robust": RobustScaler(),
    "none": StandardScaler(with_mean=False, with_std=False),
}


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def with_holes(x, share=0.2):
    x = x.copy()
    x[np.random.default_rng(1).random(x.shape) < share] = np.nan
    return x


@pytest.mark.parametrize("scaling", SCALERS)
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize(
    ("missing", "imputer"),
    [
        ("mean", SimpleImputer()),
        ("median", SimpleImputer(strategy="median")),
        ("zero", SimpleImputer(strategy="constant", fill_value=0.0)),
        (-3.5, SimpleImputer(strategy="constant", fill_value=-3.5)),
        ("indicator", SimpleImputer(add_indicator=True)),
    ],
)
def test_numbers_are_filled_and_scaled_as_by_scikit_learn(scaling, load, missing, imputer):
    x = with_holes(load(return_X_y=True)[0])
    train = np.arange(0, len(x), 2)
    encoder, table = NumberEncoder(scaling, missing), read_table(x)
    encoder.fit(table, list(table.columns), train)
    filled = imputer.fit(x[train]).transform(x)
    width = x.shape[1]
    expected = SCALERS[scaling].fit(x[train]).transform(filled[:, :width])
    expected = np.concatenate([expected, filled[:, width:]], 1)
    np.testing.assert_allclose(encoder.encode(table).numpy(), expected, rtol=1e-9, atol=1e-12)
    assert len(encoder.feature_names) == expected.shape[1]


def test_missing_is_indicated_where_the_training_rows_miss_something():
    table = read_table({"a": [1.0, None, 3.0], "b": [1.0, 2.0, None]})
    encoder = NumberEncoder("none", "indicator")
    encoder.fit(table, ["a", "b"], np.array([0, 1]))
    assert encoder.feature_names == ["a", "b", "a is missing"]
    assert encoder.encode(table).tolist() == [[1, 1, 0], [1, 2, 1], [3, 1.5, 0]]


@pytest.mark.parametrize(
    ("infinite", "expected"),
    [("clip", [1.0, 5.0, 5.0, 1.0, 9.0]), ("missing", [1.0, 5.0, 3.0, 3.0, 9.0])],
)
def test_infinities_are_clipped_to_the_training_rows_or_missing(infinite, expected):
    table = read_table({"a": [1.0, 5.0, np.inf, -np.inf, 9.0]})
    encoder = NumberEncoder("none", infinite=infinite)
    encoder.fit(table, ["a"], np.arange(4))
    assert encoder.encode(table)[:, 0].tolist() == expected


def test_infinities_taken_as_missing_are_indicated():
    table = read_table({"a": [1.0, np.inf]})
    encoder = NumberEncoder("none", "indicator", "missing")
    encoder.fit(table, ["a"], np.arange(2))
    assert encoder.encode(table).tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        (
            {"missing": "error", "infinite": "clip"},
            "no missing values in column 'b', but row 1 of .* `missing='mean'`",
        ),
        ({}, "finite numbers in column 'a', but row 2 of .* an infinite one.*`infinite='clip'`"),
    ],
)
def test_what_is_refused_says_where(policies, message):
    table = read_table({"a": [1.0, 2.0, np.inf], "b": [0.0, None, 0.0]})
    encoder = NumberEncoder(**policies)
    encoder.fit(table, ["a", "b"], np.array([0]))
    with pytest.raises(ValueError, match=message):
        encoder.encode(table)


@pytest.mark.parametrize("scaling", SCALERS)
@pytest.mark.parametrize("missing", ["mean", "median", "zero", "indicator", -7])
def test_constant_and_empty_columns_stay_finite_and_are_told(scaling, missing):
    table = read_table(
        {"gone": [None, np.nan, np.inf, 1e30], "same": [0.1, 0.1, 0.1, None], "a": [1, 2, 3, 4]}
    )
    encoder = TableEncoder(NumberEncoder(scaling, missing, "clip"), CategoryEncoder())
    encoder.fit(table, ["gone", "same", "a"], np.arange(3))
    encoded = encoder.encode(table)
    told = any(
        "but 'gone', 'same' do" in found for found in column_findings(encoder, table, encoded[:3])
    )
    assert told == (missing != "indicator")
    assert encoded.isfinite().all()
    assert encoded[:, 0].abs().max() == 0
    assert encoded[:3, 1].unique().numel() == 1


@pytest.mark.parametrize("missing", ["mean", "median", "zero", "indicator", 0.1, -7])
def test_a_column_of_one_value_or_none_is_constant_if_its_features_are(missing):
    table = read_table({"a": [0.1, None, 0.1, 0.1]})
    for scaling in SCALERS:
        encoder = TableEncoder(NumberEncoder(scaling, missing), CategoryEncoder())
        encoder.fit(table, ["a"], np.arange(4))
        encoded = encoder.encode(table)
        varies = len(encoded.double().round(decimals=9).unique(dim=0)) > 1
        assert len(column_findings(encoder, table, encoded)) == (0 if varies else 1)


def test_a_column_of_tiny_numbers_varies_also_unscaled():
    table = read_table({"farads": [1e-12, 3e-12, 2e-12], "same": [0.1, None, 0.1]})
    encoder = TableEncoder(NumberEncoder("none"), CategoryEncoder())
    encoder.fit(table, ["farads", "same"], np.arange(3))
    (finding,) = column_findings(encoder, table, encoder.encode(table))
    assert "but 'same' do not" in finding


def test_numbers_that_cannot_be_scaled_are_refused():
    table = read_table({"a": [1e300, -1e300], "b": [1e39, 0.0]})
    with pytest.raises(ValueError, match="those in 'a' of the columns are too large"):
        NumberEncoder().fit(table, ["a", "b"], np.arange(2))
    encoder = TableEncoder(NumberEncoder("none"), CategoryEncoder())
    encoder.fit(table, ["b"], np.arange(2))
    with pytest.raises(ValueError, match="single precision can hold, but in 'b' row 0"):
        encoder.encode(table)


CELLS = np.array([["red", "S"], [None, "L"], ["blue", "S"], ["green", "XL"]], dtype=object)
COLORS = {"color": CELLS[:, 0], "size": CELLS[:, 1]}
TRAIN = np.array([0, 1, 2])


def test_one_hot_equals_scikit_learns():
    encoder = CategoryEncoder()
    table = read_table(COLORS)
    encoder.fit(table, list(COLORS), TRAIN)
    oracle = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(CELLS[TRAIN])
    np.testing.assert_array_equal(encoder.encode(table).numpy(), oracle.transform(CELLS))
    assert encoder.feature_names == [
        "color=blue",
        "color=red",
        "color is missing",
        "size=L",
        "size=S",
    ]


def test_ordinal_equals_scikit_learns_from_one_on():
    encoder = CategoryEncoder("ordinal")
    table = read_table(COLORS)
    encoder.fit(table, list(COLORS), TRAIN)
    oracle = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=2
    ).fit(CELLS[TRAIN])
    np.testing.assert_array_equal(encoder.encode(table).numpy(), oracle.transform(CELLS) + 1)
    assert encoder.feature_names == ["color", "size"]


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal"])
def test_unseen_categories_are_refused_by_choice(encoding):
    encoder = CategoryEncoder(encoding, "error")
    table = read_table(COLORS)
    encoder.fit(table, list(COLORS), TRAIN)
    message = r"column 'color' a category .*'blue', 'red', but row 3 of the columns has 'green'"
    with pytest.raises(ValueError, match=message):
        encoder.encode(table)
    encoder.fit(table, list(COLORS), np.array([0, 2, 3]))
    with pytest.raises(ValueError, match="row 1 of the columns has a missing value"):
        encoder.encode(table)
    lenient, rows = CategoryEncoder(encoding), np.arange(len(CELLS))
    for either in (encoder, lenient):
        either.fit(table, list(COLORS), rows)
    assert torch.equal(encoder.encode(table), lenient.encode(table))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NumberEncoder("standart"), "`scaling`.*Did you mean 'standard'"),
        (lambda: NumberEncoder(missing="average"), "`missing` to be one of 'mean'"),
        (lambda: NumberEncoder(missing=float("nan")), "`missing` to be a name or a number"),
        (lambda: NumberEncoder(missing=True), "`missing` to be a name or a number"),
        (lambda: NumberEncoder(infinite="clamp"), "`infinite`.*Did you mean 'clip'"),
        (lambda: CategoryEncoder("onehot"), "`categories`.*Did you mean 'one_hot'"),
        (lambda: CategoryEncoder(unseen="ignore"), "`unseen` to be one of 'other', 'error'"),
    ],
)
def test_unknown_policies_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


MIXED = {
    "age": [20.0, None, 40.0, 90.0],
    "zip": [10115, 80331, 10115, 20095],
    "town": ["Berlin", None, "Berlin", "Hamburg"],
}


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal"])
@pytest.mark.parametrize("missing", [[], [None]])
def test_a_column_of_unseen_categories_alone_is_named(encoding, missing):
    encoder = CategoryEncoder(encoding)
    table = read_table({"code": ["00", "01", "02", *missing], "town": ["Ulm"] * (3 + len(missing))})
    encoder.fit(table, ["code", "town"], np.arange(len(table)))
    encoder.encode(table)
    encoder.encode(read_table({"code": ["00", "7", None], "town": ["Ulm", "Rom", "Ulm"]}))
    encoder.encode(read_table({"code": ["", None], "town": ["Ulm", "Ulm"]}))
    message = r"column 'code' .*, '00', '01', '02', but the columns has only .*: '0', '1'.*str`"
    with pytest.warns(UserWarning, match=message) as caught:
        encoder.encode(read_table({"code": [1, 0, None], "town": ["Ulm", None, "Rom"]}))
    assert len(caught) == 1


def mixed_encoder():
    return TableEncoder(NumberEncoder(missing="indicator"), CategoryEncoder(), ["zip"])


def test_all_columns_become_features_by_name():
    encoder, table = mixed_encoder(), read_table(MIXED)
    encoder.fit(table, list(MIXED), TRAIN)
    expected = ["age", "age is missing", "zip=10115", "zip=80331", "town=Berlin", "town is missing"]
    assert encoder.feature_names == expected
    assert encoder.encode(table).tolist() == [
        [-1, 0, 1, 0, 1, 0],
        [0, 1, 0, 1, 0, 1],
        [1, 0, 1, 0, 1, 0],
        [6, 0, 0, 0, 0, 0],
    ]
    assert encoder.encode(table).dtype == torch.float32


def test_a_state_goes_through_a_file_and_encodes_the_same():
    encoder, table = mixed_encoder(), read_table(MIXED)
    encoder.fit(table, list(MIXED), TRAIN)
    restored = mixed_encoder()
    restored.load_state_dict(through_a_file(encoder.state_dict()))
    assert restored.feature_names == encoder.feature_names
    assert restored.columns == encoder.columns
    assert torch.equal(restored.encode(table), encoder.encode(table))
    other = TableEncoder(NumberEncoder(), CategoryEncoder("ordinal"))
    with pytest.raises(ValueError, match="features of the checkpoint, 'age', 'age is missing'"):
        other.load_state_dict(encoder.state_dict())


def test_only_training_rows_move_what_is_fitted():
    first, second = mixed_encoder(), mixed_encoder()
    first.fit(read_table(MIXED), list(MIXED), TRAIN)
    spoilt = {name: cells[:3] for name, cells in MIXED.items()}
    spoilt = {
        "age": [*spoilt["age"], -np.inf],
        "zip": [*spoilt["zip"], None],
        "town": spoilt["town"],
    }
    spoilt["town"] = [*spoilt["town"], "nowhere"]
    second.fit(read_table(spoilt), list(MIXED), TRAIN)
    one, two = (str(encoder.state_dict()) for encoder in (first, second))
    assert one == two


def test_a_table_without_a_column_of_the_training_data():
    encoder = mixed_encoder()
    encoder.fit(read_table(MIXED), list(MIXED), TRAIN)
    with pytest.raises(ValueError, match=r"no column 'town', only 'age', 'zip', 'Town'.*'Town'\?"):
        encoder.encode(read_table({"age": [1], "zip": [1], "Town": ["x"]}))


@pytest.mark.parametrize(
    ("cells", "names", "indices"),
    [
        (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
        ([10, 9, 10], ["9", "10"], [1, 0, 1]),
        ([1.0, 0.0, 1.0], ["0", "1"], [1, 0, 1]),
        ([True, False, True], ["False", "True"], [1, 0, 1]),
        (["10", "9", "x"], ["10", "9", "x"], [0, 1, 2]),
        (["0.5", "-1", "nan!"], ["-1", "0.5", "nan!"], [1, 0, 2]),
    ],
)
def test_classes_have_names_in_a_stable_order(cells, names, indices):
    labels, table = ClassLabels(), read_table({"y": cells})
    labels.fit(table, ["y"])
    assert labels.names == names
    assert labels.encode(table, ["y"]).tolist() == indices
    restored = ClassLabels()
    restored.load_state_dict(through_a_file(labels.state_dict()))
    assert torch.equal(restored.encode(table, ["y"]), labels.encode(table, ["y"]))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["a", "a"], r"at least 2 classes in the target 'y', but the columns has 'a'"),
        ([None, None], r"at least 2 classes .* has none"),
        (list(np.linspace(0, 1, 50)), r"has 50 numbers there, such as '0', .*task='regression'"),
        (list(range(60)), r"has 60 numbers there, such as '0', '1', '2'.*task='regression'"),
        (list(map(str, range(60))), r"has 60 numbers there, .*task='regression'"),
    ],
)
def test_what_is_no_set_of_classes(cells, message):
    with pytest.raises(ValueError, match=message):
        ClassLabels().fit(read_table({"y": cells}), ["y"])


@pytest.mark.parametrize("cells", [np.arange(21.0) / 2, ["0.5", "1.5"], [0, 0.1]])
def test_numbers_with_fractions_are_classes_with_a_warning(cells):
    labels = ClassLabels()
    with pytest.warns(
        UserWarning, match=r"numbers there.* treated as \d+ classes; use `task='regr"
    ):
        labels.fit(read_table({"y": list(cells) * 4}), ["y"])
    assert len(labels.names) == len(cells)


@pytest.mark.parametrize("cells", [list(np.arange(1.0, 8.0)), list(range(30)) * 2, ["007", "7.0"]])
def test_whole_numbers_are_classes(cells):
    labels = ClassLabels()
    labels.fit(read_table({"y": cells}), ["y"])
    assert len(labels.names) == len(set(cells))


@pytest.mark.parametrize(("cell", "found"), [("c", "'c'"), (None, "none")])
def test_a_label_that_is_no_class_says_where(cell, found):
    labels = ClassLabels()
    labels.fit(read_table({"y": ["a", "b"]}), ["y"])
    with pytest.raises(ValueError, match=f"classes 'a', 'b' in the target 'y', but row 1.*{found}"):
        labels.encode(read_table({"y": ["a", cell]}), ["y"])


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_targets_are_standardised_by_the_training_rows_and_back(names):
    x = np.random.default_rng(0).normal(300, 20, (20, 2))
    table, rows = read_table(x, column_names=["a", "b"]), np.arange(12)
    targets = TargetNumbers(standardize=True)
    targets.fit(table, names, rows)
    y = targets.encode(table, names)
    expected = StandardScaler().fit(x[rows, : len(names)]).transform(x[:, : len(names)])
    assert y.shape == ((20,) if len(names) == 1 else (20, 2))
    np.testing.assert_allclose(y.numpy().reshape(expected.shape), expected, rtol=1e-6, atol=1e-6)
    restored = TargetNumbers(standardize=True)
    restored.load_state_dict(through_a_file(targets.state_dict()))
    back = restored.decode(y)
    np.testing.assert_allclose(back.numpy().reshape(expected.shape), x[:, : len(names)], rtol=1e-5)


def test_targets_as_they_are():
    table, targets = read_table({"y": [3, 5]}), TargetNumbers()
    targets.fit(table, ["y"], np.array([0]))
    assert targets.encode(table, ["y"]).tolist() == [3, 5]
    assert targets.decode(torch.tensor([[3.0]])).tolist() == [[3]]


@pytest.mark.parametrize("cell", [None, np.inf])
def test_a_target_that_is_missing_or_infinite_says_where(cell):
    with pytest.raises(ValueError, match="finite number in the target 'y', but row 1 of"):
        TargetNumbers().fit(read_table({"y": [1.0, cell]}), ["y"], np.array([0]))


@pytest.mark.parametrize("shape", [(5,), (2,), (5, 3), (5, 1), ()])
def test_predictions_of_another_number_of_targets_are_not_scaled_back(shape):
    targets = TargetNumbers(standardize=True)
    targets.fit(read_table({"y": [3, 5], "z": [1, 9]}), ["y", "z"], np.arange(2))
    with pytest.raises(ValueError, match=r"shape \(N, 2\), one for each target, but got \("):
        targets.decode(torch.zeros(shape))


def test_targets_too_large_for_their_precision_say_where():
    table, targets = read_table({"y": [1.0, 1e200, 2.0, 3.0]}), TargetNumbers()
    targets.fit(table, ["y"], np.arange(4))
    with pytest.raises(ValueError, match=r"can hold in the target 'y', but row 1 .* has 1e\+200"):
        targets.encode(table, ["y"])
    targets = TargetNumbers(standardize=True)
    with pytest.raises(ValueError, match=r"be standardised, but those in 'y' of the columns are"):
        targets.fit(table, ["y"], np.arange(4))
    targets.fit(table, ["y"], np.array([0, 2, 3]))
    with pytest.raises(ValueError, match="row 1"):
        targets.encode(table, ["y"])
