#!/usr/bin/python
"""Ansible module: create files, folders and links, all of a role in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Create files, folders and links in one call
description:
  - Does for a list of paths what the modules file and copy do for one path, because a module call costs more than the work it does.
  - The rows are applied in order. A file is written to a temporary name and then renamed, its owner and mode set beforehand.
  - In check mode a row whose folder or owner does not exist yet is reported as one that would be created.
options:
  rows:
    description: The files, folders and links
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Path, type: path, required: true}
      state: {description: Kind of the path, type: str, choices: [file, directory, link], default: file}
      content: {description: Content of the file, type: str}
      src: {description: Target of the link, type: str}
      owner: {description: Name of the owner, type: str, default: root}
      group: {description: Name of the group; default is the name of the owner, type: str}
      mode: {description: "Octal mode; default 0644 for a file, 0755 for a folder", type: str}
      validate: {description: Command that must succeed on the new file, whose path replaces %s, type: str}
author: Quartet
"""

EXAMPLES = r"""
- name: Write the settings
  files:
    rows:
      - {path: /etc/example, state: directory}
      - {path: /etc/example/settings.json, content: "{{ settings | to_nice_json }}\n", group: example, mode: "0640"}
"""

RETURN = r"""
paths: {description: "Paths that were changed, or would be in check mode", type: list, returned: always, elements: str}
"""

import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ROW = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["file", "directory", "link"], "default": "file"},
    "content": {"type": "str"},
    "src": {"type": "str"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
    "validate": {"type": "str"},
}
NEEDS = [("state", "file", ["content"]), ("state", "link", ["src"])]


def difference(path: Path, before: str, after: str) -> dict[str, str]:
    """Return the entry of `--diff` for one path."""
    return {"before_header": str(path), "after_header": str(path), "before": before, "after": after}


def attributes(module: AnsibleModule, row: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return owner, group and mode in the form of Ansible's own modules."""
    mode = row["mode"] or ("0755" if row["state"] == "directory" else "0644")
    wanted = {"path": str(path), "owner": row["owner"], "group": row["group"] or row["owner"], "mode": mode}
    arguments: dict[str, Any] = module.load_file_common_arguments(wanted)
    return arguments


def keep_attributes(module: AnsibleModule, row: dict[str, Any], path: Path) -> list[dict[str, str]]:
    """Set owner, group and mode where they differ."""
    sides: dict[str, Any] = {}
    if not module.set_fs_attributes_if_different(attributes(module, row, path), False, diff=sides):
        return []
    return [difference(path, f"{sides.get('before', {})}\n", f"{sides.get('after', {})}\n")]


def write(module: AnsibleModule, row: dict[str, Any], path: Path) -> None:
    """Write the file to a temporary name, validate it with the command, and rename it."""
    # The temporary name keeps the file's suffix: systemd-analyze accepts no other.
    handle, name = tempfile.mkstemp(prefix=".", suffix=f".{path.name}", dir=path.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(row["content"])
            file.flush()
            os.fsync(file.fileno())
        module.set_fs_attributes_if_different(attributes(module, row, new), False)
        if row["validate"]:
            code, output, errors = module.run_command(row["validate"].replace("%s", shlex.quote(name)))
            if code:
                module.fail_json(msg=f"{path}: `{row['validate']}` refuses the new content: {errors or output}")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def make_file(module: AnsibleModule, row: dict[str, Any], path: Path) -> list[dict[str, str]]:
    """Write the file where its content differs."""
    before = path.read_bytes() if path.is_file() and not path.is_symlink() else None
    if before == row["content"].encode():
        return keep_attributes(module, row, path)
    if path.is_dir() and not path.is_symlink():
        module.fail_json(msg=f"{path} is a folder; expected a file")
    if not module.check_mode:
        write(module, row, path)
    return [difference(path, (before or b"").decode(errors="replace"), row["content"])]


def make_directory(module: AnsibleModule, row: dict[str, Any], path: Path) -> list[dict[str, str]]:
    """Create the folder and its parents."""
    if path.is_dir():
        return keep_attributes(module, row, path)
    if not module.check_mode:
        path.mkdir(parents=True)
        keep_attributes(module, row, path)
    return [difference(path, "absent\n", "directory\n")]


def make_link(module: AnsibleModule, row: dict[str, Any], path: Path) -> list[dict[str, str]]:
    """Create the link, or change its target."""
    before = str(path.readlink()) if path.is_symlink() else ""
    if before == row["src"]:
        return []
    if not before and path.exists():
        module.fail_json(msg=f"{path} exists and is not a link")
    if not module.check_mode:
        with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
            new = Path(folder, path.name)
            new.symlink_to(row["src"])
            new.replace(path)
    return [difference(path, f"{before}\n", f"{row['src']}\n")]


MAKERS = {"file": make_file, "directory": make_directory, "link": make_link}


def main() -> None:
    """Apply the rows in order."""
    # Folders above a row's are made as well, and root's umask may hide them from those who need them.
    os.umask(0o022)
    options = {"rows": {"type": "list", "elements": "dict", "options": ROW, "required_if": NEEDS, "required": True}}
    # Without no_log Ansible would write every file's content to the VM's journal.
    module = AnsibleModule(options, supports_check_mode=True, no_log=True)
    differences: list[dict[str, str]] = []
    for row in module.params["rows"]:
        try:
            differences += MAKERS[row["state"]](module, row, Path(row["path"]))
        except OSError as error:
            module.fail_json(msg=f"{row['path']}: {error.strerror or error}")
    paths = list(dict.fromkeys(entry["after_header"] for entry in differences))
    module.exit_json(changed=bool(paths), paths=paths, diff=differences)


if __name__ == "__main__":
    main()
