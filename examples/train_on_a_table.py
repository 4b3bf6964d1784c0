"""Train on a csv file with missing values and categories; then predict rows without a target."""

import csv
import random
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from sklearn.datasets import load_diabetes

from torchvitals.datamodules import TabularDataModule
from torchvitals.lightning_modules import MLPRegressor


def write_patients(path: Path) -> None:
    """Write scikit-learn's diabetes study, with some values missing and the sex as text."""
    study, draws = load_diabetes(scaled=False), random.Random(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*study.feature_names, "progression"])
        for (age, sex, *measured), progression in zip(study.data, study.target, strict=True):
            cells = ["" if draws.random() < 0.05 else value for value in measured]
            writer.writerow([age, "female" if sex == 1 else "male", *cells, progression])


def main() -> None:
    torch.manual_seed(0)
    path = Path("runs/patients.csv")
    write_patients(path)
    data = TabularDataModule(
        path,
        "progression",
        task="regression",
        missing="indicator",
        standardize_target=True,
        augment={"mixup": 0.4},
    )
    print(", ".join(data.feature_names))
    model = MLPRegressor(data.in_features, hidden=(64,), dropout=0.2)
    trainer = Trainer(max_epochs=30, logger=False, enable_checkpointing=False)
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data)
    patients = {"age": [50, 38], "sex": ["male", "unknown"], "bmi": [31.5, None], "bp": [95, 84]}
    patients |= {"s1": [190, 180], "s2": [115, 110], "s3": [42, 60], "s4": [4, 3]}
    patients |= {"s5": [5.1, 4.3], "s6": [95, None]}
    with torch.no_grad():
        outputs = model.eval()(data.transform(patients))
    print("progression:", data.unscale_targets(outputs)[:, 0].tolist())


if __name__ == "__main__":
    main()
