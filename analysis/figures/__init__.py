"""The figures of a report, one module a subject; every one says its n and units."""
