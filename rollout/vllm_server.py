"""vLLM's OpenAI server whose chat completions say which weight version sampled which token.

The one file that touches vLLM's Python. vLLM knows the spans of a finished request
(``CompletionOutput.weight_versions``) and returns them from its token-level route alone; agents use chat completions,
so here they are added to those: streamed, as a last chunk before ``[DONE]`` without choices; else, as a field of each
choice. ``end`` is exclusive::

    {"object": "chat.completion.chunk", "choices": [], "weight_versions": [{"version": "3", "start": 0, "end": 17}]}
"""

import importlib
import json
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import fields
from typing import Any

from vllm.entrypoints.openai.chat_completion import serving
from vllm.outputs import CompletionOutput

_DONE = "data: [DONE]\n\n"
_OTHER_DIALECTS = (  # they build on chat completions and would stumble over the additional chunk
    "vllm.entrypoints.anthropic.serving",
    "vllm.entrypoints.openai.chat_completion.batch_serving",
)
Spans = dict[int, list[dict[str, Any]]]  # index of the choice -> its spans


class SpanServingChat(serving.OpenAIServingChat):
    """Chat completions with weight-version spans."""

    async def chat_completion_stream_generator(
        self,
        request: Any,
        result_generator: AsyncGenerator[Any, None],
        request_id: str,
        model_name: str,
        *rest: Any,
        **named: Any,
    ) -> AsyncGenerator[str, None]:
        """vLLM's stream, and the spans as one more chunk; for several choices one each, with its index."""
        spans: Spans = {}
        chunk = {"id": request_id, "object": "chat.completion.chunk", "created": int(time.time()), "model": model_name}
        watched = _watch(result_generator, spans)
        lines = super().chat_completion_stream_generator(request, watched, request_id, model_name, *rest, **named)
        async with aclosing(watched), aclosing(lines):
            async for line in lines:
                if line == _DONE:
                    for index, found in sorted(spans.items()):
                        which = {"index": index} if (request.n or 1) > 1 else {}
                        yield f"data: {json.dumps(chunk | which | {'choices': [], 'weight_versions': found})}\n\n"
                yield line

    async def chat_completion_full_generator(
        self, request: Any, result_generator: AsyncGenerator[Any, None], *rest: Any, **named: Any
    ) -> Any:
        """vLLM's answer, with the spans in each choice."""
        spans: Spans = {}
        response = await super().chat_completion_full_generator(
            request, _watch(result_generator, spans), *rest, **named
        )
        for choice in getattr(response, "choices", ()):
            choice.weight_versions = spans.get(choice.index)
        return response


async def _watch(results: AsyncGenerator[Any, None], spans: Spans) -> AsyncGenerator[Any, None]:
    """Pass ``results`` on, noting each finished output's spans by its index."""
    async with aclosing(results):
        async for result in results:
            for output in result.outputs:
                if output.weight_versions is not None:
                    spans[output.index] = [
                        {"version": span.version, "start": span.start, "end": span.end}
                        for span in output.weight_versions
                    ]
            yield result


def main() -> None:
    """Serve, with vLLM's own command line."""
    if "weight_versions" not in {field.name for field in fields(CompletionOutput)}:
        sys.exit("this vLLM does not report weight versions of its tokens; ClawStream needs 0.32 or newer")
    for module in _OTHER_DIALECTS:
        importlib.import_module(module)
    serving.OpenAIServingChat = SpanServingChat
    from vllm.entrypoints.launchers.api_server.entry import main as serve

    serve()


if __name__ == "__main__":
    main()
