"""The figures of the committed results, as docs/benchmarks.md shows them: nothing is run.

python -m benchmarks.figures
"""

import json
from collections.abc import Iterator
from typing import Any

from benchmarks.report import RESULTS
from benchmarks.synthetic_node import RESPONSE_TOKENS

Row = tuple[str, str, str]  # program, what was measured, figure


def rows() -> Iterator[Row]:
    """Every line of the table."""
    for name, told in TOLD.items():
        result = json.loads((RESULTS / f"{name}.json").read_text())
        for what, figure in told(result):
            yield name, what, figure


def of_loop(result: Any) -> Iterator[tuple[str, str]]:
    """From the gateway's answer to the trainer's batch."""
    yield "steps from the gateway's answer to the trainer's batch", f"{result['steps_per_second_to_batch']:.0f}/s"
    for hop, found in result["hops"].items():
        yield f"{hop}, median and p99", f"{found['p50_ms']:.0f} ms, {found['p99_ms']:.0f} ms"


def of_gateway(result: Any) -> Iterator[tuple[str, str]]:
    """What the gateway adds, beside the same calls without it."""
    for case in result["cases"]:
        if (case["prompt_tokens"], case["concurrency"], case["stream"]) == (68, 1, True):
            later = case["gateway"]["first_byte"]["p50_ms"] - case["direct"]["first_byte"]["p50_ms"]
            yield "first token of a call of 68 tokens, alone: later than direct, median", f"{later:.1f} ms"
        if (case["prompt_tokens"], case["concurrency"], case["stream"]) == (4000, 32, False):
            yield "CPU for a call of 4,000 tokens, 32 at a time, whole", f"{case['gateway']['cpu_ms_per_call']:.1f} ms"
        if (case["prompt_tokens"], case["concurrency"]) == (68, 32):
            way, ours, direct = "streamed" if case["stream"] else "whole", case["gateway"], case["direct"]
            answers, bare = case["answer_tokens"] or RESPONSE_TOKENS, case["bare"]
            share = ours["calls_per_second"] / direct["calls_per_second"]
            yield (
                f"calls of 68 tokens, answers of {answers}, 32 at a time, {way}",
                f"{ours['calls_per_second']:.0f}/s, {share:.2f} of direct",
            )
            costs = [f"{ours['cpu_ms_per_call']:.1f}", f"{bare['cpu_ms_per_call']:.1f}"]
            costs += [f"{case['litellm']['cpu_ms_per_call']:.0f}"] if "litellm" in case else []
            rivals = "gateway, bare proxy" + (", LiteLLM" if "litellm" in case else "")
            yield f"CPU for one of them, {way}: {rivals}", f"{' / '.join(costs)} ms"
    alone, among = (result["malformed"][which]["call"]["p99_ms"] for which in ("alone", "among"))
    yield "p99 of healthy calls alone, and among malformed ones", f"{alone:.1f} ms, {among:.1f} ms"
    many = result["many"]
    yield (
        "calls that one process had under way at one time; of all, failed",
        f"{many['most_in_flight']:,}; 0 of {many['calls']:,}",
    )


def of_processors(result: Any) -> Iterator[tuple[str, str]]:
    """From steps to samples."""
    for case in result["cases"]:
        what = f"steps of {case['step_bytes'] // 1000} KB through {case['workers']} worker" + "s" * (
            case["workers"] > 1
        )
        yield what, f"{case['rate']:,.0f}/s"


def of_memory(result: Any) -> Iterator[tuple[str, str]]:
    """Over a million steps."""
    points = result["points"]
    for point in (points[1], points[-1]):
        yield f"memory of a worker after {point['steps']:,} steps", f"{point['mib']} MiB"
    for point in points:
        if "restart_seconds" in point:
            yield f"from its start anew after {point['steps']:,} steps to a sample", f"{point['restart_seconds']:.0f} s"


def of_delivery(result: Any) -> Iterator[tuple[str, str]]:
    """Counts, while workers are killed, stopped and joined."""
    counts = result["rows"]
    yield "steps written while workers are killed, stopped and joined", f"{int(counts['steps']):,}"
    for what in ("missing", "in more than one sample or rejection"):
        yield f"of them {what}", counts[what]


def of_trainer(result: Any) -> Iterator[tuple[str, str]]:
    """An update beside the same one in plain Hugging Face and torch, and in TRL, in CPU seconds."""
    for case in result["update"]:
        for other, name in (("plain", "plain torch"), ("trl", "TRL")):
            seconds = [case[f"{other}_{row}"] for row in ("sequences", "steps")]
            if None not in seconds:
                yield (
                    f"an update of {case['shape']}: times as fast as {name}, a row per sequence, and per call",
                    ", ".join(f"{each / case['ours']:.2f}" for each in seconds),
                )


def of_serving(result: Any) -> Iterator[tuple[str, str]]:
    """From a window's last sample to a node that serves what was learned from it."""
    medians = result["median_seconds"]
    yield "from a window's last sample to an announced version, median", f"{medians['announced']:.2f} s"
    yield "from a window's last sample to a node that serves that version, median", f"{medians['served']:.2f} s"


def of_swaps(result: Any) -> Iterator[tuple[str, str]]:
    """Weights that change under load."""
    phases, failed = result["phases"], len(result["failures"])
    calls, swaps = sum(phase["count"] for phase in phases.values()), result["arguments"]["swaps"]
    ratios = [phases["swapping"][each] / phases["idle"][each] for each in ("p50_ms", "p99_ms")]
    yield f"calls that failed during {swaps} swaps on {result['arguments']['nodes']} nodes", f"{failed} of {calls}"
    yield "answers of several versions, and tokens without a version", f"{result['mixed']}, {result['unlabelled']}"
    yield "median and p99 during swaps, of those when idle", ", ".join(f"{ratio:.2f}" for ratio in ratios)


def of_dataset(result: Any) -> Iterator[tuple[str, str]]:
    """Gigabytes of steps."""
    for case in result["cases"]:
        yield f"a dataset of {case['gib']:g} GiB of steps", f"{case['seconds']:.0f} s, {case['most_mib']} MiB of memory"


def of_console(result: Any) -> Iterator[tuple[str, str]]:
    """The index and its pages."""
    yield "records into the console's index", f"{result['records_per_second']:,.0f}/s"
    for page in ("list", "search, one word", "trajectory", "overview"):
        yield f"{page}, with {result['steps']:,} steps, p99", f"{result['pages'][page]['p99_ms']:.0f} ms"


def of_personal(result: Any) -> Iterator[tuple[str, str]]:
    """What users like, before and after they talked."""
    count = len(result["seeds"])
    for name, learner in result["learners"].items():
        lasts = [runs[name][-1] for runs in result["seeds"].values()]
        before, after = result["liked_mean"][name][0], result["liked_mean"][name][-1]
        spread = f"{min(each['liked'] for each in lasts):.2f} to {max(each['liked'] for each in lasts):.2f}"
        what = f"first answers liked before and after {lasts[0]['interactions']} interactions, {count} seeds: "
        yield f"{what}{learner['method']}, users like {learner['likes']}", f"{before:.2f}, {after:.2f} ({spread})"


TOLD = {
    "loop": of_loop,
    "gateway": of_gateway,
    "processors": of_processors,
    "memory": of_memory,
    "delivery": of_delivery,
    "trainer": of_trainer,
    "serving": of_serving,
    "swaps": of_swaps,
    "dataset": of_dataset,
    "console": of_console,
    "personal": of_personal,
}


def main() -> None:
    """Print the table."""
    print("| program | measured | figure |\n| --- | --- | --: |")
    for name, what, figure in rows():
        print(f"| `{name}` | {what} | {figure} |")


if __name__ == "__main__":
    main()
