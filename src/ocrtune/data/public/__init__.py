"""Public data sets in their publishers' own formats, read as detection samples: one file per format."""
