"""What each tenant may use, and how much of it is left.

Invariant: over any time, what was let in is at most what a limit gives for it plus once the limit. Tokens are known
only afterwards, so a call is let in while any are left and what it used is taken off then, also below zero; who is in
debt waits until it is paid. What is used is counted by this process: of several workers each has its share, and a start
begins anew::

    requests_per_minute = 60     full: 60 at once, then one each second
"""

import math
import time
from collections.abc import Callable

from clawstream.gateway.callers.keys import Limits
from clawstream.gateway.errors import too_many
from clawstream.gateway.metrics import TENANT_REFUSED, tenant_requests, tenant_tokens

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

        def buckets(**seconds_of: float) -> dict[str, Bucket]:
            return {
                name: Bucket(math.ceil(limit / workers), seconds, now_seconds)
                for name, seconds in seconds_of.items()
                if (limit := getattr(limits, name)) is not None
            }

        most = limits.calls_in_flight
        self.most_in_flight = None if most is None else math.ceil(most / workers)
        self.requests = buckets(requests_per_minute=_MINUTE)
        self.tokens = buckets(tokens_per_minute=_MINUTE, tokens_per_day=_DAY)


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
        tenant_requests(tenant).inc()
        for bucket in usage.requests.values():
            bucket.take(1, self._clock())

    def check_tokens(self, tenant: str) -> None:
        """Raise ``ApiError`` 429 while no tokens are left."""
        usage = self._of(tenant)
        self._check(tenant, usage, usage.tokens)

    def charge(self, tenant: str, tokens: int) -> None:
        """Take ``tokens`` off, which a call has used."""
        tenant_tokens(tenant).inc(tokens)
        for bucket in self._of(tenant).tokens.values():
            bucket.take(tokens, self._clock())

    def enter(self, tenant: str) -> None:
        """Hold one of the tenant's places for calls, until it leaves. Raises ``ApiError`` 429 when there is none."""
        most, count = self._of(tenant).most_in_flight, self._in_flight.get(tenant, 0)
        if most is not None and count >= most:
            self._refuse(tenant, "calls_in_flight", f"{count} calls of tenant {tenant} are under way", 1.0)
        self._in_flight[tenant] = count + 1

    def leave(self, tenant: str) -> None:
        """Give a place back."""
        self._in_flight[tenant] -= 1
        if not self._in_flight[tenant]:
            del self._in_flight[tenant]

    def _of(self, tenant: str) -> Usage:
        limits = self._limits_of(tenant)
        usage = self._usage.get(tenant)
        if usage is None or usage.limits != limits:
            usage = self._usage[tenant] = Usage(limits, self._workers, self._clock())
        return usage

    def _check(self, tenant: str, usage: Usage, buckets: dict[str, Bucket]) -> None:
        if not buckets:
            return
        waits = {name: bucket.wait_seconds(self._clock()) for name, bucket in buckets.items()}
        name = max(waits, key=lambda each: waits[each])
        if waits[name] > 0:
            said = f"tenant {tenant} may use {getattr(usage.limits, name)} {name.replace('_', ' ')}"
            self._refuse(tenant, name, said, waits[name])

    def _refuse(self, tenant: str, limit: str, said: str, wait_seconds: float) -> None:
        TENANT_REFUSED.labels(tenant, limit).inc()
        seconds = math.ceil(wait_seconds)
        raise too_many(f"{said}; its limit is {limit}. Ask again in {seconds} s", limit, seconds)
