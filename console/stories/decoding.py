"""Token ids as text, where the model's tokenizer is at hand.

Invariant: each id is decoded alone, for itself: a text is a label of its id, never a source of ids.
"""

from functools import lru_cache
from pathlib import Path

from clawstream.streams.settings import SettingsError


class Decoder:
    """Decodes with the tokenizer of ``model``; without one, knows no text."""

    def __init__(self, model: Path | None) -> None:
        """Raises ``SettingsError`` where there is no tokenizer in ``model``."""
        self._tokenizer = None
        if model is not None:
            from tokenizers import Tokenizer

            file = model / "tokenizer.json"
            if not file.is_file():
                raise SettingsError(f"[console] model: {model} holds no tokenizer.json")
            self._tokenizer = Tokenizer.from_file(str(file))
        self.text = lru_cache(200_000)(self._text)

    def _text(self, token_id: int) -> str | None:
        """What ``token_id`` stands for; ``None`` where nobody knows."""
        if self._tokenizer is None:
            return None
        text: str = self._tokenizer.decode([token_id], skip_special_tokens=False)
        return text or self._tokenizer.id_to_token(token_id)
