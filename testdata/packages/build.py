#!/usr/bin/env python3
"""Builds the wheels, sdists and npm tarballs of the sample catalogue.

    python3 testdata/packages/build.py           write them beside their descriptors
    python3 testdata/packages/build.py --check   only compare; exit 1 if one differs

The bytes depend on the sources alone: fixed times, owners and order, and no
compression, because deflate's output differs between versions of zlib. Python
3.11 or later, standard library only.

Formats: wheel, PEP 427; METADATA and PKG-INFO, core metadata 2.1; sdist,
PEP 625; npm tarball, every file below "package/".
"""

import base64
import hashlib
import io
import json
import pathlib
import struct
import sys
import tarfile
import tomllib
import zipfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
CATALOGUE = HERE.parent / "catalogue"

# What is built, from which sources, for which release.
BUILDS = [
    ("wheel", "kubecluster/1.1.0", "KubeCluster/1.1.0"),
    ("npm", "kube-ui/1.1.0", "KubeCluster/1.1.0"),
    ("wheel", "kubecluster/1.2.0", "KubeCluster/1.2.0"),
    ("sdist", "kubecluster/1.2.0", "KubeCluster/1.2.0"),
    ("npm", "kube-ui/1.2.0", "KubeCluster/1.2.0"),
    ("wheel", "slurmcluster/2.0.0", "slurm-cluster/2.0.0"),
    ("npm", "slurm-launch-form/2.0.0", "slurm-cluster/2.0.0"),
    ("wheel", "slurmcluster/2.1.0", "slurm-cluster/2.1.0"),
    ("npm", "slurm-launch-form/2.1.0", "slurm-cluster/2.1.0"),
]

UNIX_TIME = 1767225600  # 2026-01-01 00:00:00 UTC
ZIP_TIME = (2026, 1, 1, 0, 0, 0)


def sources(folder):
    """The files below folder as {relative path: bytes}, without build leftovers."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def core_metadata(project, readme):
    """METADATA of a wheel, PKG-INFO of an sdist."""
    author = project["authors"][0]
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"Author-email: {author['name']} <{author['email']}>",
        f"License: {project['license']['text']}",
        f"Keywords: {','.join(project['keywords'])}",
        *(f"Project-URL: {label}, {url}" for label, url in project["urls"].items()),
        f"Requires-Python: {project['requires-python']}",
        "Description-Content-Type: text/markdown",
    ]
    return ("\n".join(lines) + "\n\n").encode() + readme


def wheel(folder):
    files = sources(folder)
    project = tomllib.loads(files["pyproject.toml"].decode())["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    info = stem + ".dist-info"
    inside = {name: data for name, data in files.items() if "/" in name}
    inside[f"{info}/METADATA"] = core_metadata(project, files["README.md"])
    inside[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: appstore-samples\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = []
    for name, data in inside.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(data)}\n")
    inside[f"{info}/RECORD"] = "".join(record + [f"{info}/RECORD,,\n"]).encode()

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in inside.items():
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.create_system = 3  # Unix, whatever we run on
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    return f"{stem}-py3-none-any.whl", out.getvalue()


def sdist(folder):
    files = sources(folder)
    project = tomllib.loads(files["pyproject.toml"].decode())["project"]
    files["PKG-INFO"] = core_metadata(project, files["README.md"])
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    return stem + ".tar.gz", tar_gz(stem, files)


def npm(folder):
    files = sources(folder)
    package = json.loads(files["package.json"])
    stem = package["name"].removeprefix("@").replace("/", "-")
    return f"{stem}-{package['version']}.tgz", tar_gz("package", files)


def tar_gz(top, files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), UNIX_TIME, 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip_stored(out.getvalue())


def gzip_stored(data):
    """A gzip member (RFC 1952) of stored blocks (RFC 1951, 3.2.4)."""
    parts = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for start in range(0, len(data), 0xFFFF):
        block = data[start : start + 0xFFFF]
        last = start + 0xFFFF >= len(data)
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    parts.append(struct.pack("<II", zlib.crc32(data), len(data)))
    return b"".join(parts)


def main(arguments):
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    failed = False
    for kind, source, release in BUILDS:
        name, data = {"wheel": wheel, "sdist": sdist, "npm": npm}[kind](HERE / source)
        target = CATALOGUE / release / name
        if not arguments:
            target.write_bytes(data)
        elif not target.exists() or target.read_bytes() != data:
            print(f"{target} is not what {HERE / source} builds: run build.py", file=sys.stderr)
            failed = True
            continue
        print(f"{hashlib.sha256(data).hexdigest()}  {len(data):6}  {release}/{name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
