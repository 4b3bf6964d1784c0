"""Command line.

``torchvitals fit|validate|test|predict --config FILE`` and ``torchvitals report RUN_DIR``.
"""

import sys


def main() -> None:
    """Write the page of a run, or run Lightning's command line.

    In that one modules and data are named by ``class_path``.

    What a module or a data module says about a wrong argument is shown as one error, without a
    traceback; ``JSONARGPARSE_DEBUG=1`` shows that, too.
    """
    if sys.argv[1:2] == ["report"]:
        _report(sys.argv[2:])
        return
    from lightning.pytorch.cli import LightningCLI

    class CommandLine(LightningCLI):
        def instantiate_classes(self) -> None:
            try:
                super().instantiate_classes()
            except (TypeError, ValueError) as error:
                self.parser.error(_reasons(error), error)

    CommandLine(save_config_kwargs={"overwrite": True})


def _report(arguments: list[str]) -> None:
    """Make a page of what a run left in its folder, also of one that crashed."""
    from argparse import ArgumentParser
    from pathlib import Path

    parser = ArgumentParser(
        "torchvitals report",
        description="Write what a run recorded as one HTML page that opens offline: the verdict, "
        "the findings with their remedies, curves, and heat maps.",
    )
    parser.add_argument(
        "run", metavar="RUN_DIR", type=Path, help="folder of the run, or of runs: then the newest"
    )
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="the page (default: RUN_DIR/report.html)"
    )
    chosen = parser.parse_args(arguments)
    from torchvitals.callbacks.reporting.note_taking import take_notes
    from torchvitals.callbacks.reporting.page import write_page
    from torchvitals.callbacks.reporting.run_folder import read_run_folder

    try:
        run = read_run_folder(chosen.run)
        notes = take_notes(run.case, run.monitors, folder=run.path)
        page = write_page(notes, chosen.output or run.path / "report.html")
    except OSError as error:
        parser.error(str(error))
    print(f"{notes.verdict}\n{page}")


def _reasons(error: Exception) -> str:
    """Only what the classes said, where the parser has wrapped it in its own account."""
    lines = str(error).split("\n")
    reasons = [line[4:] for line in lines if line.startswith("  - ")]
    said = [reason for reason in reasons if "<class 'NoneType'>" not in reason]
    return "\n".join(said or lines)


if __name__ == "__main__":
    main()
