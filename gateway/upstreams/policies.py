"""Which model answers whom, where nodes serve LoRA adapters beside their model. Pure.

Invariant: with a keys file an adapter answers the tenant whose ``policy`` it is, whatever name that tenant asks for,
and nobody else. Until a node serves it, the model does: an adapter's version 0 changes nothing::

    [acme] policy = "policy-acme"      acme asks for "gpt-5"         policy-acme
    [other]                            other asks for "policy-acme"  the whole model, also where no node serves it yet
"""

from collections.abc import Callable, Iterable

from clawstream.schemas import NodeStatus


def model_for(
    policy: str | None, model: str | None, nodes: Callable[[], Iterable[NodeStatus]], *, several: bool
) -> str | None:
    """The model to ask for. ``policy``: the tenant's own; ``model``: the one named; ``several``: tenants there can be;
    ``nodes``: looks for live ones. ``None``: a whole one, whichever is served."""
    if policy is not None:
        return policy
    if not several:
        return model
    whole = {status.model for status in nodes() if status.base is None}
    return model if model in whole else None  # what is no whole model now may be an adapter soon


def visible(policy: str | None, nodes: Iterable[NodeStatus], *, several: bool) -> list[NodeStatus]:
    """Of ``nodes`` those that a tenant may know of."""
    return [each for each in nodes if each.base is None or not several or each.model == policy]
