"""DAPO's soft penalty of answers that come near the length limit (Yu 2025, eq. 13)."""


def overlong_penalty(sampled_tokens: int, max_tokens: int, buffer_tokens: int) -> float:
    """``clip((L_max - L_buf - length) / L_buf, -1, 0)``: 0 up to the buffer, -1 at the limit and beyond."""
    return min(0.0, max(-1.0, (max_tokens - buffer_tokens - sampled_tokens) / buffer_tokens))
