"""``ocrtune recipes``: the configurations that come with the package."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``recipes``, ``recipes show NAME``, ``recipes copy NAME FILE``."""
    parser = commands.add_parser("recipes", help="list, show or copy the configurations that come with ocrtune")
    parser.set_defaults(run=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    actions.add_parser("list", help="name and purpose of each").set_defaults(run=_list)
    show = actions.add_parser("show", help="print one")
    show.add_argument("name", metavar="NAME", help="for example rec/PP-OCRv6_small")
    show.set_defaults(run=_show)
    copy = actions.add_parser("copy", help="write one to a file, to be edited")
    copy.add_argument("name", metavar="NAME", help="for example rec/PP-OCRv6_small")
    copy.add_argument("file", metavar="FILE", type=Path, help="must not exist yet")
    copy.set_defaults(run=_copy)


def _list(arguments: argparse.Namespace) -> None:
    from ocrtune.config.recipes import recipe_names, recipe_title

    names = recipe_names()
    width = max(map(len, names))
    for name in names:
        print(f"{name:<{width}}  {recipe_title(name)}")


def _show(arguments: argparse.Namespace) -> None:
    from ocrtune.config.recipes import find_config

    print(find_config(arguments.name).read_text(encoding="utf-8"), end="")


def _copy(arguments: argparse.Namespace) -> None:
    from ocrtune.config.recipes import find_config

    text = find_config(arguments.name).read_text(encoding="utf-8")
    with arguments.file.open("x", encoding="utf-8") as file:
        file.write(text)
    print(f"wrote {arguments.file}; start with: ocrtune train -c {arguments.file}")
