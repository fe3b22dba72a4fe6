"""Deciding what trains: a dialog for one, for many, or for a step."""

import asyncio
from collections.abc import Callable, Sequence

from nicegui import ui

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.gateway import GatewayError
from clawstream.console.index.summary import READY, STATUSES
from clawstream.console.statements import Decision, Subject, Word, statements
from clawstream.schemas import new_id

_NAMES: dict[Decision, str] = {
    "accept": "Accept",
    "reject": "Reject",
    "reward": "Set reward",
    "tag": "Tag",
    "hint": "Add hint",
}
_ICONS: dict[Decision, str] = {
    "accept": "check",
    "reject": "block",
    "reward": "grade",
    "tag": "sell",
    "hint": "lightbulb",
}
_ALWAYS: tuple[Decision, ...] = ("accept", "reject", "reward", "tag")
_DECIDED = STATUSES[READY:]


def curation_bar(console: Console, session: Session, chosen: Callable[[], Sequence[str]]) -> None:
    """Buttons that decide about the trajectories that are ``chosen``."""

    async def decide(decision: Decision) -> None:
        names = list(chosen())
        if not names:
            ui.notify("Choose trajectories first")
            return
        reading = console.reading(session)
        listed = await asyncio.to_thread(lambda: [reading.trajectory(name) for name in names])
        found = [each for each in listed if each is not None]
        late = sum(each.status in _DECIDED for each in found)
        subjects = [Subject(trajectory_id=each.trajectory_id, group_id=each.group_id) for each in found]
        curation_dialog(console, session, decision, subjects, late)

    with ui.element("div").classes("cs-row").props('role=group aria-label="Decide about those that are chosen"'):
        for decision in _ALWAYS:
            _button(decision, decide)


def subject_bar(console: Console, session: Session, subject: Subject, *, late: bool) -> None:
    """Buttons that decide about one trajectory, or one step."""

    def decide(decision: Decision) -> None:
        curation_dialog(console, session, decision, [subject], int(late))

    group = ui.element("div").classes("cs-row").props("role=group")
    group.props["aria-label"] = "Decide about this step" if subject.step_id else "Decide about this trajectory"
    with group:
        for decision in _ALWAYS:
            _button(decision, decide)
        if subject.step_id:
            _button("hint", decide)


def _button(decision: Decision, decide: Callable[[Decision], object]) -> None:
    ui.button(_NAMES[decision], icon=_ICONS[decision], color=None, on_click=lambda: decide(decision)).props(
        "outline dense"
    )


def curation_dialog(
    console: Console, session: Session, decision: Decision, subjects: Sequence[Subject], late: int
) -> None:
    """Ask who and why, and have it recorded. ``late``: how many are in a sample already."""
    key, count = new_id(), len(subjects)
    what = "step" if subjects and subjects[0].step_id else "trajectory" if count == 1 else "trajectories"
    with ui.dialog() as dialog, ui.card().classes("cs-form"):
        title = f"{_NAMES[decision]}: {count} {what}"
        dialog.props["aria-label"] = title
        ui.label(title).classes("cs-h2")
        if late:
            said = f"{late} of them are in a sample already" if count > 1 else "It is in a sample already"
            ui.label(f"{said}: this is recorded, and changes nothing of what was put out.").classes("cs-bad")
        reward = ui.number("Reward").props("outlined dense").classes("cs-wide") if decision == "reward" else None
        tags = ui.input("Tags, with spaces").props("outlined dense").classes("cs-wide") if decision == "tag" else None
        hint = ui.textarea("Hint").props("outlined dense").classes("cs-wide") if decision == "hint" else None
        why = ui.input("Why").props("outlined dense autofocus").classes("cs-wide")
        person = ui.input("Who are you?", value=session.person).props("outlined dense").classes("cs-wide")
        problem = ui.label().classes("cs-bad").props("role=alert")

        async def say() -> None:
            word = Word(
                decision=decision,
                person=person.value or "",
                why=why.value or "",
                reward=None if reward is None or reward.value is None else float(reward.value),
                tags="" if tags is None else tags.value or "",
                hint="" if hint is None else hint.value or "",
            )
            problem.text = word.problem() or ""
            if problem.text:
                return
            session.person = word.person
            try:
                await console.gateway.say(session.key, statements(word, subjects, key))
            except GatewayError as error:
                problem.text = str(error)
                return
            dialog.close()
            ui.notify(f"{title}: recorded")

        with ui.element("div").classes("cs-row"):
            ui.button("Record", on_click=say)
            ui.button("Cancel", color=None, on_click=dialog.close).props("flat")
    dialog.on("hide", dialog.delete)
    dialog.open()
