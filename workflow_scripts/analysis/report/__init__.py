"""The report: sections of tables, figures and examples, rendered as one self-contained page, CSV and SVG files."""
