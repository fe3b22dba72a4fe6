import subprocess
import sys

from click.testing import CliRunner

from clawstream.cli.main import cli
from clawstream.gateway.callers.keys import digest_of, read_keys, tenant_of

COMMANDS = {
    "agents",
    "broker",
    "console",
    "dataset",
    "dead",
    "demo",
    "gateway",
    "key",
    "lag",
    "process",
    "replay",
    "rollout",
    "tail",
    "topics",
    "train",
    "up",
    "weights",
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clawstream.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_every_command_is_there_and_explains_itself() -> None:
    assert set(cli.commands) == set(COMMANDS)
    for name in sorted(COMMANDS):
        shown = CliRunner().invoke(cli, [name, "--help"])
        assert shown.exit_code == 0, shown.output
        assert "Usage: " in shown.output


def test_a_new_key_comes_with_its_entry_for_the_keys_file() -> None:
    printed = CliRunner().invoke(cli, ["key", "acme"]).output
    made = printed.splitlines()[0].removeprefix("# key: ")
    assert tenant_of(digest_of(made), read_keys(printed)) == "acme"


def test_help_imports_no_heavy_library() -> None:
    heavy = ("torch", "faust", "vllm", "aiohttp", "httpx", "pyarrow", "nicegui", "fastapi", "tokenizers")
    source = f"import sys, clawstream.cli.main; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", source], text=True).strip() == "[]"


def test_a_wrong_value_gets_one_sentence() -> None:
    failed = run("gateway", "--port", "many")
    assert failed.returncode == 2
    assert failed.stderr.startswith("clawstream: [gateway] port (from flags): Input should be a valid integer")
    assert "Traceback" not in failed.stderr


def test_no_kafka_gets_one_sentence() -> None:
    failed = run("--bootstrap-servers", "127.0.0.1:1", "topics", "--check")
    assert failed.returncode == 2
    assert "no Kafka broker at 127.0.0.1:1" in failed.stderr
    assert "Traceback" not in failed.stderr
