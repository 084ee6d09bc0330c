"""Has Helm itself look at a chart: run by the Python that has helm-sdkpy, which is not the tests'.

Reads JSON from standard input: the chart, and either `lint`, `package` (a folder) or `install`
(values) with a kubeconfig. Writes JSON.
"""

import asyncio
import json
import sys

import helm_sdkpy


def main() -> None:
    """Do what was asked."""
    asked = json.load(sys.stdin)
    chart = asked["chart"]
    config = helm_sdkpy.Configuration(
        namespace="bakeries", kubeconfig=asked.get("kubeconfig") or None
    )
    try:
        if "install" in asked:
            install = helm_sdkpy.Install(config)
            done = asyncio.run(install.run("glean", chart, values=asked["install"], wait=False))
        elif "package" in asked:
            done = asyncio.run(helm_sdkpy.Package(config).run(chart, asked["package"]))
        else:
            done = asyncio.run(helm_sdkpy.Lint(config).run(chart))
        found = {"done": done}
    except helm_sdkpy.HelmError as error:
        found = {"refused": str(error)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
