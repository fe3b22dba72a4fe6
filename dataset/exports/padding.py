"""Rows of an export for verl as the arrays of a ``DataProto``. Pure; verl itself is not needed.

Invariant: nothing is cut; a row that does not fit is an error that names it. Prompts are padded on the left and
responses on the right, as verl has them::

    DataProto.from_dict(tensors={k: torch.from_numpy(v) for k, v in padded(rows, 1024, 4096, pad_id).items()})
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clawstream.dataset.errors import DatasetError


def padded(
    rows: Sequence[Mapping[str, Any]], prompt_length: int, response_length: int, pad_token_id: int
) -> dict[str, NDArray[Any]]:
    """``prompts [N, P]``, ``responses``, ``response_mask``, ``rollout_log_probs`` and ``rm_scores [N, R]``,
    ``input_ids``, ``attention_mask`` and ``position_ids [N, P + R]``; a reward stands at the last token."""
    count = len(rows)
    prompts = np.full((count, prompt_length), pad_token_id, np.int64)
    responses = np.full((count, response_length), pad_token_id, np.int64)
    attention = np.zeros((count, prompt_length + response_length), np.int64)
    mask = np.zeros((count, response_length), np.int64)
    logprobs, scores = np.zeros((2, count, response_length), np.float32)
    for number, row in enumerate(rows):
        asked, said = len(row["prompts"]), len(row["responses"])
        if asked > prompt_length or said > response_length:
            name = row["extra_info"]["row_id"]
            raise DatasetError(
                f"row {number} ({name}) has {asked} tokens of a prompt and {said} of a response; "
                f"there is room for {prompt_length} and {response_length}"
            )
        prompts[number, prompt_length - asked :] = row["prompts"]
        responses[number, :said] = row["responses"]
        attention[number, prompt_length - asked : prompt_length + said] = 1
        mask[number, :said] = row["response_mask"]
        logprobs[number, :said] = row["rollout_log_probs"]
        scores[number, said - 1] = row["reward"] or 0.0
    return {
        "prompts": prompts,
        "responses": responses,
        "input_ids": np.concatenate([prompts, responses], axis=1),
        "attention_mask": attention,
        "position_ids": np.maximum(attention.cumsum(axis=1) - 1, 0),
        "response_mask": mask,
        "rollout_log_probs": logprobs,
        "rm_scores": scores,
    }
