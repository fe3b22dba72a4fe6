"""What an adapter's version is called inside vLLM: ``policy-acme@7``. Pure.

Invariant: what has such a name never changes, so every token of an answer under it is of that version.
"""

_MARK = "@"


def versioned(model: str, version: int) -> str:
    """The name of ``version`` of the adapter ``model``."""
    return f"{model}{_MARK}{version}"


def model_of(name: str) -> str:
    """The adapter of which ``name`` is a version; ``name`` itself where it names none."""
    model, mark, version = name.rpartition(_MARK)
    return model if mark and version.isdigit() else name


def version_of(name: str) -> str | None:
    """The version that ``name`` names, if it does."""
    _, mark, version = name.rpartition(_MARK)
    return version if mark and version.isdigit() else None
