"""Protects `snakemake --report` on a finished run: page, figures and tables are in it, with captions and categories."""

import zipfile


def test_the_report_of_snakemake_holds_page_figures_and_tables(finished, tmp_path):
    target = tmp_path / "report.zip"
    done = finished.snakemake("--report", str(target))
    assert done.returncode == 0, done.stdout[-3000:]
    with zipfile.ZipFile(target) as archive:
        names = archive.namelist()
        main = archive.read(next(name for name in names if name.endswith("report.html"))).decode()
    inside = {name.rpartition("/")[2] for name in names}
    report = finished.results / "report"
    made = [report / "index.html", *(report / "figures").glob("*.svg"), *(report / "tables").glob("*.csv")]
    assert len(made) > 30 and not {path.name for path in made} - inside
    assert all(f'"{category}"' in main for category in ("Report", "Figures", "Tables"))
    assert "which claims of the two papers hold" in " ".join(main.split())


def test_a_finished_report_stays_finished(finished):
    """Snakemake marks the folders that are outputs; neither the plan nor verify may take the mark for a change."""
    assert not finished.plan()
    done = finished.maintain("verify")
    assert done.returncode == 0 and "unlisted" not in done.stdout, done.stdout
