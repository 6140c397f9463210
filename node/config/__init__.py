"""The settings of a node: HOME/xinqiao.toml, every key with its meaning and with what is trusted."""

from node.config.file import FILE, check, document, load, render, update
from node.config.table import Config, Endpoint, Setting

__all__ = ["FILE", "Config", "Endpoint", "Setting", "check", "document", "load", "render", "update"]
