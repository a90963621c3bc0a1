"""Check both package.xml files as ament does: schema, names, licences, and no dependency twice."""

import sys
from collections import Counter
from pathlib import Path

from catkin_pkg.package import InvalidPackage, parse_package

ROOT = Path(__file__).resolve().parent.parent


def problems(path: Path) -> list[str]:
    """Return what is wrong with a package.xml, a line each."""
    found: list[str] = []
    try:
        package = parse_package(str(path), warnings=found)
    except InvalidPackage as error:
        return [*found, str(error)]
    if package.package_format != 3:
        found.append(f"format is {package.package_format}, must be 3")
    if package.licenses != ["Apache-2.0"]:
        found.append(f"licence is {package.licenses}, must be Apache-2.0")
    depends = Counter(d.name for d in package.exec_depends)
    found += [f"{name} is depended on {n} times" for name, n in depends.items() if n > 1]
    return found


def main() -> int:
    """Print every problem; return 1 where there is one."""
    code = 0
    for path in (ROOT / "package.xml", ROOT / "poseflow_msgs" / "package.xml"):
        for problem in problems(path):
            print(f"{path.relative_to(ROOT)}: {problem}", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
