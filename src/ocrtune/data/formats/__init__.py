"""One file per label format; each reads a label file into :class:`ocrtune.core.records.Sample` lines."""
