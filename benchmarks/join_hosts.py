"""An operator and six bakeries, each a host of its own: commands typed and time to the first round.

Each is a network namespace of this machine with an address on one bridge, so that nothing is
shared but wires; needs iproute2, curl and root. Run `python -m benchmarks.join_hosts`: it builds
the wheel and installs it with pip into one environment for the operator and one for the bakeries;
--operator and --shop take environments that are there. Then five bakeries join, a run is started, a
sixth joins, and what has to be refused is tried.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.network_hosts import IP, NETWORK, Host, hosts
from glean.sales.synthetic.bakeries import synthetic_bakery

ROOT = Path(__file__).parents[1]
OPERATOR = f"{NETWORK}.1"
LIMIT_S = 300.0


def wait_for(log: Path, words: str) -> None:
    """Wait until a command has said something."""
    deadline = time.monotonic() + LIMIT_S
    while words not in log.read_text("utf-8", "replace"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{log} doesn't say {words!r}:\n{log.read_text('utf-8', 'replace')}")
        time.sleep(0.2)


def install(folder: Path, extra: str, given: Path | None) -> tuple[Path, float]:
    """Make an environment with the wheel; where it is, and the seconds that took."""
    if given is not None:
        return given, 0.0
    wheels = folder / "wheel"
    if not wheels.exists():
        words: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        words += ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels, ROOT]
        subprocess.run(words, check=True)
    (wheel,) = wheels.glob("*.whl")
    begin = time.monotonic()
    target = folder / f"with-{extra}"
    subprocess.run([sys.executable, "-m", "venv", target], check=True)
    pins: list[str | Path] = ["-c", ROOT / "constraints.txt"]
    pip: list[str | Path] = [target / "bin" / "pip", "install", "-q", *pins, f"{wheel}[{extra}]"]
    subprocess.run(pip, check=True)
    return target, time.monotonic() - begin


def links_of(said: str) -> list[str]:
    """Invitations in what `glean invite` printed."""
    return re.findall(r"^https://\S+$", said, re.MULTILINE)


def join(host: Host, link: str, table: Path) -> Path:
    """Join; where its words go."""
    return host.leave_running(
        "join", link, "--sales", table, "--trust", "operator", "--privacy", "sums"
    )


def refused(host: Host, link: str, table: Path) -> str:
    """Try an invitation that is no good; the last line of what was said."""
    result = host.type("join", link, "--sales", table, "--home", "elsewhere", counts=False)
    assert result.returncode != 0, result.stdout
    return (result.stderr or result.stdout).strip().splitlines()[-1]


def main() -> int:
    """Print what was typed, what it took, and what was refused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--operator", type=Path)
    parser.add_argument("--shop", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="join-hosts-") as scratch:
        folder = Path(scratch)
        operator, operator_s = install(folder, "simulation", args.operator)
        shop, shop_s = install(folder, "shop", args.shop)
        print(f"installation: operator {operator_s:.0f} s, a bakery {shop_s:.0f} s")
        names = ["operator", *(f"shop{k}" for k in range(1, 7))]
        with hosts(names, folder, [operator, *[shop] * 6]) as (first, *shops):
            measure(first, shops, installed_s=(operator_s, shop_s))
    return 0


def measure(operator: Host, shops: Sequence[Host], *, installed_s: tuple[float, float]) -> None:
    """Go through all of it."""
    begin = time.monotonic()
    log = operator.leave_running("serve", "--init", "--public", OPERATOR)
    wait_for(log, "invite a bakery")
    bakeries = [synthetic_bakery(k) for k in range(6)]
    invited = links_of(operator.type("invite", *(b.name for b in bakeries[:5])).stdout)
    ready = time.monotonic() - begin
    print(f"operator: serves and has invited after {ready:.0f} s")
    tables = []
    for host, bakery in zip(shops, bakeries, strict=True):
        tables.append(host.home / "my.csv")
        bakery.table.rows.drop(columns="bakery").to_csv(tables[-1], index=False)
    for host, link, table in zip(shops[:5], invited, tables, strict=False):
        start = time.monotonic()
        wait_for(join(host, link, table), "connected")
        print(f"{host.name}: joined and connected after {time.monotonic() - start:.0f} s")
    start = time.monotonic()
    settings = [
        "privacy=sums",
        "min-available-bakeries=5",
        "num-server-rounds=3",
        "baselines=false",
    ]
    run = operator.leave_running("run", "bakeries", *(f"--set={s}" for s in settings))
    events = operator.home / "results" / "latest" / "events.jsonl"
    while not (events.exists() and "round_finished" in events.read_text("utf-8")):
        if time.monotonic() - start > LIMIT_S:
            raise TimeoutError(run.read_text("utf-8"))
        time.sleep(0.2)
    print(f"first round {time.monotonic() - start:.0f} s after `glean run`")
    total = time.monotonic() - begin + sum(installed_s)
    print(f"from nothing to the first round: {total / 60:.1f} min, one bakery after the other")
    (late,) = links_of(operator.type("invite", bakeries[5].name, counts=False).stdout)
    wait_for(join(shops[5], late, tables[5]), "connected")
    wait_for(run, "report:")
    # With noise: sums of six beside those of five would tell the sixth's, and bakeries refuse that.
    again = operator.type("run", "bakeries", "--set=min-available-bakeries=6", counts=False)
    record = json.loads((operator.home / "results" / "latest" / "run.json").read_text("utf-8"))
    print(f"a sixth joined; the run with six: {record['status']} {record.get('reason') or ''}")
    assert again.returncode == 0, again.stderr
    print(f"commands of the operator: pip install, {', '.join(operator.commands)}")
    print(f"commands of a bakery: pip install, {', '.join(shops[0].commands)}")
    print("refused:")
    for what, link in bad_links(operator, invited[0]).items():
        print(f"  {what}: {refused(shops[5], link, tables[5])}")
    print(f"  a stranger's requests: {unregistered_requests(shops[5])}")


def bad_links(operator: Host, used: str) -> dict[str, str]:
    """Invitations that are no good, each in its way."""
    head, code = used.split("#1.")
    (withdrawn,) = links_of(operator.type("invite", "Nobody", counts=False).stdout)
    operator.type("invite", "Nobody", "--withdraw", counts=False)
    (expired,) = links_of(operator.type("invite", "Too Late", counts=False).stdout)
    database = operator.home / "results" / ".service" / "service.db"
    subprocess.run(
        [
            sys.executable, "-c",
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(\"update invitations "
            "set expires_at = '2020-01-01T00:00:00+00:00' where bakery = 'Too Late'\"); c.commit()",
            database,
        ],
        check=True,
    )  # fmt: skip
    other = "A" if code[-1] != "A" else "Q"
    return {
        "used": used,
        "withdrawn": withdrawn,
        "expired": expired,
        "forged": f"{head}#1.{code[:-20]}{'A' * 19}{other}",
        "another's fingerprint": f"{head}#1.{'B' * 8}{code[8:]}",
        "another server": used.replace(OPERATOR, f"{NETWORK}.2"),
        "no link": "https://example.org/",
    }


def unregistered_requests(host: Host) -> str:
    """Say what a host without a key gets at the operator's port."""
    asked = [
        "/", "/join", "/join/ca.crt", "/api/v1/runs", "/v1/fleet/pull-messages",
        "/v1/control/start-run", "/v1/members/self", "/health", "/docs",
    ]  # fmt: skip
    found = []
    for path in asked:
        curl = [
            "curl",
            "-sk",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-X",
            "POST" if "fleet" in path else "GET",
        ]
        done = subprocess.run(
            [IP, "netns", "exec", host.name, *curl, f"https://{OPERATOR}:8700{path}"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        found.append(f"{path} {done.stdout}")
    return ", ".join(found)


if __name__ == "__main__":
    if not IP or os.geteuid() != 0:
        sys.exit("wanted iproute2 (ip) and root: each host is a network namespace")
    sys.exit(main())
