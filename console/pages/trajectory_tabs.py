"""What the tabs of a trajectory's page hold."""

from collections.abc import Callable, Sequence

from nicegui import ui

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.gateway import GatewayError
from clawstream.console.index.reading import Outcome
from clawstream.console.index.summary import curated
from clawstream.console.pages import addresses
from clawstream.console.pages.curation import subject_bar
from clawstream.console.pages.frame import heading, text_in
from clawstream.console.pages.parts import table
from clawstream.console.pages.tokens import COLOURINGS, shown
from clawstream.console.pages.words import at, number
from clawstream.console.statements import Subject, undone
from clawstream.console.stories.messages import Said, answer, asked, messages
from clawstream.console.stories.story import About, Story, Turn
from clawstream.console.stories.timeline import timeline
from clawstream.console.stories.tokens import tokens as tokens_of
from clawstream.schemas import Feedback, UpdateReport, new_id

_TURNS = 25  # on one page
_MOST_TOKENS = 2000  # of a turn


def conversation(console: Console, session: Session, story: Story, step_id: str) -> None:
    """The turns as messages."""

    def show(turn: Turn) -> None:
        for said in [*asked(turn.step), answer(turn.step)]:
            _message(said)
        followed = any(other.follows == turn.number for other in story.turns)
        for state in turn.next_states:
            if followed and state.kind == "reply":
                continue  # it is what the next turn was asked
            ui.label(f"followed by ({state.kind})").classes("cs-role")
            for said in messages(state.messages_json):
                _message(said)
        _about(turn)
        step = turn.step
        subject = Subject(trajectory_id=step.trajectory_id, group_id=step.group_id, step_id=step.step_id)
        subject_bar(console, session, subject, late=story.sample_of(step.step_id) is not None)

    _in_pages(story, step_id, show)


def tokens(console: Console, story: Story, step_id: str) -> None:
    """The turns as tokens."""

    def show(turn: Turn) -> None:
        found = tokens_of(turn.step, story.sample_of(turn.step.step_id), _MOST_TOKENS)
        before = turn.step.prompt_prefix.token_count if turn.step.prompt_prefix is not None else 0
        if before:
            ui.label(f"goes on from {before} tokens").classes("cs-dim")
        ui.html(shown(found, console.decoder.text))
        if len(found) == _MOST_TOKENS:
            ui.label(f"the first {_MOST_TOKENS}; the raw record has all").classes("cs-dim")

    whole = ui.element("div").classes("cs-by-logprob")
    with whole:
        with ui.element("div").classes("cs-row").props('role=group aria-label="Colour by"'):
            ui.label("Colour by")
            colouring = ui.toggle(COLOURINGS, value="logprob").props("no-caps dense")
            colouring.on_value_change(lambda event: whole.classes(replace=f"cs-by-{event.value}"))
        _in_pages(story, step_id, show)


def rewards(console: Console, session: Session, story: Story) -> None:
    """Every reward with its votes and hint, and every statement, which may be undone."""
    heading("Rewards", 2)
    rows = list[tuple[str, ...]]()
    for about, where in _abouts(story):
        for reward in about.rewards:
            votes = "; ".join(f"{number(vote.value)}: {vote.raw}" for vote in reward.votes)
            value = number(reward.value) if reward.value is not None else f"unscored: {reward.unscored or '–'}"
            rows.append((at(reward.at), where, reward.kind, reward.source, value, votes or "–", reward.hint or "–"))
    table("Rewards", ("When (UTC)", "Of", "Kind", "Source", "Value", "Votes", "Hint"), rows)
    heading("Statements", 2)
    for about, where in _abouts(story):
        for number_, feedback in enumerate(about.feedback):
            _statement(console, session, feedback, about.feedback[:number_], where)
    for sample in story.samples:
        heading("Sample", 2)
        group = sample.group
        ui.label(
            f"{sample.sample_id}: reward {sample.reward:g} in a group of {group.size} (closed: {group.closed_by}), "
            f"mean {group.reward_mean:.4g}, standard deviation {group.reward_std:.4g}"
        ).classes("cs-text")


def life(story: Story, outcomes: Sequence[Outcome], updates: Sequence[UpdateReport]) -> None:
    """The timeline."""
    with ui.timeline(side="right", layout="dense"):
        for event in timeline(story, outcomes, updates):
            entry = ui.timeline_entry(title=event.what, subtitle=at(event.at), icon=event.icon, color=event.color)
            entry.props["tag"] = "h2"
            with entry:
                ui.label(event.detail).classes("cs-text")


def _abouts(story: Story) -> list[tuple[About, str]]:
    return [(story.whole, "whole"), *((turn, f"turn {turn.number}") for turn in story.turns)]


def _statement(console: Console, session: Session, feedback: Feedback, earlier: Sequence[Feedback], where: str) -> None:
    said = [f"{at(feedback.at)}  {where}: {feedback.kind} by {feedback.source}"]
    said += [] if feedback.reward is None else [f"reward {feedback.reward:g}"]
    said += [f"{name}: {value}" for name, value in curated(feedback).items()]
    with ui.element("div").classes("cs-row"):
        ui.label("; ".join(said)).classes("cs-text")
        if feedback.kind not in ("curated", "rewarded"):
            return
        back = undone(feedback, earlier, session.person or "console", new_id())
        if back is None:
            return

        async def undo() -> None:
            try:
                await console.gateway.say(session.key, [back])
            except GatewayError as error:
                ui.notify(str(error), type="negative")
                return
            ui.notify("Undone: recorded")

        ui.button("Undo", icon="undo", color=None, on_click=undo).props("flat dense")


def _in_pages(story: Story, step_id: str, show: Callable[[Turn], None]) -> None:
    """``show`` the turns of one page: that of the step that was asked for, or the first."""
    chosen = next((turn.number for turn in story.turns if turn.step.step_id == step_id), 0)
    pages = -(-len(story.turns) // _TURNS)

    def fill(page: int) -> None:
        place.clear()
        with place:
            for turn in story.turns[(page - 1) * _TURNS : page * _TURNS]:
                with _card(turn, step_id):
                    _turn_heading(turn)
                    show(turn)

    page = chosen // _TURNS + 1
    if pages > 1:
        ui.pagination(1, pages, value=page, direction_links=True, on_change=lambda event: fill(event.value))
    place = ui.element("div")
    fill(page)


def _card(turn: Turn, step_id: str) -> ui.element:
    card = ui.element("article").classes("cs-turn")
    card.props["aria-label"] = f"turn {turn.number}"
    card.classes("cs-branch" if turn.branches else "").classes("cs-chosen" if turn.step.step_id == step_id else "")
    return card


def _turn_heading(turn: Turn) -> None:
    step = turn.step
    ui.link_target(f"step-{step.step_id}")
    with ui.element("div").classes("cs-row"):
        text_in("h2", f"Turn {turn.number}", "cs-h2")
        ui.link("link", f"{addresses.trajectory(step.trajectory_id, step.step_id)}#step-{step.step_id}")
        ui.link("raw", addresses.raw("steps", step.step_id))
        ui.label(f"{turn.kept.topic}[{turn.kept.partition}]@{turn.kept.offset}").classes("cs-dim")
    if turn.branches:
        whence = "written whole" if turn.follows is None else f"goes on from turn {turn.follows}"
        ui.label(f"a branch: {whence}{f'; {step.branch_reason}' if step.branch_reason else ''}").classes("cs-dim")
    if not step.trainable:
        ui.label(f"does not train: {step.untrainable_reason}").classes("cs-dim")


def _message(said: Said) -> None:
    with ui.element("div").classes("cs-said").classes(_ROLES.get(said.role, "")):
        ui.label(said.role).classes("cs-role")
        if said.reasoning:
            with ui.expansion("reasoning").props("dense"):
                ui.label(said.reasoning).classes("cs-text")
        if said.text:
            ui.label(said.text).classes("cs-text")
        for call in said.calls:
            ui.label(f"{call.name}({call.arguments})").classes("cs-code")


_ROLES = {"assistant": "cs-assistant", "tool": "cs-tool"}


def _about(turn: Turn) -> None:
    for reward in turn.rewards:
        value = "unscored" if reward.value is None else f"{reward.value:g}"
        hint = f"; hint: {reward.hint}" if reward.hint else ""
        ui.label(f"reward {value} by {reward.source}, {len(reward.votes)} votes{hint}").classes("cs-text")
    for rejection in turn.rejections:
        ui.label(f"rejected: {rejection.reason}, {rejection.detail}").classes("cs-text cs-bad")
