"""``python -m clawstream.cli.reference [FOLDER]``: write the reference pages, into ``docs/reference`` unless told."""

import sys
from pathlib import Path

from clawstream.cli.reference.pages import PAGES


def main() -> None:
    """Write each page."""
    folder = Path(*sys.argv[1:2] or ["docs", "reference"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, written in PAGES.items():
        (folder / name).write_text(written())


if __name__ == "__main__":
    main()
