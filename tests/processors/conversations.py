"""Steps that continue each other, for the tests of the stages."""

from typing import Any

from clawstream.schemas import TOKEN_BYTES, PromptPrefix, Step, tokens_digest
from tests.builders import a_step


def whole(step: Step, earlier: dict[str, bytes]) -> bytes:
    """Prompt and response of ``step``; ``earlier`` holds those of the steps before it, by id."""
    prefix = earlier[step.prompt_prefix.step_id] if step.prompt_prefix else b""
    return prefix + step.prompt_tokens + step.response_tokens


def continuing(parent: Step, tokens: bytes, prompt: list[int], response: list[int], **fields: Any) -> Step:
    """A step whose prompt begins with ``tokens``: the whole of ``parent``."""
    prefix = PromptPrefix(step_id=parent.step_id, token_count=len(tokens) // TOKEN_BYTES, sha256=tokens_digest(tokens))
    same = {"trajectory_id": parent.trajectory_id, "group_id": parent.group_id, "tenant": parent.tenant}
    return a_step(prompt, response, prompt_prefix=prefix, **(same | fields))


def a_tree(parents: list[int | None], **fields: Any) -> list[Step]:
    """Steps in log order; ``parents[i]`` is the index of the step that step ``i`` continues, None: written whole.

    Each step has other tokens: step ``i`` has the prompt ``[100 + i]`` and the response ``[200 + i, 300 + i]``.
    """
    steps, tokens = list[Step](), dict[str, bytes]()
    for number, parent in enumerate(parents):
        prompt, response = [100 + number], [200 + number, 300 + number]
        own = {"step_id": f"s{number}"} | fields
        if parent is None:
            step = a_step(prompt, response, **own)
        else:
            step = continuing(steps[parent], tokens[steps[parent].step_id], prompt, response, **own)
        steps.append(step)
        tokens[step.step_id] = whole(step, tokens)
    return steps
