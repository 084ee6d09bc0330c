"""By which names and addresses a machine is reached on its own network, without asking anybody."""

from __future__ import annotations

import ipaddress
import re
import socket

import psutil

_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def lan_hosts() -> list[str]:
    """List them, the one for a phone first: addresses of private networks, then the name."""
    addresses = sorted(_addresses(), key=lambda each: (not each.is_private, int(each)))
    name = socket.gethostname().partition(".")[0].lower()
    names = [name, f"{name}.local"] if _NAME.fullmatch(name) else []
    return [*map(str, addresses), *names]


def _addresses() -> set[ipaddress.IPv4Address]:
    found = {
        ipaddress.IPv4Address(entry.address)
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET
    }
    return {each for each in found if not (each.is_loopback or each.is_link_local)}
