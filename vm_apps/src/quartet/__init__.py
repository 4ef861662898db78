"""The apps of Quartet's VMs. Imports point one way: contracts <- adapters <- apps <- cli."""

__version__ = "0.1.1"
