"""For the Python of the SAM CLI: print the keys of a samconfig.toml that no command knows."""

import importlib
import sys
import tomllib

from samcli.cli.main import cli


def options(section: str) -> set[str]:
    """Those of the command of `section`; those of `global` are of several commands."""
    if section == "global":
        return options("deploy") & options("delete") & options("logs")
    if section.startswith("local_"):
        package = f"samcli.commands.local.{section.removeprefix('local_')}.cli"
    else:
        package = cli._commands[section]
    command = importlib.import_module(package).cli
    return {option.name for option in command.params}


with open(sys.argv[1], "rb") as file:
    sections = tomllib.load(file)["default"]
for section, content in sections.items():
    for key in content["parameters"]:
        if key not in options(section):
            print(f"{section}: {key}")
