"""The version of the package. A wheel's has a digest of the sources behind it (the role app adds it)."""

VERSION = "0.1.1"
