"""Command line: ``torchvitals fit|validate|test|predict --config FILE``."""


def main() -> None:
    """Run Lightning's command line; modules and data are named by ``class_path``."""
    from lightning.pytorch.cli import LightningCLI

    LightningCLI(save_config_kwargs={"overwrite": True})


if __name__ == "__main__":
    main()
