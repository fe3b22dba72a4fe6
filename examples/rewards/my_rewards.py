"""Three rewards of one's own: of a trajectory, of a step, and of what followed a step.

clawstream process --include examples/rewards/my_rewards.py
"""

from clawstream.processors.rewards import Episode, Reaction, Reward, Turn, reward


@reward
def solved(episode: Episode) -> float | None:
    """1 when the last answer is the one that the trajectory was opened with, else 0; None where there was none."""
    expected = episode.metadata.get("answer")
    return None if expected is None else float(str(expected) in episode.text)


@reward(name="brevity")
def short_answers(turn: Turn) -> float:
    """A little less for every hundred characters of an answer."""
    return -0.01 * (len(turn.text) // 100)


@reward(concurrency=4, timeout_seconds=30)
async def tools_worked(reaction: Reaction) -> Reward | None:
    """-1 for a turn after which any tool said "error", 1 where none did; None where no tool was called."""
    results = [str(message.get("content")) for message in reaction.messages if message.get("role") == "tool"]
    if not results:
        return None
    failed = [result for result in results if "error" in result.lower()]
    return reaction.reward(-1.0 if failed else 1.0, hint=failed[0] if failed else None)
