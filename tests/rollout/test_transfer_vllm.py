"""Versions that a trainer sends to a real vLLM, or does not: real Kafka, the trainer's real sender, gloo."""

from contextlib import closing
from pathlib import Path

import pytest
import torch

from clawstream.schemas.transfer import Offer, Tensors, address, encoded
from clawstream.streams.process.ports import HOST, free_port
from clawstream.trainer.transfer.links import GlooLink
from clawstream.trainer.transfer.sender import Held, Sender
from tests.rollout.trainers import a_trainer_that_says
from tests.vllm_node import VllmNode, announcement

pytestmark = [pytest.mark.vllm, pytest.mark.kafka]


def sender_of(version: int, folder: Path) -> Sender:
    return Sender(announcement(version, folder), "gloo", HOST, 0, 30.0, torch.device("cpu"))


def said_by(node: VllmNode) -> tuple[list[int], list[float]]:
    """Tokens and their log-probabilities."""
    said = node.stream("what do you serve?", max_tokens=20, ignore_eos=True, temperature=0)
    return said.tokens, said.logprobs


def swapped(node: VllmNode, version: int, way: str) -> None:
    """Return once ``version`` is served, and came by ``way``."""
    node.wait(lambda status: status.version == version and status.health == "ready")
    assert node.label() == str(version)
    assert f"serving version {version} (swap by {way}, " in node.log.read_text()


def test_what_is_sent_is_served_as_from_disk(node: VllmNode) -> None:
    folder, other = node.snapshot(seed=31), node.snapshot(seed=32)
    with closing(sender_of(node.versions[-1] + 1, folder)) as sender:
        swapped(node, node.announce(folder, transfer=sender.address), "transfer")
        sent = said_by(node)
        swapped(node, node.announce(other, transfer=address("gloo", HOST, free_port())), "disk")
        assert said_by(node) != sent
        swapped(node, node.announce(folder, transfer=sender.address), "disk")  # it is asked for a later one
        assert said_by(node) == sent
    assert "its trainer refuses: version " in node.log.read_text()


def test_a_trainer_that_is_gone_before_vllm_joins_it_costs_nothing(node: VllmNode) -> None:
    folder = node.snapshot(seed=33)
    info = GlooLink(HOST, 1, 30.0).init_info() | {"master_port": free_port()}
    tensors: Tensors = Held.of(announcement(0, folder)).described()
    with a_trainer_that_says(encoded(Offer(init_info=info, tensors=tensors))) as where:
        swapped(node, node.announce(folder, transfer=where), "disk")
    assert "vLLM did not join the trainer for version " in node.log.read_text()
