"""Where things are. Pure."""

from urllib.parse import urlencode

from clawstream.console.index.filters import Filter


def trajectory(trajectory_id: str, step_id: str = "", tab: str = "") -> str:
    """The page of a trajectory, or of one of its steps."""
    said = {"id": trajectory_id} | ({"step": step_id} if step_id else {}) | ({"tab": tab} if tab else {})
    return f"/trajectory?{urlencode(said)}"


def trajectories(wanted: Filter) -> str:
    """A list."""
    said = wanted.write()
    return f"/trajectories?{urlencode(said)}" if said else "/trajectories"


def update(update_id: str) -> str:
    """The page of an update."""
    return f"/update?{urlencode({'id': update_id})}"


def raw(topic: str, record_id: str) -> str:
    """A record as JSON."""
    return f"/raw?{urlencode({'topic': topic, 'id': record_id})}"


def login(after: str) -> str:
    """The page that asks for a key."""
    return f"/login?{urlencode({'next': after})}"


def inside(path: str) -> str:
    """``path`` when it leads to a page of ours, else the first page."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


def problem(sentence: str) -> str:
    """What the log-in page says, as a part of its URL."""
    return urlencode({"problem": sentence[:300]})


def dataset_file(name: str, path: str) -> str:
    """A file of a version of a dataset."""
    return f"/dataset?{urlencode({'name': name, 'path': path})}"
