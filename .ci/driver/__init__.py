"""The checks that `drive.py` runs."""
