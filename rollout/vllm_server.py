"""vLLM's OpenAI server whose completions say which weights sampled which token and, chats, go on from given tokens.

The one file that touches the Python of vLLM's server, as ``vllm_worker.py`` does that of its workers. A chat with
``clawstream_continues`` gets a prompt that begins with those tokens (see ``splice.py``), or is rendered whole and says
why. vLLM knows the spans of a finished request (``CompletionOutput.weight_versions``) and returns them from its
token-level route alone; agents use completions, so here they are added to those: streamed, as a last chunk before
``[DONE]`` without choices; else, as a field of each choice. ``end`` is exclusive::

    {"object": "chat.completion.chunk", "choices": [], "weight_versions": [{"version": "3", "start": 0, "end": 17}]}
"""

import asyncio
import importlib
import json
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import fields
from functools import cached_property
from typing import Any

import jinja2
from vllm.entrypoints.openai.chat_completion import serving
from vllm.entrypoints.openai.completion import serving as completion_serving
from vllm.entrypoints.openai.models import serving as models_serving
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.exceptions import VLLMClientError
from vllm.outputs import CompletionOutput

from clawstream.rollout.naming import model_of
from clawstream.rollout.spans import Spans, chunks, note
from clawstream.rollout.splice import Message, closes, opening_messages, splice, tail_messages
from clawstream.schemas import unpack_tokens
from clawstream.schemas.continuing import CONTINUES, NOT_CONTINUED, Continues

_DONE = "data: [DONE]\n\n"
_OTHER_DIALECTS = (  # they build on chat completions and would stumble over the additional chunk
    "vllm.entrypoints.anthropic.serving",
    "vllm.entrypoints.openai.chat_completion.batch_serving",
)


class SpanServingChat(serving.OpenAIServingChat):
    """Chat completions with weight-version spans, on given tokens where a request says so."""

    async def render_chat_request(self, request: Any) -> Any:
        """vLLM's, or the given tokens and those of the new messages."""
        asked = (request.model_extra or {}).pop(CONTINUES, None)
        if asked is not None:
            try:
                token_ids = await self._continued(request, Continues.from_json(asked))
                request.kv_transfer_params = (request.kv_transfer_params or {}) | {"prompt_token_ids": token_ids}
            except (VLLMClientError, ValueError, TypeError, LookupError, jinja2.TemplateError) as reason:
                request.model_extra[NOT_CONTINUED] = str(reason)  # rendered whole, it says itself what is wrong with it
        return await super().render_chat_request(request)

    async def _continued(self, request: Any, asked: Continues) -> list[int]:
        """The prompt. Raises, for whatever reason, when it cannot be made."""
        messages = request.messages = [_settled(message) for message in request.messages]
        tail = tail_messages(messages, asked.answer_index)
        opening_ids, tail_ids = await asyncio.gather(
            self._rendered(request, opening_messages(), add_generation_prompt=False), self._rendered(request, tail)
        )
        if not await self._closes(request, opening_ids, tail[: len(opening_messages()) + 1]):
            raise ValueError("the template ends an answer with no token that ends a turn")
        token_ids = splice(unpack_tokens(asked.tokens).tolist(), opening_ids, tail_ids, self._ends)
        room = request.max_completion_tokens or request.max_tokens or 1
        if len(token_ids) + room > self.model_config.max_model_len:
            raise ValueError(
                f"{len(token_ids)} tokens and {room} for the answer are more than {self.model_config.max_model_len}"
            )
        return token_ids

    async def _closes(self, request: Any, opening_ids: list[int], answered: list[Message]) -> bool:
        """Does the template end answers, those with calls and those without? Asked once of each."""
        kind = "tool_calls" in answered[-1]
        if kind not in self._closing:
            answered_ids = await self._rendered(request, answered, add_generation_prompt=False)
            self._closing[kind] = closes(opening_ids, answered_ids, self._ends)
        return self._closing[kind]

    async def _rendered(self, request: Any, messages: list[Message], **changed: Any) -> list[int]:
        changes = {"messages": messages, "kv_transfer_params": None, **changed}
        result = await self.online_renderer.render_chat(request.model_copy(update=changes))
        if isinstance(result, ErrorResponse):
            raise ValueError(result.error.message)
        _, (engine_input,) = result
        return list(self._extract_prompt_components(engine_input).token_ids or ())

    @cached_property
    def _closing(self) -> dict[bool, bool]:
        return {}

    @cached_property
    def _ends(self) -> frozenset[int]:
        """Tokens that end a turn: what vLLM itself stops at."""
        named = self.model_config.try_get_generation_config().get("eos_token_id")
        listed = named if isinstance(named, list) else [named]
        own = getattr(self.renderer.tokenizer, "eos_token_id", None)
        return frozenset(end for end in (own, *listed) if end is not None)

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
                    for said in chunks(spans, chunk, numbered=(request.n or 1) > 1):
                        yield f"data: {json.dumps(said)}\n\n"
                    if (why := (request.model_extra or {}).get(NOT_CONTINUED)) is not None:
                        yield f"data: {json.dumps(chunk | {'choices': [], NOT_CONTINUED: why})}\n\n"
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


class SpanServingCompletion(completion_serving.OpenAIServingCompletion):
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
        watched, count = _watch_prompts(result_generator, request.n, spans), len(engine_inputs) * request.n
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
        outputs = [(output, result.lora_request) for result in final_res_batch for output in result.outputs]
        for index, (output, adapter) in enumerate(outputs):
            note(spans, index, output, adapter)
        response = super().request_output_to_completion_response(final_res_batch, *rest, **named)
        for choice in response.choices:
            choice.weight_versions = spans.get(choice.index)
        return response


class VersionedModels(models_serving.OpenAIServingModels):
    """Adapters whose versions are models of their own; who asks for the adapter gets its newest."""

    async def load_lora_adapter(self, request: Any, base_model_name: str | None = None) -> Any:
        """vLLM's, then calls for the adapter go to this version."""
        answer = await super().load_lora_adapter(request, base_model_name)
        if request.lora_name in self.lora_requests:
            self.lora_requests[model_of(request.lora_name)] = self.lora_requests.pop(request.lora_name)
        return answer

    def model_name(self, lora_request: Any = None) -> str:
        """What answers say that they are of: the adapter, which can be asked for, and not its version, which cannot."""
        name: str = super().model_name(lora_request)
        return name if lora_request is None else model_of(name)


def _settled(message: Any) -> Message:
    """``message`` with lists where validation has left iterators that can be read once."""
    once = (str, list, dict, type(None), bool, int, float)
    return {key: value if isinstance(value, once) else list(value) for key, value in message.items()}


async def _watch(results: AsyncGenerator[Any, None], spans: Spans) -> AsyncGenerator[Any, None]:
    """Pass ``results`` on, noting each finished output's spans by its index."""
    async with aclosing(results):
        async for result in results:
            for output in result.outputs:
                note(spans, output.index, output, result.lora_request)
            yield result


async def _watch_prompts(
    results: AsyncGenerator[tuple[int, Any], None], n: int, spans: Spans
) -> AsyncGenerator[tuple[int, Any], None]:
    """Pass ``results``, each with the number of its prompt, on, noting each finished output's spans."""
    async with aclosing(results):
        async for prompt, result in results:
            for output in result.outputs:
                note(spans, output.index + prompt * n, output, result.lora_request)
            yield prompt, result


def main() -> None:
    """Serve, with vLLM's own command line."""
    if "weight_versions" not in {field.name for field in fields(CompletionOutput)}:
        sys.exit("this vLLM does not report weight versions of its tokens; ClawStream needs 0.32 or newer")
    for module in _OTHER_DIALECTS:
        importlib.import_module(module)
    models_serving.OpenAIServingModels = VersionedModels
    serving.OpenAIServingChat = SpanServingChat
    completion_serving.OpenAIServingCompletion = SpanServingCompletion
    from vllm.entrypoints.launchers.api_server.entry import main as serve

    serve()


if __name__ == "__main__":
    main()
