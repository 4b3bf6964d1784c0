"""Train a network whose training breaks down, and write the doctor's page about it.

The learning rate is warmed up to 0.3: the loss falls at first, until the rate gets too high.
``--screenshot FILE`` takes a screenshot of the page with an installed Chromium.
"""

import argparse
import shutil
from pathlib import Path

from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger

from torchvitals.callbacks import TrainingDoctor
from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import MLPClassifier

OUTPUT = Path("runs/report_page")
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")


def train() -> Path:
    seed_everything(0, verbose=False)
    doctor = TrainingDoctor()
    model = MLPClassifier(
        in_features=64,
        num_classes=10,
        hidden=(128,) * 6,
        optimizer="momentum",
        lr=0.3,
        warmup=0.5,
    )
    trainer = Trainer(
        max_epochs=12,
        accelerator="cpu",
        logger=CSVLogger(OUTPUT),
        callbacks=[doctor],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, datamodule=ImageDataModule("digits", batch_size=32))
    return doctor.report(OUTPUT / "report.html")


def take_screenshot(page: Path, picture: Path) -> None:
    from playwright.sync_api import sync_playwright

    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": 1000, "height": 1500})
        tab.goto(page.resolve().as_uri())
        tab.locator("figure.chart .plot").first.hover(position={"x": 260, "y": 110})
        tab.screenshot(path=picture)
        chromium.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screenshot", type=Path, help="file for a screenshot of the page")
    arguments = parser.parse_args()
    page = train()
    print(f"Open {page} in a browser.")
    if arguments.screenshot:
        take_screenshot(page, arguments.screenshot)


if __name__ == "__main__":
    main()
