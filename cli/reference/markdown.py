"""Tables of Markdown. Pure."""

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what stands in a cell stays in it."""
    lines = [row(heads), row(["---"] * len(heads)), *map(row, rows)]
    return "\n".join(lines)


def row(cells: Sequence[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def code(text: object) -> str:
    """In backticks; empty for nothing."""
    return f"`{text}`" if str(text) else ""


def page(*parts: str) -> str:
    """Paragraphs, tables and headings, each apart from the next."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"
