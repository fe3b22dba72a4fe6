"""A byte-level BPE made on the spot, and the chat template that goes with it.

Invariants:

* Every digit is a token of its own, so a number is copied digit by digit.
* No token crosses a newline. A reply starts right after the newline of ``<|im_start|>assistant`` and so never merges
  with its prompt; and since the template writes tool calls exactly as the model is taught to write them, the prompt of
  a turn begins with the prompt and the reply of the turn before it, token for token.

Merges may cross spaces: the fixed phrases of a small task are a few tokens each, which keeps its sequences short.
"""

from collections.abc import Iterable
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"
CALL_START, CALL_END = "<tool_call>", "</tool_call>"
CHAT_TEMPLATE = """\
{%- if tools -%}
<|im_start|>tools
{% for tool in tools -%}
{{ tool.function.name }}({{ (tool.function.parameters or {}).get('properties', {}) | join(', ') }})
{% endfor -%}
<|im_end|>
{% endif -%}
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content if message.content else '' }}
{%- for call in message.tool_calls or [] -%}
{%- set arguments = call.function.arguments -%}
{{ '\\n' if not loop.first else '' }}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ arguments if arguments is string else arguments | tojson }}}
</tool_call>
{%- endfor -%}
<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""


def make_tokenizer(texts: Iterable[str], *, vocab_size: int) -> Any:
    """A transformers tokenizer with :data:`CHAT_TEMPLATE`, its merges learned from ``texts``.

    The marks of tool calls are ordinary tokens: a special one would be dropped from the text that vLLM parses.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d|\n"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in (PAD, START, END)])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in (CALL_START, CALL_END)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
