"""What every file and association of ours says of its maker (PS3.7 D.3.3.2, PS3.10 7.1)."""

from shared.version import CODE_VERSION

IMPLEMENTATION_CLASS_UID = "2.25.126811593226389186041937246284117216913"
IMPLEMENTATION_VERSION_NAME = f"CLARION_{CODE_VERSION.replace('.', '_')}"[:16]
