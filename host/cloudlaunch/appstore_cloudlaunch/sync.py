"""Brings apps into CloudLaunch's tables: the older ones (cloudlaunch-server
2.0.2) and the newer ones (CloudLaunch since 2019, from its repository).

The fields that an app has are the same in both. They differ in how a launch
config is written (JSON, later YAML) and in how large it may be (16 KiB, later
1 MiB); both are asked of the models.

CloudLaunch keeps to its limits in forms only, not where rows are saved, so they
are checked here: all of an app comes in, or nothing of it.
"""

import json

import yaml
from cloudlaunch.models import Application, ApplicationVersion
from django.contrib.admin.utils import NestedObjects
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import DatabaseError, models, router, transaction

from . import catalogue
from .models import SyncedApplication, SyncedVersion

# What came of an app.
ADDED, UPDATED, UNCHANGED = "added", "updated", "unchanged"
DELETED, HIDDEN = "deleted", "hidden"
REFUSED, LEFT_ALONE = "refused", "left alone"
PROBLEMS = (REFUSED, LEFT_ALONE)

APP_FIELDS = ("name", "status", "summary", "maintainer", "description", "info_url", "icon_url", "display_order", "default_launch_config")
VERSION_FIELDS = ("frontend_component_path", "frontend_component_name", "backend_component_name", "default_launch_config")


class Refused(Exception):
    """An app can't come in; nothing of it does."""

    def __init__(self, outcome, details):
        super().__init__("; ".join(details))
        self.outcome, self.details = outcome, details


class Result:
    """What came of one app: its slug, one of the outcomes above, and details."""

    def __init__(self, slug, outcome, details=()):
        self.slug, self.outcome, self.details = slug, outcome, list(details)


class Sync:
    """One run from one AppStore.

    adopt: slugs of apps that are to belong to this AppStore from now on.
    prune: what came from this AppStore and is not in the catalogue any more goes.
    dry_run: everything is done and checked, and undone again.
    """

    def __init__(self, source, adopt=(), prune=False, dry_run=False):
        self.source, self.adopt, self.prune, self.dry_run = source, set(adopt), prune, dry_run
        self.yaml = writes_yaml()

    def run(self, apps):
        """Gives the Result of each app as it is done, then those of pruning."""
        known = set()
        for app in apps:
            slug = app.get("slug") if isinstance(app, dict) else None
            name = slug if isinstance(slug, str) and slug else "(an app without a slug)"
            if name in known:
                yield Result(name, REFUSED, ["the slug is in the catalogue twice"])
                continue
            known.add(name)
            yield self.guarded(name, lambda: self.app(app))
        if self.prune:
            gone = SyncedApplication.objects.filter(source=self.source).exclude(application_id__in=known)
            for slug in list(gone.order_by("application_id").values_list("application_id", flat=True)):
                yield self.guarded(slug, lambda: self.remove(slug))

    def guarded(self, slug, work):
        """Does the work for one app in a transaction of its own."""
        try:
            with transaction.atomic(using=router.db_for_write(Application)):
                result = work()
                if self.dry_run:
                    transaction.set_rollback(True, using=router.db_for_write(Application))
            return result
        except Refused as e:
            return Result(slug, e.outcome, e.details)
        except DatabaseError as e:
            return Result(slug, REFUSED, ["the database does not take it: %s" % " ".join(str(e).split())])

    def app(self, app):
        wrong = catalogue.problems(app)
        if wrong:
            raise Refused(REFUSED, wrong)
        slug = app["slug"]
        row = Application.objects.filter(slug=slug).first()
        mark = SyncedApplication.objects.filter(application_id=slug).first()
        new = row is None
        details = []
        if new:
            row = Application(slug=slug)
        elif mark is None or mark.source != self.source:
            if slug in self.adopt:
                details.append("belongs to %s from now on" % self.source)
            elif mark is not None:
                raise Refused(LEFT_ALONE, ["it comes from %s; to take it from here: --adopt %s" % (mark.source, slug)])
            elif self.differs(row, app):
                raise Refused(LEFT_ALONE, ["CloudLaunch has an app of its own with this slug, which is another; to replace it: --adopt %s" % slug])
        changed = self.assign(row, app, APP_FIELDS)
        if changed or new:
            check(row, exclude=["default_version"])
            row.save()
        if new or mark is None or mark.source != self.source:
            SyncedApplication.objects.update_or_create(application=row, defaults={"source": self.source})
        if not new:
            details += changed

        versions, more, alone = self.versions(row, app, new or mark is None)
        details += more
        default = versions.get(app["default_version"])
        if row.default_version != default:
            row.default_version = default
            row.save()
            if not new:
                details.append("default_version")
        notes = []
        if self.prune:
            gone, notes = self.prune_versions(row, versions)
            details += gone
        if alone:
            raise Refused(LEFT_ALONE, alone)
        if new:
            return Result(slug, ADDED, ["%d version%s" % (len(versions), "" if len(versions) == 1 else "s")])
        return Result(slug, UPDATED if details else UNCHANGED, details + notes)

    def versions(self, row, app, taken_over):
        """Brings in the versions of an app. Gives their rows by version, what
        changed, and which versions of CloudLaunch's own are in the way."""
        there = {v.version: v for v in ApplicationVersion.objects.filter(application=row)}
        ours = set(SyncedVersion.objects.filter(version__application=row).values_list("version_id", flat=True))
        rows, details, alone = {}, [], []
        for version in app["versions"]:
            name = version["version"]
            known = name in there
            v = there.get(name) or ApplicationVersion(application=row, version=name)
            changed = self.assign(v, version, VERSION_FIELDS)
            rows[name] = v
            if known and v.pk not in ours and changed and not taken_over:
                alone.append("CloudLaunch has a version %s of its own, which is another: delete or rename it" % name)
                continue
            if changed or not known:
                check(v, where="version %s: " % name)
                v.save()
                details.append("version %s%s" % (name, "" if known else " added"))
            if v.pk not in ours:
                SyncedVersion.objects.create(version=v)
        return rows, details, alone

    def differs(self, row, app):
        """Tells whether a row of CloudLaunch's own is another app than this one."""
        if any(not self.same(row, field, app[field]) for field in APP_FIELDS):
            return True
        there = {v.version: v for v in ApplicationVersion.objects.filter(application=row)}
        return any(
            v["version"] in there and any(not self.same(there[v["version"]], field, v[field]) for field in VERSION_FIELDS)
            for v in app["versions"]
        )

    def assign(self, row, values, fields):
        """Sets the fields that differ, and gives their names."""
        changed = [field for field in fields if row.pk is None or not self.same(row, field, values[field])]
        for field in changed:
            setattr(row, field, self.written(values[field]) if field == "default_launch_config" else values[field])
        return changed

    def same(self, row, field, value):
        have = getattr(row, field)
        if field != "default_launch_config":
            return have == value
        if not have or not value:
            return not have and not value
        try:  # however it is written
            return (yaml.safe_load(have) if self.yaml else json.loads(have)) == value
        except (ValueError, yaml.YAMLError):
            return False

    def written(self, config):
        """A launch config as this CloudLaunch reads it."""
        if not config:
            return None
        try:
            if self.yaml:
                return yaml.safe_dump(config, default_flow_style=False, allow_unicode=True)
            return json.dumps(config, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, yaml.YAMLError) as e:
            raise Refused(REFUSED, ["default_launch_config can't be written: %s" % e])

    def prune_versions(self, row, kept):
        """Deletes our versions that the app has no more. Gives what was deleted, and
        what stays because it is in use."""
        deleted, stays = [], []
        gone = SyncedVersion.objects.filter(version__application=row).exclude(version__version__in=list(kept))
        for mark in gone.select_related("version").order_by("version__version"):
            used = others(mark.version)
            if used:
                stays.append("version %s is gone, but stays here with %s" % (mark.version.version, used))
            else:
                deleted.append("version %s deleted" % mark.version.version)
                mark.version.delete()
        return deleted, stays

    def remove(self, slug):
        """Takes out an app that the catalogue has no more. What others made of it
        (deployments, images on clouds) would go with it: then it is only hidden."""
        row = Application.objects.get(slug=slug)
        used = others(row)
        if not used:
            row.delete()
            return Result(slug, DELETED)
        if row.status == Application.DEV:
            return Result(slug, UNCHANGED, ["hidden: %s" % used])
        row.status = Application.DEV
        row.save()
        return Result(slug, HIDDEN, ["its status is DEV now; deleting it would also delete %s" % used])


def writes_yaml():
    """Tells the newer models, whose launch configs are YAML, from the older."""
    try:
        ApplicationVersion._meta.get_field("default_target")
        return True
    except FieldDoesNotExist:
        return False


def check(row, exclude=None, where=""):
    """Holds a row to all limits of its model."""
    wrong = []
    try:
        row.full_clean(exclude=exclude)
    except ValidationError as e:
        for field, messages in e.message_dict.items():
            wrong += ["%s%s: %s" % (where, field, message) for message in messages]
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        # Django holds text fields to their length in forms only.
        if isinstance(field, models.TextField) and field.max_length and isinstance(value, str) and len(value) > field.max_length:
            wrong.append("%s%s: it has %d characters, CloudLaunch takes %d" % (where, field.name, len(value), field.max_length))
    if wrong:
        raise Refused(REFUSED, wrong)


def others(row):
    """What would be deleted with a row although it is not ours, in words; or ""."""
    collector = NestedObjects(using=router.db_for_write(type(row), instance=row))
    collector.collect([row])
    ours = set(SyncedVersion.objects.values_list("version_id", flat=True))
    found = []
    for model, rows in collector.data.items():
        if model in (Application, SyncedApplication, SyncedVersion) or model._meta.auto_created:
            continue  # auto_created: the lines between apps and categories
        n = len([r for r in rows if model is not ApplicationVersion or r.pk not in ours])
        if n:
            found.append("%d %s" % (n, model._meta.verbose_name if n == 1 else model._meta.verbose_name_plural))
    found += ["1 %s" % one._meta.verbose_name for one in collector.protected]
    return ", ".join(sorted(found))
