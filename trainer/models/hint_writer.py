"""Writes hints into prompts, as the model's own chat template would have them.

Invariant: nothing of the prompt but the hint's place changes; a prompt that does not end as the chat template ends one
has no hinted form, rather than a guessed one::

    prompt   … fix it <|im_end|> <|im_start|>assistant
    hinted   … fix it \\n\\n[user's hint / instruction]\\nbe brief <|im_end|> <|im_start|>assistant
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clawstream.trainer.errors import TrainerError

_MARK = "CLAWSTREAM"
_BEFORE_HINT = "\n\n[user's hint / instruction]\n"  # as in OpenClaw-RL


class HintWriter:
    """The places of hints in one model's prompts."""

    def __init__(self, folder: Path) -> None:
        """``folder``: a model's, with its tokenizer. Raises ``TrainerError`` when it has no chat template."""
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if not self._tokenizer.chat_template:
            raise TrainerError(f"{folder} has no chat template: hints have no place in its prompts")
        text = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": _MARK}], add_generation_prompt=True, tokenize=False
        )
        self._after_message = self._ids(text.rpartition(_MARK)[2])

    def write(self, prompt: Sequence[int], hint: str) -> list[int] | None:
        """``prompt`` with ``hint`` at the end of its last message; ``None`` when it does not end as a prompt does."""
        if not hint:
            return list(prompt)
        ending = self._after_message
        if list(prompt[-len(ending) :]) != ending:
            return None
        return [*prompt[: -len(ending)], *self._ids(_BEFORE_HINT + hint), *ending]

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))
