"""`python -m soak`: lives side by side until as many faults were made as were asked for, then the table."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported: a process with threads cannot be forked

from soak.run import main

raise SystemExit(main())
