from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import Result
from flwr.common.config import parse_config_args
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from glean.cli.app import app
from glean.cli.certificates import node_config, superlink_command, supernode_command
from glean.errors import CertificateError
from glean.node_settings import NodeSettings
from glean.privacy.members import folder_name

HOST = "glean.example.org"
PAGE = Path(__file__).parents[2] / "docs" / "deployment.md"


def certificates(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["certificates", *map(str, words)])


def commands(output: str, program: str) -> list[list[str]]:
    """The words of each command that is printed, as a shell takes them."""
    found = re.findall(rf"^  {program} .*(?:\n    .*)*", output, re.MULTILINE)
    return [shlex.split(text.replace("\\\n", " ")) for text in found]


def options(words: list[str]) -> dict[str, str]:
    """What follows each option of a command."""
    pairs = zip(words, [*words[1:], ""], strict=True)
    return {word: after for word, after in pairs if word.startswith("--")}


def test_it_says_what_comes_next(tmp_path: Path) -> None:
    """The SuperLink on this machine alone, the connection, a key for each, a node for each.

    Every path in the operator's part is of a file that is there.
    """
    folder = tmp_path / "our keys"
    bakeries = ("--bakery", "Rue Mouffetard", "--bakery", "L'Atelier")
    done = certificates(folder, "--host", HOST, "--host", "192.0.2.7", *bakeries)
    assert done.exit_code == 0, done.output
    (superlink,) = commands(done.output, "flower-superlink")
    given = options(superlink)
    assert (given["--host"], given["--port"]) == ("127.0.0.1", "8000")
    assert {"--enable-supernode-auth", "--disable-runtime-dependency-installation"} <= set(given)
    files = {
        "--ssl-ca-certfile": "ca.crt",
        "--ssl-certfile": "server.pem",
        "--ssl-keyfile": "server.key",
    }
    assert {option: Path(given[option]) for option in files} == {
        option: folder / name for option, name in files.items()
    }
    assert all((folder / name).is_file() for name in files.values())
    keys = [words[-2:] for words in commands(done.output, "flwr supernode register")]
    homes = [folder / "bakeries" / name for name in ("Rue-Mouffetard", "L-Atelier")]
    assert keys == [[str(home / "node-key.pub"), "bakeries"] for home in homes]
    assert all((home / "node-key.pub").is_file() for home in homes)
    nodes = [options(words) for words in commands(done.output, "flower-supernode")]
    assert [node["--superlink"] for node in nodes] == [f"{HOST}:443"] * 2
    told = [NodeSettings.from_config(parse_config_args([node["--node-config"]])) for node in nodes]
    assert [node.bakery for node in told] == ["Rue Mouffetard", "L'Atelier"]
    assert {node.sales for node in told} == {"/srv/bakery/sales.csv"}
    assert {node.home for node in told} == {"/srv/bakery/glean"}
    assert {node.model_key for node in told} == {"/srv/bakery/keys/model-key.pub"}
    export = f"export GLEAN_MEMBERS='{folder}/members.json' GLEAN_MODEL_KEY='{folder}/model-key'"
    assert f"\n  {export}\n  flower-superlink" in done.output
    for home in homes:
        assert f"to which {home} goes as /srv/bakery/keys" in done.output
    assert f"for {HOST}, 192.0.2.7, localhost, 127.0.0.1, ::1, until 20" in done.output


def test_the_connection_is_as_flower_reads_it(tmp_path: Path) -> None:
    """A stanza of TOML, whatever the folder is called."""
    folder = tmp_path / 'a "b" ü 🥐'
    done = certificates(folder, "--host", HOST)
    assert done.exit_code == 0, done.output
    (stanza,) = re.findall(r"^  \[superlink\.bakeries\]\n(?:  \S.*\n)+", done.output, re.MULTILINE)
    assert tomllib.loads(stanza)["superlink"]["bakeries"] == {
        "address": "127.0.0.1:8000",
        "root-certificates": str(folder / "ca.crt"),
    }


def test_it_never_prints_a_secret(tmp_path: Path) -> None:
    """What is printed ends up in scroll-back and tickets."""
    output = certificates(tmp_path / "keys", "--host", HOST, "--bakery", "Nord").output
    keys = [path for path in (tmp_path / "keys").rglob("*") if path.name.endswith("key")]
    lines = {line for path in keys for line in path.read_text().splitlines()}
    assert len(keys) == 5
    assert not [line for line in lines if line in output]


def test_a_bakery_makes_its_own_keys_and_the_operator_holds_public_halves(tmp_path: Path) -> None:
    """No private half is on the operator's side; the commands are the same."""
    shop, keys = tmp_path / "shop", tmp_path / "keys"
    made = certificates(shop, "--own", "Rue Mouffetard")
    assert made.exit_code == 0, made.output
    assert (shop / "node-key").stat().st_mode & 0o077 == 0
    assert (shop / "signing-key").stat().st_mode & 0o077 == 0
    done = certificates(keys, "--host", HOST, "--member", shop / "member.json")
    assert done.exit_code == 0, done.output
    home = keys / "bakeries" / "Rue-Mouffetard"
    assert {path.name for path in home.iterdir()} == {
        *("node-key.pub", "ca.crt", "members.json", "model-key.pub"),
    }
    private = {path.name for path in keys.rglob("*key") if path.is_file()}
    assert private == {"ca.key", "server.key", "model-key"}
    assert (home / "node-key.pub").read_bytes() == (shop / "node-key.pub").read_bytes()
    goes = f"to which ca.crt, members.json and model-key.pub of {home} go, into /srv/bakery/keys"
    assert goes in done.output
    (register,) = commands(done.output, "flwr supernode register")
    assert register[-2] == str(home / "node-key.pub")
    assert len(commands(done.output, "flower-supernode")) == 1


def test_members_compare_fingerprints(tmp_path: Path) -> None:
    """What a bakery reads out when it makes its keys, the others see in their list."""
    said = [certificates(tmp_path / name, "--own", name).output for name in ("Nord", "Süd")]
    read = [re.findall(r"signing key: (.*)", output)[0] for output in said]
    files = [tmp_path / name / "member.json" for name in ("Nord", "Süd")]
    certificates(tmp_path / "keys", "--host", HOST, "--member", files[0], "--member", files[1])
    shown = certificates(tmp_path / "keys", "--fingerprints").output
    of_members, _, of_the_server = shown.removesuffix("\n").rpartition("\n")
    assert of_members == f"{read[0]}  Nord\n{read[1]}  Süd"
    assert of_the_server.endswith("  (the server's key for models)")
    assert len(set(read)) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--own", "Nord", "--host", HOST], "wanted it alone"),
        (["--own", "Nord", "--fingerprints"], "wanted it alone"),
        (["--own", " "], "wanted a name of at most 80 characters"),
        (["--fingerprints"], "members.json can't be read"),
        (["--host", HOST, "--member", "nowhere.json"], "nowhere.json can't be read"),
    ],
)
def test_bad_words_about_own_keys_end_with_2(words: list[str], said: str, tmp_path: Path) -> None:
    """And a message; no folder is made."""
    done = certificates(tmp_path / "keys", *words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "keys").exists()


def test_own_keys_are_never_overwritten(tmp_path: Path) -> None:
    """A second call names what is there, and leaves it."""
    certificates(tmp_path, "--own", "Nord")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = certificates(tmp_path, "--own", "Nord")
    assert done.exit_code == 2
    assert "found node-key, node-key.pub, signing-key, member.json" in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("damage", ["signing_key", "node_key", "two", "no list"])
def test_public_halves_that_are_none_are_refused(damage: str, tmp_path: Path) -> None:
    """Before anything is written: keys swapped, another line, two members, no list."""
    certificates(tmp_path / "shop", "--own", "Nord")
    path = tmp_path / "shop" / "member.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    member = content["members"][0]
    if damage == "two":
        content["members"].append(member | {"bakery": "Süd"})
    elif damage == "no list":
        content = {}
    else:
        member[damage] = {"signing_key": member["node_key"], "node_key": "ssh-rsa AAAA"}[damage]
    path.write_text(json.dumps(content), encoding="utf-8")
    done = certificates(tmp_path / "keys", "--host", HOST, "--member", path)
    assert done.exit_code == 2
    said = " ".join(done.stderr.split())
    assert "shop/member.json" in said
    assert "wanted" in said
    assert "KeyError" not in said
    assert not (tmp_path / "keys").exists()


def test_a_later_bakery_needs_less(tmp_path: Path) -> None:
    """Its key is registered and its node started, by the name that the server already has."""
    certificates(tmp_path / "keys", "--host", "2001:db8::7", "--bakery", "Nord")
    done = certificates(tmp_path / "keys", "--bakery", "Süd")
    assert done.exit_code == 0, done.output
    assert not commands(done.output, "flower-superlink")
    assert len(commands(done.output, "flwr supernode register")) == 1
    (node,) = commands(done.output, "flower-supernode")
    assert options(node)["--superlink"] == "[2001:db8::7]:443"
    assert "members.json is new in all folders" in done.output


def test_a_new_certificate_needs_a_new_start(tmp_path: Path) -> None:
    """That is all that is said then."""
    folder = tmp_path / "keys"
    certificates(folder, "--host", HOST, "--bakery", "Nord")
    for name in ("server.pem", "server.key"):
        (folder / name).rename(tmp_path / name)
    done = certificates(folder, "--host", "new.example.org")
    assert done.exit_code == 0, done.output
    assert "start the SuperLink anew" in done.output
    assert not commands(done.output, "f[a-z-]*")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "https://a.example.org"], "wanted a name like glean.example.org"),
        (["--host", HOST, "--bakery", ""], "wanted a name of at most 80 characters"),
        (["--bakery", "Nord"], "wanted the server's name or address by --host"),
    ],
)
def test_bad_words_end_with_2(words: list[str], said: str, tmp_path: Path) -> None:
    """And a message, not a traceback; no folder is made."""
    done = certificates(tmp_path / "keys", *words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "keys").exists()


def test_a_second_call_is_refused(tmp_path: Path) -> None:
    """It names each thing that is there already."""
    words = ("--host", HOST, "--bakery", "Nord")
    assert certificates(tmp_path / "keys", *words).exit_code == 0
    done = certificates(tmp_path / "keys", *words)
    assert done.exit_code == 2
    for name in ("'Nord' is a member", "server.pem is there", "server.key is there"):
        assert name in done.stderr


def test_the_page_has_the_same_commands() -> None:
    """A SuperLink's and a SuperNode's, in docs/deployment.md and as printed here."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.findall(
        r"^(?:ExecStart=/srv/\w+/venv/bin/)?(flower-super\S+ \\\n(?:    .*\n)+)", page, re.MULTILINE
    )
    typed = [shlex.split(text.replace("\\\n", " ")) for text in found]
    node = supernode_command("Rue Mouffetard", host=HOST)
    assert typed == [superlink_command(Path("/srv/glean/keys")), node]


def accepted(name: str) -> bool:
    try:
        return bool(folder_name(name))
    except CertificateError:
        return False


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(accepted))
def test_flower_reads_every_accepted_name(bakery: str) -> None:
    """A name that keys can be made for comes out of Flower's node config as it was."""
    assert parse_config_args([node_config(bakery)])["bakery"] == bakery


@pytest.mark.parametrize("bakery", ["Rue Mouffetard", "L'Atelier", "$HOME `id` !x", "a=b; c & d"])
def test_a_shell_passes_the_printed_config_on(bakery: str, tmp_path: Path) -> None:
    """What is copied from the terminal reaches the SuperNode unchanged."""
    output = certificates(tmp_path / "keys", "--host", HOST, "--bakery", bakery).output
    (printed,) = re.findall(r"^    --node-config (.*)$", output, re.MULTILINE)
    shell = ["bash", "-c", f"printf %s {printed}"]
    passed = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
    assert parse_config_args([passed])["bakery"] == bakery
