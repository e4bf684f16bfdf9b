"""The benchmark suite: `make bench`, or `python -m tests.benchmarks.suite [--only NAME ...] [--quick] [--out FOLDER]`.

Each module of `cases/` measures ours against another way of doing the same work, both sides in turn, and yields rows
(`measure.Row`). They are collected in one Parquet table (`table`) and shown on one page (`page`).
"""
