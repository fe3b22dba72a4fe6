"""Tokens as HTML: ids and, where a tokenizer is at hand, their texts, coloured by what the reader asks. Pure.

Invariant: everything in it that is not a number of ours is escaped. Every token has the classes of all colourings, so
choosing another one sends nothing again.
"""

import html
from collections.abc import Callable, Sequence

from clawstream.console.stories.tokens import Token

COLOURINGS = {"logprob": "log-probability", "advantage": "advantage", "version": "policy version", "mask": "loss mask"}
_LOGPROBS = (-0.1, -0.7, -2.0, -5.0)  # nats: where a class ends
_ADVANTAGES = (-1.0, -1e-9, 1e-9, 1.0)
_COLOURS = 6  # of versions


def shown(tokens: Sequence[Token], text: Callable[[int], str | None]) -> str:
    """The HTML of ``tokens``."""
    return f'<div class="cs-tokens">{"".join(_token(token, text(token.id)) for token in tokens)}</div>'


def _token(token: Token, text: str | None) -> str:
    label = str(token.id) if text is None else text.replace("\n", "⏎\n")
    return f'<b class="{_classes(token)}" data-id="{token.id}" data-t="{_told(token, text)}">{html.escape(label)}</b>'


def _classes(token: Token) -> str:
    if token.logprob is None:
        return "p m0"
    classes = [f"l{sum(token.logprob < end for end in _LOGPROBS)}", f"m{int(token.trained)}"]
    if token.version is not None:
        classes.append(f"v{token.version % _COLOURS}")
    if token.advantage is not None:
        classes.append(f"a{sum(token.advantage > end for end in _ADVANTAGES)}")
    return " ".join(classes)


def _told(token: Token, text: str | None) -> str:
    """What is shown under the pointer."""
    lines = [f"id {token.id}", f"position {token.position}"]
    if text is not None:
        lines.insert(1, f"text {text!r}")
    if token.logprob is None:
        lines.append("not sampled")
    else:
        lines.append(f"log-probability {token.logprob:.4f}")
        lines.append("version –" if token.version is None else f"version {token.version}")
        lines.append("in no sample" if token.advantage is None else f"advantage {token.advantage:+.4f}")
    return html.escape("\n".join(lines))
