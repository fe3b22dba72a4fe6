"""A dataset in words, for people. Pure."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from clawstream.dataset.manifest import Manifest, Recipe


def line_of(folder: Path, manifest: Manifest) -> str:
    """A dataset in a line."""
    built = manifest.built
    return (
        f"{manifest.recipe.name}/{folder.name}  {built.rows} rows of {built.groups} groups  {built.content_sha256[:12]}"
    )


def lines_of(folder: Path, manifest: Manifest) -> Iterator[str]:
    """All that is to be known of it."""
    recipe, built = manifest.recipe, manifest.built
    yield line_of(folder, manifest)
    yield f"content      {built.content_sha256}"
    yield f"parent       {recipe.parent or 'none'}"
    yield f"rows from    {recipe.rows_from}"
    for each in recipe.ranges:
        yield f"read         {each.prefix}{each.topic}[{each.partition}] {each.start} to {each.end}"
    for topic, ids in sorted(built.schema_ids.items()):
        yield f"schemas      {topic}: {', '.join(map(str, ids))}"
    yield from asked(recipe)
    yield f"curated      {built.curated} statements"
    for reason, count in sorted(built.left_out.items()):
        yield f"left out     {count}: {reason}"
    rows = Counter[str]()
    for file in built.files:
        rows[file.split] += file.rows
    for split, count in sorted(rows.items()):
        yield f"split        {split}: {count} rows"
    for file in built.files:
        yield f"file         {file.path}  {file.rows} rows  {file.size_bytes} bytes  {file.sha256[:12]}"
    yield f"built by     {', '.join(f'{name} {number}' for name, number in sorted(built.software.items()))}"


def asked(recipe: Recipe) -> Iterator[str]:
    """What was asked of rows."""
    for text in recipe.where:
        yield f"where        {text}"
    for whose in recipe.forgotten:
        yield f"forgotten    {whose}"
    if recipe.reward_source is not None:
        yield f"reward       of {recipe.reward_source}"
    yield f"duplicates   {'stay' if recipe.dedupe == 'none' else f'by {recipe.dedupe} go'}"
    yield f"splits       {', '.join(f'{name}={share:g}' for name, share in recipe.splits.items())}"
