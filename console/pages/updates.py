"""Updates: which samples each one used, what it did, and what it left out."""

import asyncio

from nicegui import ui

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.pages import addresses
from clawstream.console.pages.frame import heading
from clawstream.console.pages.parts import facts, table
from clawstream.console.pages.words import at, count, number, versions
from clawstream.console.stories.tokens import group_advantage
from clawstream.schemas import Sample, UpdateReport
from clawstream.schemas.reading.sequences import sampled_by
from clawstream.streams.windows.fingerprint import fingerprint

_NEWEST = 200


async def updates(console: Console, session: Session) -> None:
    """The list."""
    heading("Updates")
    found = await asyncio.to_thread(console.reading(session).updates)
    if not found:
        ui.label("No update has been made yet.")
    rows = [
        (
            (f"{report.model} {report.version}", addresses.update(report.update_id)),
            at(report.at),
            count(len(report.sample_ids)),
            count(len(report.discarded)),
            count(report.response_token_count),
            number(report.reward_mean),
            f"{number(report.policy_lag_mean)}, most {report.policy_lag_max}",
            f"{report.seconds:.1f}",
            report.objective or report.algorithm,
        )
        for report in reversed(found[-_NEWEST:])
    ]
    names = ("Version", "At (UTC)", "Samples", "Discarded", "Tokens", "Reward", "Policy lag", "Seconds", "Objective")
    table("Updates", names, rows)


async def update(console: Console, session: Session, update_id: str) -> None:
    """One of them."""
    reading = console.reading(session)
    found = await asyncio.to_thread(reading.updates_named, [update_id])
    if not found:
        heading("Update")
        ui.label("There is no such update in the index.")
        return
    report = found[0]
    discarded = {each.sample_id: each.reason for each in report.discarded}
    validated = [sample_id for each in report.validations for sample_id in each.sample_ids]
    heading(f"Update {report.version} of {report.model}")
    facts(_facts(report))
    heading("Samples", 2)
    samples = await asyncio.to_thread(reading.samples, report.sample_ids)
    if len(samples) < len(report.sample_ids):
        ui.label(f"{len(samples)} of {len(report.sample_ids)}: others are another tenant's, or older than the index")
    table("Samples", _COLUMNS, [_row(sample, report, "") for sample in samples])
    for name, ids in (("Discarded", list(discarded)), ("Validation", validated)):
        if ids:
            heading(name, 2)
            others = await asyncio.to_thread(reading.samples, ids)
            table(name, _COLUMNS, [_row(each, report, discarded.get(each.sample_id, "")) for each in others])
    heading("Metrics", 2)
    table("Metrics", ("Metric", "Value"), [(name, number(value)) for name, value in sorted(report.metrics.items())])


_COLUMNS = ("Trajectory", "Sample", "Reward", "Group advantage", "Tokens", "Versions", "Lag", "")


def _row(sample: Sample, report: UpdateReport, why: str) -> tuple[str | tuple[str, str], ...]:
    spans = [span.version for sequence in sample.sequences for span in sequence.policy_spans]
    found = [each for sequence in sample.sequences for each in sampled_by(sequence)]
    own = [version for _, model, version in found if model in ("", report.model)]
    sampled = sum(span.end - span.start for sequence in sample.sequences for span in sequence.responses)
    low, high = min(spans, default=None), max(spans, default=None)
    return (
        (sample.trajectory_id, addresses.trajectory(sample.trajectory_id)),
        sample.sample_id,
        number(sample.reward),
        f"{group_advantage(sample):+.3f}",
        count(sampled),
        versions(low, high),
        str(report.parent - min(own)) if own else "–",
        why,
    )


def _facts(report: UpdateReport) -> list[tuple[str, str]]:
    return [
        ("At", f"{at(report.at)} UTC"),
        ("Fingerprint", fingerprint(report.sample_ids)),
        ("From version", str(report.parent)),
        ("Algorithm", report.algorithm),
        ("Objective", report.objective or "–"),
        ("Trained", f"{count(len(report.sample_ids))} samples, {count(report.response_token_count)} tokens"),
        ("Mean reward", number(report.reward_mean)),
        ("Policy lag", f"{number(report.policy_lag_mean)} versions, most {report.policy_lag_max}"),
        ("Consumer lag", f"{count(report.consumer_lag_records)} samples"),
        ("Publish lag", "–" if report.publish_lag_versions is None else f"{report.publish_lag_versions} versions"),
        ("Seconds", f"{report.seconds:.2f}"),
    ]
