"""The next batch: members, advantages, tokens, staleness, before it trains."""

import asyncio
from collections.abc import Sequence
from statistics import fmean

from nicegui import ui

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.pages import addresses
from clawstream.console.pages.frame import heading
from clawstream.console.pages.parts import facts, table
from clawstream.console.pages.words import count, number
from clawstream.console.preview import Preview, Windows, preview
from clawstream.console.stories.tokens import group_advantage
from clawstream.schemas import TOKEN_BYTES, Sample, UpdateReport
from clawstream.streams.settings import load
from clawstream.streams.windows.usable import policy_lag

_AT_ONCE = 500  # ids in one question
_COLUMNS = ("Trajectory", "Reward", "Group advantage", "Tokens", "Versions behind")


async def batch(console: Console, session: Session) -> None:
    """The page."""
    reading = console.reading(session)
    windows = load(Windows)

    def trained(ids: Sequence[str]) -> list[str]:
        parts = [ids[first : first + _AT_ONCE] for first in range(0, len(ids), _AT_ONCE)]
        return [outcome.sample_id for part in parts for outcome in reading.outcomes(part)]

    found, updates = await asyncio.gather(
        asyncio.to_thread(preview, console.kafka, windows, trained), asyncio.to_thread(reading.updates)
    )
    heading("Next batch")
    ui.label(
        "What the trainer would take now, by its own code, its committed offsets and the [trainer] section that this "
        "console reads. The update that trains it has the same fingerprint, if nothing changes between."
    ).classes("cs-dim")
    own_updates = [update for update in updates if update.model == windows.model_name]
    facts(_facts(found, own_updates[-1] if own_updates else None, windows))
    own = [sample for sample in found.samples if sample.tenant == session.tenant]
    if len(own) < len(found.samples):
        ui.label(f"{len(own)} of {len(found.samples)} are of {session.tenant}; the others are not shown.")
    heading("Members", 2)
    table("Members", _COLUMNS, [_row(sample, found.version) for sample in own])
    if found.discarded:
        heading("Discarded", 2)
        table("Discarded", ("Sample", "Why"), [(each.sample_id, each.reason) for each in found.discarded])


def _row(sample: Sample, version: int) -> tuple[str | tuple[str, str], ...]:
    return (
        (sample.trajectory_id, addresses.trajectory(sample.trajectory_id)),
        number(sample.reward),
        f"{group_advantage(sample):+.3f}",
        count(_tokens(sample)),
        str(policy_lag(sample, version)),
    )


def _facts(found: Preview, newest: UpdateReport | None, windows: Windows) -> list[tuple[str, str]]:
    lags = [policy_lag(sample, found.version) for sample in found.samples]
    clipped = None if newest is None else newest.metrics.get("clip_fraction")
    return [
        ("Fingerprint", found.fingerprint),
        ("Trainer is at version", str(found.version)),
        ("Samples", f"{len(found.samples)} of {windows.window_samples}, {'full' if found.is_due else 'waiting'}"),
        ("Tokens", f"{count(sum(map(_tokens, found.samples)))} of {count(windows.window_tokens)}"),
        ("Mean reward", number(fmean(sample.reward for sample in found.samples) if found.samples else None)),
        ("Versions behind", f"{number(fmean(lags))}, most {max(lags)}" if lags else "–"),
        ("Expected fraction clipped", f"{number(clipped)}, as in the update before"),
        ("Validation", count(len(found.validation))),
        ("Discarded", count(len(found.discarded))),
    ]


def _tokens(sample: Sample) -> int:
    return sum(len(sequence.tokens) for sequence in sample.sequences) // TOKEN_BYTES
