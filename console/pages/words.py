"""Numbers and times as people read them. Pure."""

from datetime import UTC, datetime


def number(value: float | None) -> str:
    """At most four digits; a dash for none."""
    return "–" if value is None else f"{value:.4g}"


def count(value: float) -> str:
    """With thin spaces between thousands."""
    return f"{value:,.0f}".replace(",", "\u202f")


def versions(low: int | None, high: int | None) -> str:
    """A range of versions."""
    return "–" if low is None else str(low) if low == high else f"{low}–{high}"


def at(moment: datetime) -> str:
    """In UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def at_ms(milliseconds: int) -> str:
    """The same of milliseconds since 1970."""
    return at(datetime.fromtimestamp(milliseconds / 1000, UTC))


def ago(seconds: float) -> str:
    """How long ago."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
