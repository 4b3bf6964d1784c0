"""``torchvitals report RUN_DIR``."""


def report_command(arguments: list[str]) -> None:
    """Write the page of a run from the records in its folder, even if it crashed.

    Args:
        arguments: The arguments after ``torchvitals report``.
    """
    import sys
    from argparse import ArgumentParser
    from pathlib import Path

    parser = ArgumentParser(
        "torchvitals report",
        description="Write the record of a run as one HTML page that opens offline: the verdict, "
        "the findings with their remedies, curves, and heat maps.",
    )
    parser.add_argument(
        "run", metavar="RUN_DIR", type=Path, help="folder of a run, or of runs: then the newest"
    )
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="the page (default: RUN_DIR/report.html)"
    )
    chosen = parser.parse_args(arguments)
    from torchvitals.callbacks.diagnosing.telling.terminal import printable
    from torchvitals.callbacks.reporting.note_taking import take_notes
    from torchvitals.callbacks.reporting.page import page_path, write_page
    from torchvitals.callbacks.reporting.run_folder import read_run_folder

    try:
        if chosen.output is not None:
            page_path("--output", chosen.output)
        run = read_run_folder(chosen.run)
        notes = take_notes(run.case, run.monitors, folder=run.path)
    except OSError as error:
        parser.error(str(error))
    try:
        page = write_page(notes, chosen.output or run.path / "report.html")
    except OSError as error:
        parser.error(f"{error}. Name a file that can be written with --output.")
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(printable(f"{notes.verdict}\n{page}", encoding))
