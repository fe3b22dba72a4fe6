"""What each tenant may use, and how much of it is left.

Invariant: over any time, what was let in is at most what a limit gives for it plus once the limit. Tokens are known
only afterwards, so a call is let in while any are left and what it used is taken off then, also below zero; who is in
debt waits until it is paid. What is used is counted by this process: of several workers each has its share, and a start
begins anew::

    requests_per_minute = 60     full: 60 at once, then one each second
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator

from clawstream.gateway.callers.keys import Limits
from clawstream.gateway.errors import too_many
from clawstream.gateway.metrics import TENANT_REFUSED, TENANT_REQUESTS, TENANT_TOKENS

_MINUTE, _DAY = 60.0, 86_400.0


class Bucket:
    """A token bucket: ``amount`` in ``seconds``, and at most ``amount`` at once."""

    def __init__(self, amount: float, seconds: float, now_seconds: float) -> None:
        self._amount, self._per_second = amount, amount / seconds
        self._left, self._at = amount, now_seconds

    def wait_seconds(self, now_seconds: float) -> float:
        """How long until there is one; 0 when there is."""
        self._fill(now_seconds)
        return max(0.0, (1.0 - self._left) / self._per_second)

    def take(self, amount: float, now_seconds: float) -> None:
        """Take ``amount`` off, whether it is there or not."""
        self._fill(now_seconds)
        self._left -= amount

    def _fill(self, now_seconds: float) -> None:
        self._left = min(self._amount, self._left + (now_seconds - self._at) * self._per_second)
        self._at = now_seconds


class Usage:
    """What one tenant uses under ``limits``, of which this process has a share."""

    def __init__(self, limits: Limits, workers: int, now_seconds: float) -> None:
        self.limits = limits

        def bucket(limit: int | None, seconds: float) -> Bucket | None:
            return None if limit is None else Bucket(math.ceil(limit / workers), seconds, now_seconds)

        most = limits.calls_in_flight
        self.most_in_flight = None if most is None else math.ceil(most / workers)
        self.requests = {"requests_per_minute": bucket(limits.requests_per_minute, _MINUTE)}
        self.tokens = {
            "tokens_per_minute": bucket(limits.tokens_per_minute, _MINUTE),
            "tokens_per_day": bucket(limits.tokens_per_day, _DAY),
        }


class Quotas:
    """The tenants' usage. ``limits_of``: what a tenant may use now."""

    def __init__(
        self, limits_of: Callable[[str], Limits], workers: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits_of, self._workers, self._clock = limits_of, workers, clock
        self._usage: dict[str, Usage] = {}
        self._in_flight: dict[str, int] = {}

    def request(self, tenant: str) -> None:
        """Count a request. Raises ``ApiError`` 429 when there were too many."""
        usage = self._of(tenant)
        self._check(tenant, usage, usage.requests)
        TENANT_REQUESTS.labels(tenant).inc()
        for bucket in usage.requests.values():
            if bucket is not None:
                bucket.take(1, self._clock())

    def check_tokens(self, tenant: str) -> None:
        """Raise ``ApiError`` 429 while no tokens are left."""
        usage = self._of(tenant)
        self._check(tenant, usage, usage.tokens)

    def charge(self, tenant: str, tokens: int) -> None:
        """Take ``tokens`` off, which a call has used."""
        TENANT_TOKENS.labels(tenant).inc(tokens)
        for bucket in self._of(tenant).tokens.values():
            if bucket is not None:
                bucket.take(tokens, self._clock())

    @contextlib.contextmanager
    def in_flight(self, tenant: str) -> Iterator[None]:
        """Hold one of the tenant's places for calls. Raises ``ApiError`` 429 when there is none."""
        most, count = self._of(tenant).most_in_flight, self._in_flight.get(tenant, 0)
        if most is not None and count >= most:
            self._refuse(tenant, "calls_in_flight", f"{count} calls of tenant {tenant} are under way", 1.0)
        self._in_flight[tenant] = count + 1
        try:
            yield
        finally:
            self._in_flight[tenant] -= 1
            if not self._in_flight[tenant]:
                del self._in_flight[tenant]

    def _of(self, tenant: str) -> Usage:
        limits = self._limits_of(tenant)
        usage = self._usage.get(tenant)
        if usage is None or usage.limits != limits:
            usage = self._usage[tenant] = Usage(limits, self._workers, self._clock())
        return usage

    def _check(self, tenant: str, usage: Usage, buckets: dict[str, Bucket | None]) -> None:
        waits = {name: bucket.wait_seconds(self._clock()) for name, bucket in buckets.items() if bucket is not None}
        name = max(waits, key=lambda each: waits[each], default="")
        if name and waits[name] > 0:
            said = f"tenant {tenant} may use {getattr(usage.limits, name)} {name.replace('_', ' ')}"
            self._refuse(tenant, name, said, waits[name])

    def _refuse(self, tenant: str, limit: str, said: str, wait_seconds: float) -> None:
        TENANT_REFUSED.labels(tenant, limit).inc()
        seconds = math.ceil(wait_seconds)
        raise too_many(f"{said}; its limit is {limit}. Ask again in {seconds} s", limit, seconds)
