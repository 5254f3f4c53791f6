"""What an installation is made of, as CycloneDX: ``make sbom`` writes outputs/sbom.cdx.json.

Packages with licences and hashes of their sources are read by cyclonedx-py (pinned, in an environment of its own, so that it does not
count itself); the networks that ship, and those that were pulled, stand beside them with their licences and SHA-256.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOOL = "cyclonedx-bom==7.5.0"


def networks() -> list[dict[str, Any]]:
    """A component a network that is there: shipped weights, and released ones that were pulled."""
    from models.inventory import inventory
    from models.locating import models_directory
    from models.musicgen.checkpoints import PULLED
    from models.weights import WEIGHTS, file_sha256

    out = []
    for row in inventory():
        hashes, name = [], str(row["name"])
        if row["from"] == "shipped":
            hashes = [file_sha256(WEIGHTS / name / "model.safetensors")]
        elif str(row["from"]).startswith("pulled"):
            record = json.loads((models_directory() / name.replace("/", "--") / PULLED).read_text(encoding="utf-8"))
            hashes = [f["sha256"] for n, f in sorted(record["files"].items()) if n.endswith((".safetensors", ".bin"))]
        else:
            continue  # a part of a package, or not here
        out.append(
            {
                "type": "machine-learning-model", "bom-ref": f"network:{name}", "name": name, "description": row["for"],
                "licenses": [{"license": {"name": row["licence"]}}], "hashes": [{"alg": "SHA-256", "content": h} for h in hashes],
            }
        )  # fmt: skip
    return out


def packages(tool: Path) -> dict[str, Any]:
    """What cyclonedx-py finds in the environment that runs this."""
    subprocess.run([sys.executable, "-m", "venv", str(tool)], check=True)
    subprocess.run([tool / "bin" / "python", "-m", "pip", "install", "-q", TOOL], check=True)
    command = [str(tool / "bin" / "cyclonedx-py"), "environment", sys.executable, "--output-reproducible"]
    command += ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application", "-o", "-"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def main() -> None:
    """Write the file."""
    bom = packages(ROOT / "build" / "sbom")
    bom["components"] += networks()
    target = ROOT / "outputs" / "sbom.cdx.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(bom, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(bom['components'])} components in {target.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
