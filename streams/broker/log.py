"""What a broker's log says about its end."""

import re
from pathlib import Path

_EXCEPTION = re.compile(r"^(Caused by: |Exception in thread .*? )?[\w.$]+(Exception|Error)\b.*")
_ERROR = re.compile(r" (ERROR|FATAL) |^Error|^Unrecognized|^Invalid")
_LONGEST = 300


def last_error(text: str) -> str:
    """The line that best says why: the last exception, else the last error, else the last line at all."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for pattern in (_EXCEPTION, _ERROR):
        if found := [line for line in lines if pattern.search(line)]:
            return found[-1][:_LONGEST]
    return lines[-1][:_LONGEST] if lines else "it wrote nothing"


def written_since(path: Path, offset_bytes: int) -> str:
    """What was added to ``path`` after its first ``offset_bytes``: all of it where the file was rolled over since."""
    if not path.exists():
        return ""
    content = path.read_bytes()
    return content[offset_bytes if offset_bytes <= len(content) else 0 :].decode(errors="replace")
