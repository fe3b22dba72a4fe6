from clawstream.dataset.conversation import chain, messages_of, tools_of
from clawstream.schemas import PromptPrefix, Step
from tests.builders import a_step


def after(step_id: str) -> PromptPrefix:
    return PromptPrefix(step_id=step_id, token_count=4, sha256="")


STEPS: dict[str, Step] = {
    step.step_id: step
    for step in (
        a_step(step_id="a", tools_json='[{"type": "function"}]', text="", tool_calls_json='[{"id": "c"}]'),
        a_step(step_id="b", prompt_prefix=after("a"), new_messages_json='[{"role": "tool"}]', reasoning="hm"),
        a_step(step_id="c", prompt_prefix=after("gone")),
        a_step(step_id="d", prompt_prefix=after("d")),
    )
}


def test_a_chain_is_what_led_to_a_step() -> None:
    assert [step.step_id for step in chain(STEPS, "b") or ()] == ["a", "b"]
    assert chain(STEPS, "c") is None
    assert chain(STEPS, "d") is None


def test_messages_are_the_prompt_and_the_answers() -> None:
    steps = chain(STEPS, "b") or []
    assert messages_of(steps) == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c"}]},
        {"role": "tool"},
        {"role": "assistant", "content": "hello", "reasoning_content": "hm"},
    ]
    assert tools_of(steps) == '[{"type": "function"}]'
    assert tools_of([*steps, a_step(tools_json="[]")]) is None
