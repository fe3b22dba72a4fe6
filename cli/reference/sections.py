"""The sections of the settings file, each with its model."""

from clawstream.agents.settings import AgentsSettings
from clawstream.console.settings import ConsoleSettings
from clawstream.dataset.settings import DatasetSettings
from clawstream.demo.settings import DemoSettings
from clawstream.gateway.settings import GatewaySettings
from clawstream.processors.settings import ProcessorsSettings
from clawstream.rollout.settings import RolloutSettings
from clawstream.streams.broker.settings import BrokerSettings
from clawstream.streams.settings import KafkaSettings, Section
from clawstream.trainer.settings import TrainerSettings
from clawstream.up.settings import UpSettings

MODELS: dict[str, type[Section]] = {
    model.section: model
    for model in (
        KafkaSettings,
        BrokerSettings,
        GatewaySettings,
        ProcessorsSettings,
        TrainerSettings,
        RolloutSettings,
        ConsoleSettings,
        AgentsSettings,
        DatasetSettings,
        UpSettings,
        DemoSettings,
    )
}
