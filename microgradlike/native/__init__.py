"""The table as C: what is generated from ops.py when the package is built, and the C it stands on. No Python runs here."""
