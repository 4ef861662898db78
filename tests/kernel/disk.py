"""Makes the disk of an emulated machine from the root file system of an LXC machine, without a loop device."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Sparse: it takes what is written.
DISK_GIB = 8


@dataclass(frozen=True)
class Disk:
    """What the emulator boots from."""

    image: Path
    kernel: Path
    initrd: Path


def make_disk(container: str, folder: Path) -> Disk:
    """Stop a container in an orderly way and copy its root file system to an ext4 disk in `folder`; the container stays as it is.

    Raises:
        AssertionError: its file system has no kernel.
        subprocess.CalledProcessError: a command failed.

    """
    folder.mkdir(parents=True, exist_ok=True)
    state = subprocess.run(["lxc-info", "--name", container, "--state", "--no-humanize"], capture_output=True, text=True, check=True)
    if state.stdout.strip() != "STOPPED":
        subprocess.run(["lxc-stop", "--name", container, "--timeout", "180"], check=True)
    root = Path("/var/lib/lxc", container, "rootfs")
    kernels = sorted((root / "boot").glob("vmlinuz-*"))
    assert kernels, f"{root}/boot has no kernel: run `molecule converge -s kernel`"
    release = kernels[-1].name.removeprefix("vmlinuz-")
    disk = Disk(folder / "disk.img", folder / "vmlinuz", folder / "initrd.img")
    for target in (disk.image, disk.kernel, disk.initrd):
        target.unlink(missing_ok=True)
    disk.kernel.write_bytes(kernels[-1].read_bytes())
    disk.initrd.write_bytes((root / f"boot/initrd.img-{release}").read_bytes())
    # https://manpages.debian.org/bookworm/e2fsprogs/mke2fs.8.en.html: -d copies a directory into the new file system
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(disk.image), f"{DISK_GIB}G"], check=True)
    return disk
