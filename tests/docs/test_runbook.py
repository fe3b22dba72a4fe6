"""Each alert has an entry in the runbook, under its name, that says what is seen, where to look and what to do."""

import re

import pytest
import yaml

from tests.docs.blocks import DOCS, ROOT

RULES = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
SECTIONS = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", (DOCS / "runbook.md").read_text(), re.MULTILINE))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_an_entry(rule: dict[str, dict[str, str]]) -> None:
    entry = SECTIONS[str(rule["alert"])]
    asked = [re.search(rf"^\*\*{part}", entry, re.MULTILINE) for part in ("Seen:", "Look:", "Do")]
    assert all(asked), entry
    assert f"A {rule['labels']['severity']}" in entry


def test_no_entry_is_of_an_alert_that_is_gone() -> None:
    alerts = {rule["alert"] for rule in RULES}
    assert {title for title in SECTIONS if re.fullmatch(r"[A-Z][a-z]+([A-Z][a-z]+)+", title)} == alerts
