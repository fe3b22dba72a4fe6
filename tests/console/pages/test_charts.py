from typing import Any

from msgspec.structs import replace

from clawstream.console.pages.charts import curves, label, pipeline
from clawstream.console.stories.arrows import arrows
from clawstream.streams.lag.behind import Behind, Report
from tests.builders import an_update


def test_an_arrow_says_what_flows_and_who_is_behind() -> None:
    behind = [
        Behind(group="p", topic="steps", partition=n, committed=0, end=9, records=n, seconds=0.5 * n, oldest=None)
        for n in range(3)
    ]
    behind.append(
        Behind(group="console", topic="steps", partition=0, committed=0, end=9, records=9, seconds=1.0, oldest=None)
    )
    found = {
        arrow.topic: arrow
        for arrow in arrows({"steps": 2.5}, {"steps": 9}, {"steps": 1}, Report(groups=behind, nodes=[]))
    }
    assert found["steps"].behind == {"p": (3, 1.0), "console": (9, 1.0)}
    assert label(found["steps"]) == "steps 2.5/s · 3 behind · 1 dead"
    assert label(found["samples"]) == "samples 0.0/s"
    links = pipeline(found.values())["series"][0]["links"]
    assert {"source": "gateway", "target": "processors"}.items() <= links[0].items()


def names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for each in value.values() for name in names(each)}
    return {name for each in value for name in names(each)} if isinstance(value, list) else set()


def test_nothing_that_a_record_says_is_the_name_of_an_option() -> None:
    report = replace(an_update(3), metrics={"kl:x": 1.0, ":y": 2.0})
    found = curves([report])
    assert not {name for _, options in found for name in names(options) if name.startswith(":") or "kl" in name}
    assert found[2][1]["series"][0]["name"] == "kl:x"


def test_each_model_has_lines_of_its_own_since_each_counts_its_own_versions() -> None:
    own, acme = an_update(7), replace(an_update(1), model="policy-acme", reward_mean=0.25)
    (_, alone), (_, both) = curves([own])[0], curves([acme, own])[0]
    assert [line["name"] for line in alone["series"]] == ["trained samples", "validation"]
    found = {line["name"]: line["data"] for line in both["series"]}
    assert found["policy: trained samples"] == [[7.0, own.reward_mean]]
    assert found["policy-acme: trained samples"] == [[1.0, 0.25]]
    assert len(curves([])) == len(curves([own]))
