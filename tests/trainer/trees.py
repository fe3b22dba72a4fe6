"""Trajectories that branch, as sequences of steps."""

from clawstream.schemas import PolicySpan, ResponseSpan, Sequence, pack_logprobs, pack_tokens

Part = tuple[str, int]  # "p" for given, a step id for sampled; tokens


def a_path(tokens: list[int], *responses: tuple[str, int, int], temperature: float = 1.0, version: int = 0) -> Sequence:
    """A sequence of which ``responses`` (step, start, end) were sampled with log-probability -1."""
    sampled = {at for _, start, end in responses for at in range(start, end)}
    return Sequence(
        tokens=pack_tokens(tokens),
        logprobs=pack_logprobs([-1.0 if at in sampled else 0.0 for at in range(len(tokens))]),
        responses=[ResponseSpan(step_id=s, start=a, end=b, temperature=temperature) for s, a, b in responses],
        policy_spans=[PolicySpan(version=version, start=a, end=b) for _, a, b in responses],
    )


SHARED = [10, 11, 12, 13, 14, 15]
BRANCHING = [  # one trajectory of three sequences: two go on from the same answer, one edits the first request
    a_path([*SHARED, 20, 21, 22], ("s1", 3, 6), ("s2", 8, 9)),
    a_path([*SHARED, 20, 31, 32, 33], ("s3", 8, 10)),
    a_path([10, 11, 40, 41], ("s4", 2, 4), temperature=0.5),
]
