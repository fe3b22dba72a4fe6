"""``clawstream key``: a new API key, and what of it goes into the gateway's keys file."""

import click

from clawstream.gateway.callers.keys import digest_of, new_key


@click.command("key")
@click.argument("tenant", default="default")
def key(tenant: str) -> None:
    """Make an API key of TENANT and print it, with the lines for the file that gateway.keys_file names.

    The key is shown this once; only its hash is kept.
    """
    made = new_key()
    click.echo(f'# key: {made}\n[{tenant}]\nkeys = ["{digest_of(made)}"]')
