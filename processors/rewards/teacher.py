"""A teacher's log-probabilities of tokens that a student sampled, from vLLM.

Invariant: one for each response token, the first included, under the distribution with the student's temperature.
vLLM gives prompt log-probabilities at temperature 1; for another, all of the vocabulary is asked for
(``--max-logprobs -1``) and scaled: log p_T(a) = l(a)/T - logsumexp(l/T).
"""

from typing import Any

import numpy as np

from clawstream.processors.rewards.calls import CallError, Endpoint
from clawstream.processors.rewards.prompts import with_hint
from clawstream.processors.rewards.subjects import Turn
from clawstream.schemas import pack_logprobs, unpack_tokens
from clawstream.schemas.reading.fields import json_object

_WHOLE_VOCABULARY = -1


class Teacher:
    """One model, whose tokenizer must be the student's."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        """``endpoint`` is the server's root, without ``/v1``."""
        self._endpoint, self._model = endpoint, model

    async def rate(self, turn: Turn, hint: str | None) -> bytes:
        """Log-probabilities, packed, of the tokens of ``turn``'s answer as if ``hint`` had been in the request. With
        None, under the exact prompt. Raises ``CallError``, also when the tokenizers differ."""
        response = unpack_tokens(turn.step.response_tokens).tolist()
        if hint is None:
            prompt = unpack_tokens(turn.prompt_tokens).tolist()
        else:
            await self._check_tokenizer(turn, response)
            prompt = await self._tokens(turn, hint)
        temperature = turn.step.temperature
        body = {
            "model": self._model,
            "prompt": [*prompt, *response],
            "max_tokens": 1,
            "temperature": 0.0,
            "prompt_logprobs": 0 if temperature == 1.0 else _WHOLE_VOCABULARY,
        }
        answer = await self._endpoint.post("/v1/completions", body)
        try:
            entries = answer["choices"][0]["prompt_logprobs"][-len(response) :]
        except (KeyError, IndexError, TypeError):
            raise CallError(f"the teacher gave no prompt log-probabilities: {answer!r:.200}") from None
        return pack_logprobs(read_logprobs(entries, response, temperature))

    async def close(self) -> None:
        """Close the connections."""
        await self._endpoint.close()

    async def _tokens(self, turn: Turn, hint: str) -> list[int]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": with_hint(turn.messages, hint),
            "add_generation_prompt": True,
        }
        settings = json_object(turn.step.sampling_json).get("chat_template_kwargs")
        body |= {"tools": turn.tools} if turn.tools else {}
        body |= {"chat_template_kwargs": settings} if settings else {}
        answer = await self._endpoint.post("/tokenize", body)
        found = answer.get("tokens") if isinstance(answer, dict) else None
        if not found:
            raise CallError(f"the teacher tokenized nothing: {answer!r:.200}")
        return [int(token) for token in found]

    async def _check_tokenizer(self, turn: Turn, response: list[int]) -> None:
        """The answer's tokens must mean its text to the teacher too."""
        answer = await self._endpoint.post("/detokenize", {"model": self._model, "tokens": response})
        meant = answer.get("prompt") if isinstance(answer, dict) else None
        if not isinstance(meant, str) or turn.text.strip() not in meant:
            raise CallError(f"the teacher has another tokenizer: it reads {meant!r:.80}, not {turn.text!r:.80}")


def read_logprobs(entries: list[Any], tokens: list[int], temperature: float) -> list[float]:
    """Of each of ``tokens``, from vLLM's ``prompt_logprobs`` at their positions. Raises ``CallError``."""
    if len(entries) != len(tokens):
        raise CallError(f"the teacher gave {len(entries)} log-probabilities for {len(tokens)} tokens")
    found = []
    for position, (entry, token) in enumerate(zip(entries, tokens, strict=True)):
        if not isinstance(entry, dict) or str(token) not in entry:
            raise CallError(f"the teacher gave no log-probability of token {token} at position {position}")
        logprob = float(entry[str(token)]["logprob"])
        if temperature != 1.0:
            scaled = np.fromiter((other["logprob"] for other in entry.values()), dtype=np.float64) / temperature
            top = scaled.max()
            logprob = logprob / temperature - float(top + np.log(np.exp(scaled - top).sum()))
        found.append(min(logprob, 0.0))
    return found
