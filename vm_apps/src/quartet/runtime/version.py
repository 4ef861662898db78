"""The version of the package. In a wheel a digest of the sources is appended (by the role app)."""

VERSION = "0.2.0"
