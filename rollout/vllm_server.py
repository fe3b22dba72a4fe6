"""vLLM's OpenAI server whose chat completions say which weight version sampled which token.

The one file that touches vLLM's Python. vLLM knows the spans of a finished request (``CompletionOutput.weight_versions``)
and returns them from its token-level route alone; agents use chat completions, so here they are added to those: streamed,
as a last chunk before ``[DONE]`` without choices; else, as a field of each choice.

    {"object": "chat.completion.chunk", "choices": [], "weight_versions": [{"version": "3", "start": 0, "end": 17}], ...}
"""

import json
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import fields
from typing import Any

from vllm.entrypoints.openai.chat_completion import serving
from vllm.outputs import CompletionOutput

_DONE = "data: [DONE]\n\n"


class SpanServingChat(serving.OpenAIServingChat):
    """Chat completions with weight-version spans."""

    async def chat_completion_stream_generator(
        self,
        request: Any,
        result_generator: AsyncIterator[Any],
        request_id: str,
        model_name: str,
        *rest: Any,
        **named: Any,
    ) -> AsyncGenerator[str, None]:
        """vLLM's stream, and the spans as one more chunk."""
        spans: dict[int, list[dict[str, Any]]] = {}
        watched = _watch(result_generator, spans)
        stream = super().chat_completion_stream_generator(request, watched, request_id, model_name, *rest, **named)
        async for line in stream:
            if line == _DONE and spans:
                chunk = {"id": request_id, "object": "chat.completion.chunk", "created": int(time.time())}
                chunk |= {"model": model_name, "choices": [], "weight_versions": spans[min(spans)]}
                yield f"data: {json.dumps(chunk)}\n\n"
            yield line

    async def chat_completion_full_generator(
        self, request: Any, result_generator: AsyncIterator[Any], *rest: Any, **named: Any
    ) -> Any:
        """vLLM's answer, with the spans in each choice."""
        spans: dict[int, list[dict[str, Any]]] = {}
        response = await super().chat_completion_full_generator(
            request, _watch(result_generator, spans), *rest, **named
        )
        for choice in getattr(response, "choices", ()):
            choice.weight_versions = spans.get(choice.index)
        return response


async def _watch(results: AsyncIterator[Any], spans: dict[int, list[dict[str, Any]]]) -> AsyncGenerator[Any, None]:
    """Pass ``results`` on, noting each finished output's spans by its index."""
    async for result in results:
        for output in result.outputs:
            if output.weight_versions is not None:
                spans[output.index] = [
                    {"version": span.version, "start": span.start, "end": span.end} for span in output.weight_versions
                ]
        yield result


def main() -> None:
    """Serve, with vLLM's own command line."""
    if "weight_versions" not in {field.name for field in fields(CompletionOutput)}:
        sys.exit("this vLLM does not report weight versions of its tokens; ClawStream needs 0.32 or newer")
    serving.OpenAIServingChat = SpanServingChat
    from vllm.entrypoints.launchers.api_server.entry import main as serve

    serve()


if __name__ == "__main__":
    main()
