"""An emulated machine with a kernel of its own (QEMU without KVM) on the bridge of the lab. Its power can be cut."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from kernel.disk import Disk
from phases import on_machine

#: Emulated, a boot to the last unit takes one to three minutes on two free cores.
BOOT_SECONDS = 900


def say(text: str) -> None:
    """Print progress to the terminal."""
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.__stderr__, flush=True)


class Machine:
    """One machine: `start` and `cut_power` as often as wanted, `remove` at the end."""

    def __init__(self, name: str, address: str, disk: Disk) -> None:
        self.name, self.address, self._disk = name, address, disk
        self._process: subprocess.Popen[bytes] | None = None
        self._boots = 0
        self._booted = ""

    def start(self) -> float:
        """Switch the power on; return how long it took until every unit had started (s)."""
        begin = time.monotonic()
        self._tap("add")
        self._boots += 1
        console = self._disk.image.with_name(f"console-{self._boots}.log")
        self._process = subprocess.Popen(self._emulator(console), stdin=subprocess.DEVNULL)
        self._wait_for_boot(console)
        seconds = time.monotonic() - begin
        say(f"{self.name}: booted in {seconds:.0f} s")
        return seconds

    def cut_power(self) -> None:
        """Take the power away: what the guest has flushed is on the disk, everything else is lost."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def reboot(self) -> None:
        """Restart the machine in an orderly way, and wait until every unit has started."""
        say(f"{self.name}: orderly reboot")
        self.run("systemd-run --quiet --on-active=1 systemctl reboot")
        self._wait_for_boot(self._disk.image.with_name(f"console-{self._boots}.log"))

    def run(self, script: str, *, check: bool = True, seconds: int = 300) -> str:
        """Run a shell script as root and return its standard output; see `phases.on_machine`."""
        return on_machine(self.address, script, check=check, seconds=seconds, connect_seconds=60)

    def remove(self) -> None:
        """Take the machine and its place on the bridge away; the disk and the consoles stay."""
        if self._process is not None:
            self.cut_power()
        self._tap("del")

    def _emulator(self, console: Path) -> list[str]:
        last = int(self.address.rsplit(".", 1)[1])
        return [
            # it ends with the tests, however these end
            *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"),
            # `max`, because MongoDB needs AVX
            *("-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "max", "-smp", "2", "-m", "4096"),
            # No `rw`: the root is read-only at first, as at a real boot. Without net.ifnames=0 eth0 would have another name.
            *("-kernel", str(self._disk.kernel), "-initrd", str(self._disk.initrd)),
            *("-append", "root=/dev/vda console=ttyS0 net.ifnames=0"),
            # writeback: the host keeps what the guest has flushed, and the guest must flush to be sure
            *("-drive", f"file={self._disk.image},format=raw,if=virtio,cache=writeback"),
            # the MAC by which lab/network gives the address
            *("-netdev", f"tap,id=lan,ifname={self.name},script=no,downscript=no"),
            *("-device", f"virtio-net-pci,netdev=lan,mac=00:16:3e:77:00:{last:02x}"),
            *("-device", "virtio-rng-pci", "-display", "none", "-monitor", "none", "-serial", f"file:{console}"),
        ]

    def _tap(self, verb: str) -> None:
        """Add or remove the interface on the host; an old one of this name is replaced."""
        subprocess.run(["ip", "link", "delete", self.name], check=False, capture_output=True)
        if verb == "add":
            subprocess.run(["ip", "tuntap", "add", "dev", self.name, "mode", "tap"], check=True)
            subprocess.run(["ip", "link", "set", self.name, "master", "quartet0", "up"], check=True)

    def _wait_for_boot(self, console: Path) -> None:
        end = time.monotonic() + BOOT_SECONDS
        asked = "cat /proc/sys/kernel/random/boot_id; systemctl is-system-running --wait"
        while True:
            try:
                words = self.run(asked, check=False, seconds=BOOT_SECONDS).split()
            except subprocess.TimeoutExpired:
                words = []
            if len(words) == 2 and words[0] != self._booted and words[1] in ("running", "degraded"):
                self._booted = words[0]
                return
            assert self._process is not None
            assert self._process.poll() is None, f"the emulator ended with {self._process.returncode}"
            assert time.monotonic() < end, f"no boot within {BOOT_SECONDS} s:\n{console.read_text(errors='replace')[-3000:]}"
            time.sleep(2)
