"""A training session: models in memory, versions on disk. Every rank holds one; rank 0 says what they train.

Invariant: whenever no call is running, memory and the newest checkpoint say the same.
"""

import time
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from clawstream.schemas import Sample, WeightVersion, decode, encode, now
from clawstream.streams.files.snapshots import weights_digest
from clawstream.streams.windows.window import Window
from clawstream.trainer.errors import DivergedError, TrainerError
from clawstream.trainer.models.adapters import write_adapter
from clawstream.trainer.models.learners import load_learners, write_first_adapter
from clawstream.trainer.models.ranks import rank, share, wait_for_all
from clawstream.trainer.reports import Lags, Outcome, describe_failure, make_report, update_id
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates.update import update
from clawstream.trainer.versions.checkpoint import OPTIMIZER_FOLDER, Checkpoints
from clawstream.trainer.versions.room import writing_into
from clawstream.trainer.versions.snapshot import copy_initial, write_snapshot
from clawstream.trainer.versions.state import Origin, TrainerState, read_state, require_origin, write_state

_NOTHING, _STOP = b"", b"stop"


def begin(settings: TrainerSettings, checkpoints: Checkpoints, topic_prefix: str = "") -> None:
    """Make version 0, a copy of the initial model or an adapter that changes nothing, unless there is a checkpoint
    already. For rank 0."""
    if checkpoints.newest() is not None:
        return
    with writing_into(settings.output_dir):
        folder = checkpoints.begin(0)
        if settings.adapter_of:
            write_first_adapter(settings, folder)
        else:
            copy_initial(settings.model, folder)
        weights, origin = _weights(settings, checkpoints, 0, folder), _origin(settings, topic_prefix)
        write_state(folder, TrainerState(weights=weights, report=None, next_offsets={}, origin=origin))
        checkpoints.commit(0)


class Session:
    """Continues the newest checkpoint, and makes the next ones."""

    def __init__(self, settings: TrainerSettings, checkpoints: Checkpoints, topic_prefix: str = "") -> None:
        self._settings, self._checkpoints = settings, checkpoints
        self._origin = _origin(settings, topic_prefix)
        self.state = _newest_state(settings, checkpoints, self._origin)
        self._version = self.state.version
        newest = checkpoints.path(self._version)
        self._learners = load_learners(settings, newest, checkpoints.path(0))
        if (newest / OPTIMIZER_FOLDER).exists():  # version 0 has none, nor one that was rolled back far
            self._learners.load(newest / OPTIMIZER_FOLDER)
        self.limits = self._learners.limits

    def advance(self, window: Window, seen: bytes, lags: Lags) -> TrainerState:
        """Train on ``window`` and commit the next version; its state. For rank 0.

        Raises ``DivergedError`` after an update that must not be published; a report of it is left in a file.
        """
        started, parent = time.monotonic(), self._version
        self._share(msgspec.msgpack.encode([encode(sample) for sample in window.samples]))
        try:
            metrics = self._train(window.samples)
        except DivergedError as error:
            outcome = Outcome(metrics=error.metrics, seconds=time.monotonic() - started, lags=lags)
            report = make_report(window, parent, outcome, self._settings, now())
            path = self._checkpoints.leave_report(report.version, describe_failure(report, str(error)))
            raise DivergedError(f"{error}; {path} says which samples it was", error.metrics) from error
        outcome = Outcome(metrics=metrics, seconds=time.monotonic() - started, lags=lags)
        with writing_into(self._settings.output_dir):
            folder = self._checkpoints.begin(self._version)
            self._write(self._save(), folder)
            weights = _weights(self._settings, self._checkpoints, self._version, folder)
            report = make_report(window, parent, outcome, self._settings, weights.created_at)
            self.state = TrainerState(
                weights=weights, report=report, next_offsets=window.next_offsets, origin=self._origin, seen=seen
            )
            write_state(folder, self.state)
            self._checkpoints.commit(self._version)
        return self.state

    @property
    def device(self) -> torch.device:
        """Where this rank computes."""
        return self._learners.policy.device

    def prune(self, needed: Collection[int]) -> None:
        """Remove versions from disk that are old, and not ``needed`` by nodes. For rank 0."""
        self._checkpoints.prune(needed)

    def idle(self) -> None:
        """Tell the other ranks that there is nothing to train yet."""
        self._share(_NOTHING)

    def finish(self) -> None:
        """Tell the other ranks to end."""
        self._share(_STOP)

    def follow(self) -> None:
        """Train what rank 0 says until it says to end. For the other ranks."""
        while (payload := self._share(_NOTHING)) != _STOP:
            if payload != _NOTHING:
                encoded = msgspec.msgpack.decode(payload, type=list[bytes])
                self._train([decode(sample, Sample) for sample in encoded])
                self._save()

    def _share(self, payload: bytes) -> bytes:
        return share(payload, self.device)

    def _train(self, samples: Sequence[Sample]) -> dict[str, float]:
        metrics = update(self._learners, samples, self._version, self._settings) if samples else {}
        self._version += 1
        return metrics

    def _write(self, published: dict[str, Tensor], folder: Path) -> None:
        if self._settings.adapter_of:
            write_adapter(published, self._settings, folder)
        else:
            language_model = self._learners.policy.module.language_model
            write_snapshot(language_model, published, self._checkpoints.path(0), folder)

    def _save(self) -> dict[str, Tensor]:
        """Write the optimisers' states; what is published, on rank 0."""
        wait_for_all()  # rank 0 has made the folder
        self._learners.save(self._checkpoints.unfinished(self._version) / OPTIMIZER_FOLDER)
        weights = self._learners.weights()
        wait_for_all()  # every rank's part is there
        return weights


def _origin(settings: TrainerSettings, topic_prefix: str) -> Origin:
    return Origin(topic_prefix=topic_prefix, tenant=settings.tenant, model=settings.model_name)


def _newest_state(settings: TrainerSettings, checkpoints: Checkpoints, origin: Origin) -> TrainerState:
    newest = checkpoints.newest()
    if newest is None:
        raise TrainerError(
            f"rank {rank()} finds no checkpoint in {settings.output_dir}: all ranks need the same folder"
        )
    state = read_state(checkpoints.path(newest))
    require_origin(state, origin, settings.output_dir)
    if state.weights.base != (settings.adapter_of or None):
        raise TrainerError(
            f"{settings.output_dir} holds {_kind(state.weights.base)}, and trainer.adapter_of asks for "
            f"{_kind(settings.adapter_of)}"
        )
    return state


def _kind(base: str | None) -> str:
    return f"adapters of {base}" if base else "whole weights"


def _weights(settings: TrainerSettings, checkpoints: Checkpoints, version: int, folder: Path) -> WeightVersion:
    """The announcement of ``version``, whose weights lie in ``folder`` until it is committed."""
    return WeightVersion(
        model=settings.model_name,
        version=version,
        uri=checkpoints.path(version).as_uri(),
        sha256=weights_digest(folder),
        parent=version - 1 if version else None,
        update_id=update_id(settings.model_name, version) if version else None,
        created_at=now(),
        base=settings.adapter_of or None,
        tenant=settings.tenant,
    )
