"""Evaluation: graders, estimators of accuracy from several samples, agreement between raters, probes of judges."""
