"""``python -m ocrtune``."""

import sys

from ocrtune.cli.main import main

sys.exit(main())
