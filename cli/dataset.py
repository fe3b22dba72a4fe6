"""``clawstream dataset``: build, show, compare, verify and export datasets."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from clawstream.dataset.settings import DatasetSettings
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.settings import KafkaSettings, load


class _Folder(click.ParamType[Path]):
    """A dataset's folder; or a dataset's name, which is its newest version, or name and version."""

    name = "folder"

    def convert(self, value: Any, *_: Any) -> Path:
        """As ``folder_of`` has it."""
        from clawstream.dataset.planning import folder_of

        return folder_of(Path(load(DatasetSettings).folder), str(value))


_FOLDER = _Folder()


@click.group("dataset")
def dataset() -> None:
    """Datasets from topics: exact, versioned, with provenance."""


def _asking(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is asked of a row."""
    options = (
        click.option("--where", multiple=True, metavar="CONDITION", help="Only rows that fulfil it, as reward>=0.5."),
        click.option("--channel", default=None, metavar="A,B", help="Only these channels."),
        click.option("--tenant", default=None, metavar="A,B", help="Only these tenants."),
        click.option("--model", default=None, metavar="A,B", help="Only these models."),
        click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only what reviewers gave this tag."),
        click.option("--without-tag", "without_tags", multiple=True, metavar="TAG", help="Nothing with this tag."),
        click.option("--min-reward", default=None, type=float, help="No lower reward, and none without."),
        click.option("--max-reward", default=None, type=float, help="No higher reward, and none without."),
        click.option(
            "--since", default=None, type=click.DateTime(), help="Only what ended at this time (UTC) or later."
        ),
        click.option("--until", default=None, type=click.DateTime(), help="Only what ended before this time (UTC)."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataset.command("build")
@click.argument("name")
@click.option("--rows-from", type=click.Choice(["samples", "steps"]), default="samples", show_default=True)
@_asking
@click.option("--dedupe", type=click.Choice(["none", "tokens", "messages"]), default="none", show_default=True)
@click.option("--split", "splits", multiple=True, metavar="NAME=SHARE", help="Shares of groups  [default: train=1]")
@click.option("--seed", default="", help="Another one gives other splits.")
@click.option("--forget", multiple=True, metavar="TENANT[/TRAJECTORY]", help="Never in a row.")
@click.option("--reward-source", default=None, metavar="SOURCE", help="Whose newest reward counts, not the sample's.")
@click.option("--judged", default=None, metavar="NAME", help="Samples and rewards as replay --into NAME wrote them.")
@click.option("--offsets", multiple=True, metavar="RANGE", help="As steps[0]@10-200, not all that the topic holds.")
@click.option("--file-mib", default=256, show_default=True, type=click.IntRange(min=1))
@click.option("--like", type=click.Path(path_type=Path, exists=True), help="The very recipe of this manifest.")
@click.option("--output", type=click.Path(path_type=Path), help="The folder  [default: the next version]")
@click.pass_context
def build_(context: click.Context, /, name: str, like: Path | None, output: Path | None, **asked: Any) -> None:
    """Build the next version of the dataset NAME from what Kafka holds.

    With --like the same offsets and conditions again, on any machine, to the same bytes; --forget may be added.
    """
    from clawstream.dataset.building import build
    from clawstream.dataset.planning import again, next_version
    from clawstream.dataset.showing import lines_of
    from clawstream.streams.process.progress import shown

    settings, kafka = load(DatasetSettings), load(KafkaSettings, context.obj)
    folder = output or next_version(Path(settings.folder), name)
    wait_for_kafka(kafka, timeout_seconds=10)
    if like is not None and (others := _given(context) - {"name", "like", "forget", "output"}):
        raise click.UsageError(f"--like takes a whole recipe; beside it only --forget counts, not {', '.join(others)}")
    recipe = again(like, asked["forget"]) if like else _recipe(name, Path(settings.folder), kafka, asked)
    with shown() as watch:
        manifest = build(recipe, kafka, folder, watch)
    for line in lines_of(folder, manifest):
        click.echo(line)


@dataset.command("show")
@click.argument("folder", type=_FOLDER, required=False)
@click.option("--step", default=None, metavar="ID", help="Which datasets, samples and updates used this step.")
@click.pass_context
def show(context: click.Context, /, folder: Path | None, step: str | None) -> None:
    """Show the dataset in FOLDER (or of that name: its newest version), or a line for each version of every dataset."""
    from clawstream.dataset.lineage import in_datasets, in_updates
    from clawstream.dataset.manifest import read_manifest
    from clawstream.dataset.planning import all_versions
    from clawstream.dataset.showing import line_of, lines_of

    root = Path(load(DatasetSettings).folder)
    if step is not None:
        for line in (*in_datasets(step, root), *in_updates(step, load(KafkaSettings, context.obj))):
            click.echo(line)
        return
    if folder is not None:
        for line in lines_of(folder, read_manifest(folder)):
            click.echo(line)
        return
    for each in all_versions(root):
        click.echo(line_of(each, read_manifest(each)))


@dataset.command("diff")
@click.argument("before", type=_FOLDER)
@click.argument("after", type=_FOLDER)
def diff(before: Path, after: Path) -> None:
    """How the dataset in AFTER differs from that in BEFORE: what was asked, and row by row.

    Exit status: 0 when they are the same, 1 when not.
    """
    from clawstream.dataset.diffing import differences

    lines = list(differences(before, after))
    for line in lines:
        click.echo(line)
    sys.exit(1 if lines else 0)


@dataset.command("verify")
@click.argument("folder", type=_FOLDER)
@click.option("--rebuild", is_flag=True, help="Also build the recipe again and compare.")
@click.option("--without", default=None, metavar="TENANT[/TRAJECTORY]", help="Also: nothing of it is there.")
@click.pass_context
def verify(context: click.Context, /, folder: Path, rebuild: bool, without: str | None) -> None:
    """Check the files in FOLDER against its manifest.

    With --without: nothing of somebody is in the files, nor in what is built again once that is forgotten.
    Exit status: 0 when all is as it should be, 1 when not, each reason on a line.
    """
    from clawstream.dataset.verifying import damage, rebuilt_differently, traces, traces_in_rebuild
    from clawstream.streams.process.progress import shown

    kafka, problems = load(KafkaSettings, context.obj), list(damage(folder))
    with shown() as watch:
        if rebuild:
            problems += rebuilt_differently(folder, kafka, watch)
        if without is not None and not problems:
            problems += traces(folder, without)
            problems += [f"built again: {trace}" for trace in traces_in_rebuild(folder, without, kafka, watch)]
    for problem in problems:
        click.secho(problem, fg="red")
    if not problems:
        click.echo(f"{folder} is as its manifest says" + (f" and holds nothing of {without}" if without else ""))
    sys.exit(1 if problems else 0)


@dataset.command("export")
@click.argument("folder", type=_FOLDER)
@click.argument("form", type=click.Choice(["chat", "preferences", "huggingface", "verl"]))
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--pairs", type=click.Choice(["best", "all"]), default="best", show_default=True, help="Of preferences.")
@click.option("--margin", default=0.0, show_default=True, help="Between the rewards of a pair, at least.")
@click.option("--with-blobs", is_flag=True, help="Images and other large parts as they were sent, not references.")
@click.pass_context
def export_(context: click.Context, /, folder: Path, form: str, output: Path, with_blobs: bool, **options: Any) -> None:
    """Write the dataset in FOLDER into the folder OUTPUT in another form.

    chat: JSON lines for supervised tuning. preferences: pairs from groups, higher reward against lower.
    huggingface: a folder for datasets.load_dataset. verl: Parquet of prompts and of what was sampled for them.
    """
    from clawstream.dataset.exports import export
    from clawstream.streams.files.blobs import BlobStore
    from clawstream.streams.process.progress import shown

    blobs = BlobStore(load(KafkaSettings, context.obj).blob_url) if with_blobs else None
    with shown() as watch:
        written = export(folder, form, output, watch, blobs=blobs, **options)
    for split, count in written.items():
        click.echo(f"{output}: {split}: {count}")


def _recipe(name: str, root: Path, kafka: KafkaSettings, asked: dict[str, Any]) -> Any:
    """What the options ask, of the log as it is now."""
    from clawstream.dataset.manifest import Recipe
    from clawstream.dataset.planning import checked, following, planned
    from clawstream.dataset.splitting import read_splits

    recipe = Recipe(
        name=name,
        rows_from=asked["rows_from"],
        where=[checked(text) for text in _conditions(asked)],
        reward_source=asked["reward_source"],
        dedupe=asked["dedupe"],
        splits=read_splits(asked["splits"]) if asked["splits"] else {"train": 1.0},
        seed=asked["seed"],
        forgotten=sorted(set(asked["forget"])),
        file_mib=asked["file_mib"],
    )
    return planned(following(recipe, root), kafka, asked["judged"], asked["offsets"])


def _given(context: click.Context) -> set[str]:
    """The parameters that were written on the command line."""
    return {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}


def _conditions(asked: dict[str, Any]) -> list[str]:
    """All options that are conditions, as such."""
    found = [f"{name} in {asked[name]}" for name in ("channel", "tenant", "model") if asked[name]]
    found += [f"tags={tag}" for tag in asked["tags"]] + [f"tags!={tag}" for tag in asked["without_tags"]]
    for name, sign in (("min_reward", ">="), ("max_reward", "<=")):
        found += [f"reward{sign}{asked[name]!r}"] if asked[name] is not None else []
    for name, sign in (("since", ">="), ("until", "<")):
        found += [f"finished_at{sign}{asked[name].isoformat()}"] if asked[name] is not None else []
    return [*found, *asked["where"]]
