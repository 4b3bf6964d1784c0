"""How a notebook shows a doctor."""

from collections.abc import Sequence
from html import escape

from ..diagnosis import Diagnosis
from ..remedy import Remedy

_HEADS = ("diagnosis", "since step", "evidence", "what to change")
_CELL = 'style="text-align: left; vertical-align: top"'


def notebook_view(verdict: str, diagnoses: Sequence[Diagnosis]) -> str:
    """Render the verdict, and a table of the diagnoses if there are any.

    Args:
        verdict: One sentence.
        diagnoses: Diagnoses, the worst first.

    Returns:
        HTML in which all text is escaped.
    """
    sentence = f"<p>{escape(verdict)}</p>"
    if not diagnoses:
        return sentence
    heads = "".join(f"<th {_CELL}>{head}</th>" for head in _HEADS)
    rows = "".join(map(_row, diagnoses))
    return f"{sentence}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _row(diagnosis: Diagnosis) -> str:
    place = f"<br>in <code>{escape(diagnosis.layer)}</code>" if diagnosis.layer else ""
    cells = (
        f"<b>{escape(diagnosis.problem.value)}</b><br>{escape(diagnosis.severity)}{place}",
        f"{diagnosis.step:,}",
        escape(diagnosis.evidence),
        "".join(map(_remedy, diagnosis.remedies)),
    )
    return f"<tr>{''.join(f'<td {_CELL}>{cell}</td>' for cell in cells)}</tr>"


def _remedy(remedy: Remedy) -> str:
    code = f"<pre>{escape(remedy.code)}</pre>" if remedy.code else ""
    return f"<div>{escape(remedy.advice)}{code}</div>"
