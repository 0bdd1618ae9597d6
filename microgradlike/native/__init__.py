"""The table as C: what is generated from ops.py when the package is built, and the C that it stands on."""
