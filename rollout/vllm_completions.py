"""vLLM's completions with weight-version spans, as ``vllm_server.py`` adds them to chat completions."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from vllm.entrypoints.openai.completion import serving

from clawstream.rollout.vllm_spans import Spans, chunks, note

_DONE = "data: [DONE]\n\n"


class SpanServingCompletion(serving.OpenAIServingCompletion):
    """Completions with weight-version spans."""

    async def completion_stream_generator(
        self,
        request: Any,
        engine_inputs: list[Any],
        result_generator: AsyncGenerator[tuple[int, Any], None],
        request_id: str,
        created_time: int,
        model_name: str,
        *rest: Any,
        **named: Any,
    ) -> AsyncGenerator[str, None]:
        """vLLM's stream, and the spans of each choice as one more chunk."""
        spans: Spans = {}
        chunk = {"id": request_id, "object": "text_completion", "created": created_time, "model": model_name}
        watched, count = _watch(result_generator, request.n, spans), len(engine_inputs) * request.n
        lines = super().completion_stream_generator(
            request, engine_inputs, watched, request_id, created_time, model_name, *rest, **named
        )
        async with aclosing(watched), aclosing(lines):
            async for line in lines:
                if line == _DONE:
                    for said in chunks(spans, chunk, numbered=count > 1):
                        yield f"data: {json.dumps(said)}\n\n"
                yield line

    def request_output_to_completion_response(self, final_res_batch: list[Any], *rest: Any, **named: Any) -> Any:
        """vLLM's answer, with the spans in each choice."""
        spans: Spans = {}
        outputs = [output for result in final_res_batch for output in result.outputs]
        for index, output in enumerate(outputs):
            note(spans, index, output)
        response = super().request_output_to_completion_response(final_res_batch, *rest, **named)
        for choice in response.choices:
            choice.weight_versions = spans.get(choice.index)
        return response


async def _watch(
    results: AsyncGenerator[tuple[int, Any], None], n: int, spans: Spans
) -> AsyncGenerator[tuple[int, Any], None]:
    """Pass ``results``, each with the number of its prompt, on, noting each finished output's spans."""
    async with aclosing(results):
        async for prompt, result in results:
            for output in result.outputs:
                note(spans, output.index + prompt * n, output)
            yield prompt, result
