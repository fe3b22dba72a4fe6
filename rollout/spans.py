"""vLLM's weight-version spans as JSON. ``end`` is exclusive::

[{"version": "3", "start": 0, "end": 17}]
"""

from typing import Any

from clawstream.rollout.naming import version_of

Spans = dict[int, list[dict[str, Any]]]  # index of the choice -> its spans


def note(spans: Spans, index: int, output: Any, adapter: Any = None) -> None:
    """Keep the spans of ``output``, where it is finished and has them, as those of choice ``index``.

    ``adapter``: vLLM's, where one answered: its name has the one version of all tokens, and vLLM's are the model's.
    """
    if output.weight_versions and adapter is not None:
        end = output.weight_versions[-1].end
        spans[index] = [{"version": version_of(adapter.lora_name), "start": 0, "end": end}]
    elif output.weight_versions is not None:
        spans[index] = [
            {"version": span.version, "start": span.start, "end": span.end} for span in output.weight_versions
        ]


def chunks(spans: Spans, chunk: dict[str, Any], *, numbered: bool) -> list[dict[str, Any]]:
    """``chunk`` without choices for the spans of each; ``numbered``: there are several, so each says which."""
    return [
        chunk | ({"index": index} if numbered else {}) | {"choices": [], "weight_versions": found}
        for index, found in sorted(spans.items())
    ]
