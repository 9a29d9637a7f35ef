# Reads the archives whose paths come in, one a line, and says what is in each.
import csv, email, hashlib, json, sys, tarfile, zipfile


def read_wheel(path):
    out = {"files": {}, "folders": [], "recorded": [], "fields": []}
    with zipfile.ZipFile(path) as z:
        if z.testzip() is not None:
            raise ValueError("a checksum is wrong")
        names = z.namelist()
        if len(set(names)) != len(names):
            raise ValueError("a name is there twice")
        for i in z.infolist():
            if i.is_dir():
                out["folders"].append(i.filename.rstrip("/"))
            else:
                out["files"][i.filename] = hashlib.sha256(z.read(i)).hexdigest()
        for name in names:
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1:
                out["fields"] = fields(z.read(name))
            if name.endswith(".dist-info/RECORD") and name.count("/") == 1:
                # As pip does.
                for row in csv.reader(z.read(name).decode("utf-8").splitlines()):
                    if row and not row[0].endswith("/"):
                        out["recorded"].append(row[0])
    return out


def read_tar(path):
    out = {"files": {}, "folders": [], "zip": []}
    with tarfile.open(path, "r:gz") as t:
        for m in t:
            name = m.name[2:] if m.name.startswith("./") else m.name
            if m.isdir():
                out["folders"].append(name)
            elif not m.isreg() or name in out["files"]:
                raise ValueError("%r is no file, or there twice" % m.name)
            else:
                data = t.extractfile(m).read()
                out["files"][name] = hashlib.sha256(data).hexdigest()
                if name.count("/") == 1 and name.endswith("/PKG-INFO") and path.endswith(".tar.gz"):
                    out["fields"] = fields(data)
    try:
        with zipfile.ZipFile(path) as z:
            out["zip"] = z.namelist() or ["nothing"]
    except zipfile.BadZipFile:
        pass
    return out


def fields(data):
    # As importlib.metadata and pip do.
    m = email.message_from_string(data.decode("utf-8", "surrogateescape"))
    single = [m.get_all(k) or [""] for k in ("Name", "Version", "Requires-Python")]
    if any(len(s) != 1 for s in single):
        raise ValueError("a field is there twice: %r" % single)
    return [s[0].strip(" \t\r\n") for s in single] + [d.strip(" \t\r\n") for d in m.get_all("Requires-Dist") or []]


for line in sys.stdin:
    path = line.rstrip("\n")
    try:
        out = (read_wheel if path.endswith(".whl") else read_tar)(path)
    except Exception as e:
        out = {"error": "%s: %s" % (type(e).__name__, e)}
    print(json.dumps(out))
