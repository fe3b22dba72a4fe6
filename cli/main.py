"""``clawstream``: the command line.

Invariant: a command parses its settings before it imports its app, so ``--help`` and a wrong flag answer at once.
"""

import importlib
import sys
from collections.abc import Callable
from typing import Any

import click

from clawstream.agents.errors import AgentError
from clawstream.cli.agents import agents
from clawstream.cli.console import console
from clawstream.cli.dataset import dataset
from clawstream.cli.dead import dead
from clawstream.cli.key import key
from clawstream.cli.lag import lag
from clawstream.cli.options import flags
from clawstream.cli.replay import replay
from clawstream.cli.tail import tail
from clawstream.cli.topics import topics
from clawstream.cli.weights import weights
from clawstream.dataset.errors import DatasetError
from clawstream.demo.settings import DemoSettings
from clawstream.gateway.settings import GatewaySettings
from clawstream.processors.settings import ProcessorsSettings
from clawstream.rollout.settings import RolloutSettings
from clawstream.streams.broker.settings import BrokerSettings
from clawstream.streams.errors import StreamError
from clawstream.streams.process.log import configure_logging
from clawstream.streams.settings import KafkaSettings, Section, SettingsError, load
from clawstream.trainer.settings import TrainerSettings
from clawstream.up.settings import UpSettings

_COMMANDS: tuple[tuple[str, type[Section], str, str], ...] = (
    ("up", UpSettings, "clawstream.up.command", "Everything, on this machine."),
    ("demo", DemoSettings, "clawstream.demo.command", "Up, plus agents that learn a task."),
    ("broker", BrokerSettings, "clawstream.streams.broker.command", "A local Apache Kafka."),
    ("gateway", GatewaySettings, "clawstream.gateway.command", "Answer agents and record what they do."),
    ("process", ProcessorsSettings, "clawstream.processors.command", "Run the stream processors."),
    ("rollout", RolloutSettings, "clawstream.rollout.command", "One vLLM node that follows the weights."),
    ("train", TrainerSettings, "clawstream.trainer.command", "Learn from samples and publish weights."),
)

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--bootstrap-servers", default=None, help="Kafka brokers as host:port, over settings and environment.")
@click.option("--log-level", default="INFO", type=click.Choice(_LEVELS, case_sensitive=False), show_default=True)
@click.pass_context
def cli(context: click.Context, bootstrap_servers: str | None, log_level: str) -> None:
    """ClawStream: the event-streaming data plane for agentic reinforcement learning on Apache Kafka.

    Settings come from clawstream.toml (or the file that CLAWSTREAM_CONFIG names), then from CLAWSTREAM_<SECTION>_<KEY>
    variables, then from flags; the later one wins.
    """
    context.obj = {"bootstrap_servers": bootstrap_servers}
    context.meta["log_level"] = log_level


def _command(name: str, model: type[Section], module: str, summary: str) -> click.Command:
    @click.command(name, help=summary)
    @flags(model)
    @click.pass_context
    def command(context: click.Context, /, **given: Any) -> None:
        configure_logging(name, context.meta["log_level"])
        settings, kafka = load(model, given), load(KafkaSettings, context.obj)
        run: Callable[[Section, KafkaSettings], int] = importlib.import_module(module).run
        sys.exit(run(settings, kafka))

    return command


for _entry in _COMMANDS:
    cli.add_command(_command(*_entry))
cli.add_command(console)
cli.add_command(key)
cli.add_command(lag)
cli.add_command(tail)
cli.add_command(topics)
cli.add_command(dead)
cli.add_command(dataset)
cli.add_command(replay)
cli.add_command(agents)
cli.add_command(weights)


def main() -> None:
    """Run the command line; what a user can mend is said in one sentence on stderr, with exit status 2."""
    try:
        cli(prog_name="clawstream")
    except (SettingsError, StreamError, AgentError, DatasetError) as error:
        click.secho(f"clawstream: {error}", fg="red", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
