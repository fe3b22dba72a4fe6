"""What of a sample the model that is trained has sampled. Pure.

Invariant: every version in what is left counts the versions of that model. Nodes that serve adapters never change the
model beside which these lie, so its version 0 is each adapter's version 0 (decision 0025); its later versions, which
other nodes may serve, are another policy::

    trained: policy-acme, an adapter of policy
    policy@0 | policy-acme@2 | policy@7 | policy-other@2          policy@0 | policy-acme@2 | the others do not train
"""

from msgspec.structs import replace

from clawstream.schemas import Sample
from clawstream.schemas.reading.sequences import sampled_by, without


def own_part(sample: Sample, model: str, base: str) -> Sample:
    """``sample`` with the steps that ``model`` sampled, perhaps none; ``base``: whose adapter it is, empty: nobody's.

    A step that names no model counts as its own.
    """
    others = {
        step_id
        for sequence in sample.sequences
        for step_id, named, version in sampled_by(sequence)
        if named not in ("", model) and (named, version) != (base, 0)
    }
    if not others:
        return sample
    left = (without(sequence, others) for sequence in sample.sequences)
    return replace(
        sample,
        sequences=[sequence for sequence in left if sequence.responses],
        step_ids=[step_id for step_id in sample.step_ids if step_id not in others],
    )


def models_of(sample: Sample) -> str:
    """The models that sampled it, for a sentence."""
    models = {span.model for sequence in sample.sequences for span in sequence.responses}
    return ", ".join(sorted(model or "no model" for model in models))
