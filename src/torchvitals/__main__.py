"""Command line.

``torchvitals fit|validate|test|predict --config FILE``, ``torchvitals checkup --config FILE`` and
``torchvitals report RUN_DIR``.
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from difflib import get_close_matches
from typing import NoReturn

_COMMANDS = {
    "fit": "train a module",
    "validate": "evaluate a module on the validation split",
    "test": "evaluate a module on the test split",
    "predict": "write the predictions of a module to a file",
    "checkup": "train for a few hundred steps, and print what the doctor finds",
    "report": "write the record of a run as an HTML page",
}
_ASKING = ("-h", "--help", "--version")


def main() -> None:
    """Write the page of a run, run a checkup, or run Lightning's command line."""
    command = sys.argv[1] if len(sys.argv) > 1 else None
    if command == "report":
        from torchvitals.report_command import report_command

        report_command(sys.argv[2:])
    elif command == "checkup":
        from torchvitals.checkup_command import checkup_command

        del sys.argv[1]
        checkup_command()
    elif command in _COMMANDS or ((command or "").startswith("-") and command not in _ASKING):
        from torchvitals.command_line import CommandLine

        CommandLine(
            save_config_kwargs={"overwrite": True},
            parser_kwargs={
                "prog": "torchvitals",
                "description": "Train, evaluate or predict as configured in a YAML file.",
            },
        )
    else:
        _overview(command)


def _overview(command: str | None) -> NoReturn:
    """Print help or version if one is asked for; otherwise exit with an error."""
    from torchvitals import __version__

    lines = "".join(f"  {name:<10}{what}\n" for name, what in _COMMANDS.items())
    parser = ArgumentParser(
        "torchvitals",
        usage=f"torchvitals [-h] [--version] {{{','.join(_COMMANDS)}}} ...",
        description="Train by a YAML file; see whether a network learns, and if not, why.",
        epilog=f"commands:\n{lines}\n`torchvitals checkup --help` and the like give the details. "
        "fit, validate, test, predict\nand checkup take `--config FILE`. The exit status of "
        "checkup is 0 healthy, 1 sick, 2 no verdict.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"torchvitals {__version__}")
    if command is None:
        parser.print_help(sys.stderr)
        parser.exit(2, "\nerror: Expected a command, but got none.\n")
    if command in _ASKING:
        parser.parse_args([command])
    nearest = get_close_matches(command, _COMMANDS, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    names = ", ".join(map(repr, _COMMANDS))
    parser.error(f"Expected `command` to be one of {names}, but got {command!r}.{hint}")


if __name__ == "__main__":
    main()
