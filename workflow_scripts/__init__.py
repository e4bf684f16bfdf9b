"""Entropy Bridge: RL for reasoning language models, from data to report, as one Snakemake pipeline."""
