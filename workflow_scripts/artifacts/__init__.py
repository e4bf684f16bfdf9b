"""The stage contract: keys, fingerprints, manifests, work directories, publish and restore (one sitting to read)."""

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.manifest import read_json
from workflow_scripts.artifacts.provenance import read_provenance
from workflow_scripts.artifacts.stage import Stage, run_stage

__all__ = ["Stage", "StageError", "read_json", "read_provenance", "run_stage"]
