"""Why randomness matters: releases that a seeded generator noised, undone exactly, and ours, which are not."""
