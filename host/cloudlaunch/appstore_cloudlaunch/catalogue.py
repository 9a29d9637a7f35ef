"""Reads an AppStore's catalogue in the form of CloudLaunch's registry file.

The file comes from outside, so nothing of it is believed: its size and its depth
are bounded, aliases (by which a small text becomes a large one) are refused, and
each app is looked at key by key before anything is made of it.
"""

import http.client
import urllib.error
import urllib.parse
import urllib.request

import yaml

MAX_BYTES = 64 << 20
MAX_DEPTH = 100  # an AppStore takes configs of at most 32 levels
TIMEOUT = 60  # seconds without a byte

# In C it is several times as fast, where PyYAML was built with it.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

APP_TEXTS = ("slug", "name", "status", "summary", "maintainer", "description", "info_url", "icon_url")
APP_KEYS = APP_TEXTS + ("display_order", "default_version", "default_launch_config", "versions")
VERSION_TEXTS = ("version", "frontend_component_path", "frontend_component_name", "backend_component_name")
VERSION_KEYS = VERSION_TEXTS + ("default_launch_config",)


class Unreadable(Exception):
    """The catalogue can't be read. The text says why, and what to do."""


def source_of(url):
    """The AppStore's address as it is remembered: without a slash at the end."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Unreadable("%s is not the address of an AppStore: write it like https://example.org or https://example.org/appstore" % url)
    return url.rstrip("/")


def fetch(source, categories=(), query=None):
    """The text of the catalogue, or of the part that category and query select."""
    url = source + "/compat/app-registry.yaml"
    selection = [("category", c) for c in categories] + ([("q", query)] if query else [])
    if selection:
        url += "?" + urllib.parse.urlencode(selection)
    request = urllib.request.Request(url, headers={"User-Agent": "appstore-cloudlaunch", "Accept": "application/yaml"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            text = answer.read(MAX_BYTES + 1)
            length = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as e:
        raise Unreadable("%s answers %d %s: %s" % (url, e.code, e.reason, _start(e)))
    except (OSError, ValueError, http.client.HTTPException) as e:
        raise Unreadable("%s can't be read: %s. Check the address, and that the AppStore runs." % (url, e))
    if len(text) > MAX_BYTES:
        raise Unreadable("%s has over %d MiB: select a part with --category or --q" % (url, MAX_BYTES >> 20))
    if length is not None and int(length) != len(text):
        raise Unreadable("%s was cut off after %d of %s bytes: try again" % (url, len(text), length))
    return text


def _start(answer):
    """The beginning of an error's text, in one line."""
    try:
        return " ".join(answer.read(2000).decode("utf-8", "replace").split())[:300]
    except OSError:
        return ""


def apps(text):
    """The list of apps in a registry file, each still as it came."""
    try:
        depth = 0
        for event in yaml.parse(text, Loader=Loader):
            line = event.start_mark.line + 1
            if isinstance(event, yaml.AliasEvent):
                raise Unreadable("line %d: an alias (*%s), which no AppStore writes" % (line, event.anchor))
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise Unreadable("line %d: over %d levels, which no AppStore writes" % (line, MAX_DEPTH))
        data = yaml.load(text, Loader=Loader)
    except (yaml.YAMLError, ValueError) as e:
        raise Unreadable("it is no YAML: %s. Is this the address of an AppStore?" % " ".join(str(e).split()))
    if not isinstance(data, dict) or not isinstance(data.get("apps"), list):
        raise Unreadable("it has no list of apps. Is this the address of an AppStore?")
    return data["apps"]


def problems(app):
    """What is wrong with the shape of one app, as a list of texts."""
    if not isinstance(app, dict):
        return ["it has no keys and values"]
    found = _keys("", app, APP_KEYS) + _texts("", app, APP_TEXTS + ("default_version",))
    for key in ("slug", "name", "status"):
        if not app.get(key):
            found.append("%s is empty" % key)
    order = app.get("display_order")
    if not isinstance(order, int) or isinstance(order, bool):
        found.append("display_order is %r and no whole number" % (order,))
    versions = app.get("versions")
    if not isinstance(versions, list):
        return found + ["versions is no list"]
    seen = set()
    for i, version in enumerate(versions):
        at = "versions[%d]: " % i
        if not isinstance(version, dict):
            found.append(at + "it has no keys and values")
            continue
        found += _keys(at, version, VERSION_KEYS) + _texts(at, version, VERSION_TEXTS)
        name = version.get("version")
        if not name:
            found.append(at + "version is empty")
        elif isinstance(name, str):
            if name in seen:
                found.append(at + "version %s is there twice" % name)
            seen.add(name)
    default = app.get("default_version")
    if default and isinstance(default, str) and default not in seen:
        found.append("default_version %s is none of the versions" % default)
    return found


def _keys(at, mapping, keys):
    found = ["%s%s is missing" % (at, key) for key in keys if key not in mapping]
    found += ["%s%s is unknown: this program may be too old for this AppStore" % (at, key) for key in mapping if key not in keys]
    config = mapping.get("default_launch_config")
    if config not in (None, "") and not isinstance(config, dict):
        found.append("%sdefault_launch_config has no keys and values" % at)
    return found


def _texts(at, mapping, keys):
    return ["%s%s is %r and no text" % (at, key, mapping[key]) for key in keys if not isinstance(mapping.get(key), (str, type(None)))]
