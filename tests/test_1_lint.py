"""Phase 1: linters and type checks. Seconds to a minute."""

from __future__ import annotations

from phases import ROOT, Command

SHELL = [
    "lab/box",
    "lab/network",
    "lab/machine-up",
    "lab/machine-down",
    "lab/setup-host",
    "lab/promtool",
    "roles/base/files/download_cache.sh",
    "roles/java/files/fetch_jars.sh",
    "playbooks/files/encrypt_secrets.sh",
    ".ci/run",
]
PYTHON = [
    "vm_apps",
    "spark",
    "tests",
    "molecule",
    "lab/cache",
    "lab/doctor",
    "playbooks/action_plugins",
    "playbooks/callback_plugins",
    "playbooks/files",
    "playbooks/filter_plugins",
    "roles",
    "benchmarks",
]


def test_ansible_lint(command: Command) -> None:
    command("ansible-lint", "--offline", "-q")


def test_yamllint(command: Command) -> None:
    command("yamllint", "--strict", ".")


def test_ruff(command: Command) -> None:
    command("ruff", "check", *PYTHON)
    command("ruff", "format", "--check", *PYTHON)


def test_mypy(command: Command) -> None:
    for folder in ("vm_apps/src/quartet", "spark", "benchmarks"):
        command("mypy", folder)
    command(
        "mypy",
        "playbooks/action_plugins",
        "playbooks/callback_plugins",
        "playbooks/files",
        "playbooks/filter_plugins",
        *sorted(str(path) for kind in ("library", "module_utils", "filter_plugins") for path in ROOT.glob(f"roles/*/{kind}")),
    )


def test_shellcheck(command: Command) -> None:
    command("shellcheck", *SHELL)
