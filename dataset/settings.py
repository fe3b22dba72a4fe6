"""Settings of datasets."""

from pydantic import Field

from clawstream.streams.settings import Section


class DatasetSettings(Section):
    """Where datasets lie."""

    section = "dataset"
    folder: str = Field(default="runs/datasets", description="folder that holds every dataset, one folder a version")
