"""A network that loses and delays packets, between peers in network namespaces of their own.

Linux does that itself by `tc netem`, which isn't in every kernel (not in the one that this was
written on). So each namespace has a TUN device whose packets come here: a thread loses some, holds
the others for a while and hands them to the device of the one that they are for. What TCP sees is
what it sees on a bad line: lost packets, of its handshake and acknowledgements too.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import select
import shutil
import struct
import subprocess
import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self

import pytest

_DEVICE = Path("/dev/net/tun")
_SET, _TUN, _NO_HEAD = 0x400454CA, 0x0001, 0x1000
_PACKET = 65536
_LOOK_S = 0.05


def needs_namespaces() -> None:
    """Skip where this machine or user can't make them."""
    missing = [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]
    if missing or not _DEVICE.exists() or os.geteuid() != 0:
        pytest.skip(f"needs root, {_DEVICE} and ip, unshare, nsenter; missing: {missing}")
    tried = subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"network namespaces can't be made: {tried.stderr.decode().strip()}")


class LossyNetwork:
    """The line between the namespaces, from `with` to its end.

    Parameters
    ----------
    loss : float
        Which part of the packets is lost, in each direction.
    delay_s : float
        How long each of the others takes.
    seed : int
        Of the losses.
    """

    def __init__(self, *, loss: float, delay_s: float, seed: int = 1) -> None:
        self.loss, self.delay_s = loss, delay_s
        self.cut: set[frozenset[str]] = set()
        self.passed = self.lost = 0
        self._random = random.Random(seed)  # noqa: S311 # losses, not secrets
        self._numbers = count(2)
        self._order = count()
        self._devices: dict[str, int] = {}
        self._hosts: dict[bytes, str] = {}
        self._waiting: list[tuple[float, int, str, bytes]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="lossy network")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        for device in self._devices.values():
            os.close(device)

    def address(self, name: str) -> str:
        """The address that a peer has, whenever it is attached."""
        for packed, known in self._hosts.items():
            if known == name:
                return ".".join(str(part) for part in packed)
        packed = bytes([10, 77, 0, next(self._numbers)])
        self._hosts[packed] = name
        return self.address(name)

    def attach(self, name: str, pid: int) -> None:
        """Give the namespace of a process its device; one that it had before has ended with it."""
        device = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK)
        label = f"glean{pid % 1_000_000}"
        fcntl.ioctl(device, _SET, struct.pack("16sH22x", label.encode(), _TUN | _NO_HEAD))
        inside = ["nsenter", "-t", str(pid), "-n", "ip"]
        for words in (
            ["ip", "link", "set", label, "netns", str(pid)],
            [*inside, "addr", "add", f"{self.address(name)}/24", "dev", label],
            [*inside, "link", "set", label, "up"],
            [*inside, "link", "set", "lo", "up"],
        ):
            subprocess.run(words, check=True, capture_output=True)
        earlier, self._devices[name] = self._devices.get(name), device
        if earlier is not None:
            os.close(earlier)

    def _carry(self) -> None:
        while not self._stopped.is_set():
            devices = dict(self._devices)
            wait_s = max(0.0, min(_LOOK_S, self._waiting[0][0] - time.monotonic())
                         if self._waiting else _LOOK_S)  # fmt: skip
            try:
                ready, _, _ = select.select(list(devices.values()), [], [], wait_s)
            except OSError:
                continue
            for name, device in devices.items():
                if device in ready:
                    self._take(name, device)
            self._hand_out()

    def _take(self, name: str, device: int) -> None:
        with suppress(OSError):
            while True:
                packet = os.read(device, _PACKET)
                to = self._hosts.get(packet[16:20]) if packet[0] >> 4 == 4 else None
                if to is None:
                    continue
                if frozenset({name, to}) in self.cut or self._random.random() < self.loss:
                    self.lost += 1
                    continue
                due = time.monotonic() + self.delay_s
                heapq.heappush(self._waiting, (due, next(self._order), to, packet))

    def _hand_out(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(self._waiting)
            device = self._devices.get(to)
            # Of a peer that has gone, the device has too.
            with suppress(OSError):
                if device is not None:
                    os.write(device, packet)
                    self.passed += 1
