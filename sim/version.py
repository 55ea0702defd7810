"""The version, in one place: the package, its metadata and every result read it here."""

VERSION = "0.1.0"
