"""Command line.

``torchvitals fit|validate|test|predict --config FILE``, ``torchvitals checkup --config FILE`` and
``torchvitals report RUN_DIR``.
"""

import sys


def main() -> None:
    """Write the page of a run, check one up, or run Lightning's command line."""
    if sys.argv[1:2] == ["report"]:
        from torchvitals.report_command import report_command

        report_command(sys.argv[2:])
    elif sys.argv[1:2] == ["checkup"]:
        from torchvitals.checkup_command import checkup_command

        del sys.argv[1]
        checkup_command()
    else:
        from torchvitals.command_line import CommandLine

        CommandLine(
            save_config_kwargs={"overwrite": True},
            parser_kwargs={
                "prog": "torchvitals",
                "description": "Train, or use what was trained, by a YAML file. Beside the "
                "subcommands below there are `torchvitals checkup`, a few hundred steps of `fit` "
                "and what a doctor says of them (exit status 0 healthy, 1 sick, 2 no verdict), "
                "and `torchvitals report`, the page of a run.",
            },
        )


if __name__ == "__main__":
    main()
