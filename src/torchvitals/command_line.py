"""Lightning's command line, with errors that fit in a terminal."""

from lightning.pytorch.cli import LightningCLI


class CommandLine(LightningCLI):
    """Modules and data are named by ``class_path``.

    What a module or a data module says about a wrong argument is shown as one error, without a
    traceback; ``JSONARGPARSE_DEBUG=1`` shows that, too.
    """

    def instantiate_classes(self) -> None:
        """Make the objects that are named."""
        try:
            super().instantiate_classes()
        except (TypeError, ValueError) as error:
            self.parser.error(_reasons(error), error)


def _reasons(error: Exception) -> str:
    """Only what the classes said, where the parser has wrapped it in its own account."""
    lines = str(error).split("\n")
    reasons = [line[4:] for line in lines if line.startswith("  - ")]
    said = [reason for reason in reasons if "<class 'NoneType'>" not in reason]
    return "\n".join(said or lines)
