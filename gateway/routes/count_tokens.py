"""Anthropic's ``count_tokens``: how long the prompt of a message would be. Nothing is sampled, nothing is recorded."""

from aiohttp import web

from clawstream.gateway.chat.request import read_chat
from clawstream.gateway.context import GATEWAY, TENANT_KEY
from clawstream.gateway.dialects.messages_request import chat_body, tokenizer_body
from clawstream.gateway.reading import read_object


async def count_tokens(request: web.Request) -> web.Response:
    """The count, from a node's tokenizer and chat template."""
    gateway = request.app[GATEWAY]
    chat = chat_body(read_object(await request.read()), counting=True)
    asked = gateway.addressed(request[TENANT_KEY], read_chat(chat))
    with gateway.place(request[TENANT_KEY]):
        count = await gateway.node_client.count_tokens(asked.model, tokenizer_body(chat))
    return web.json_response({"input_tokens": count})
