"""Beam's job server for Flink, as a jar.

Beam publishes it as one jar a Flink version (`published`). Where that can't be had, the libraries it is made of may
still be: `assembled` has Maven fetch an older Beam's ``beam-runners-flink-1.19`` with all it needs, and packs them into
one jar. The protocols between a job server and workers outlive Beam's versions.
"""

from __future__ import annotations

import gc
import shutil
import subprocess
import tempfile
import warnings
import zipfile
from collections import defaultdict
from pathlib import Path

from apache_beam.utils.subprocess_server import JavaJarServer

__all__ = ["ASSEMBLED_BEAM", "ASSEMBLED_FLINK", "assembled", "published"]

ASSEMBLED_BEAM, ASSEMBLED_FLINK = "2.62.0", "1.19"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>footpath</groupId><artifactId>flink-job-server</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.beam</groupId>
      <artifactId>beam-runners-flink-{ASSEMBLED_FLINK}</artifactId>
      <version>{ASSEMBLED_BEAM}</version>
    </dependency>
  </dependencies>
</project>
"""
_MANIFEST = """Manifest-Version: 1.0
Main-Class: org.apache.beam.runners.flink.FlinkJobServerDriver
Multi-Release: true

"""
_UNUSED = ("async-profiler", "beam-sdks-java-transform-service-launcher", "conscrypt", "grpc-xds")
"""Large libraries that the job server does without."""


def published(version: str) -> Path | None:
    """The job server of the installed Beam for a Flink version, downloaded once; None if it can't be had."""
    target = f":runners:flink:{version}:job-server:shadowJar"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Beam leaves a failed download open
        try:
            return Path(JavaJarServer.local_jar(JavaJarServer.path_to_beam_jar(target)))
        except RuntimeError as error:
            error.__traceback__ = error.__context__ = None
            gc.collect()
    return None


def assembled(home: Path) -> Path | None:
    """A job server of Beam 2.62 for Flink 1.19, made in `home` once; None if Maven can't fetch its parts."""
    jar = home / f"job-server-{ASSEMBLED_BEAM}.jar"
    if jar.exists():
        return jar
    maven = shutil.which("mvn")
    if maven is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pom.xml").write_text(_POM, encoding="utf-8")
        fetch = [maven, "-B", "-q", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
        if subprocess.run(fetch, cwd=folder, stdout=subprocess.DEVNULL, check=False).returncode:
            return None
        _pack(sorted((folder / "lib").glob("*.jar")), folder / jar.name)
        home.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / jar.name, jar)
    return jar


def _pack(libraries: list[Path], jar: Path) -> None:
    """One jar with the files of all; what several jars say of a service is put together."""
    services, seen = defaultdict(list), {"META-INF/MANIFEST.MF"}
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("META-INF/MANIFEST.MF", _MANIFEST)
        for library in libraries:
            if library.name.startswith(_UNUSED):
                continue
            with zipfile.ZipFile(library) as files:
                for name in files.namelist():
                    if name.startswith("META-INF/services/") and not name.endswith("/"):
                        services[name].append(files.read(name).decode())
                    elif name not in seen and not _is_of_its_jar_alone(name):
                        seen.add(name)
                        packed.writestr(name, files.read(name))
        for name, texts in services.items():
            packed.writestr(name, "\n".join(texts))


def _is_of_its_jar_alone(name: str) -> bool:
    """Whether a file would be wrong in another jar: a signature, a module's declaration; or is a folder."""
    signature = name.startswith("META-INF/") and name.endswith((".SF", ".DSA", ".RSA"))
    return signature or name.endswith(("module-info.class", "/"))
