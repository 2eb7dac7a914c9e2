"""Plain records, geometry, character sets, the registry and errors. Imports nothing else of ocrtune."""
