"""Runs the command against the real models of CloudLaunch, and a real server of
catalogues. How: see the README."""

import http.server
import io
import json
import subprocess
import sys
import threading

import yaml
from cloudlaunch import models as cl
from django.core.management import CommandError, call_command
from django.test import TestCase

from appstore_cloudlaunch import sync
from appstore_cloudlaunch.models import SyncedApplication, SyncedVersion

YAML = sync.writes_yaml()


def version(name, **more):
    return dict(
        {
            "version": name,
            "frontend_component_path": "app/plugins",
            "frontend_component_name": "demo-form",
            "backend_component_name": "demo.plugin.Plugin",
            "default_launch_config": {"config_demo": {"size": 3, "text": "yes", "umlaut": "ä", "template": "{{ x }}\n"}},
        },
        **more
    )


def app(slug, **more):
    return dict(
        {
            "slug": slug,
            "name": "App " + slug,
            "status": "LIVE",
            "summary": "A summary",
            "maintainer": "jane@example.org",
            "description": "First line.\r\n\r\nLast line. ",
            "info_url": "https://example.org/app",
            "icon_url": "",
            "display_order": 1000,
            "default_version": "1.0",
            "default_launch_config": None,
            "versions": [version("1.0"), version("2.0 (beta)", default_launch_config=None)],
        },
        **more
    )


class Server(http.server.ThreadingHTTPServer):
    """Serves .body, with .status, as an AppStore's registry file."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status, self.body, self.asked, self.length = 200, b"", [], None
        self.url = "http://127.0.0.1:%d/shop" % self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Content-Length", self.server.length or len(self.server.body))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args):
        pass


class Base(TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def run_sync(self, *apps, fails=None, args=()):
        """Syncs these apps. Gives what was written; the error must have the code
        that fails says, and there must be none without."""
        if apps:
            self.server.body = yaml.safe_dump({"apps": list(apps)}, allow_unicode=True).encode()
        out, err = io.StringIO(), io.StringIO()
        code = None
        try:
            call_command("appstore_sync", self.server.url, *args, stdout=out, stderr=err)
        except CommandError as e:
            code = e.returncode
            err.write("%s\n" % e)
        text = out.getvalue() + err.getvalue()
        self.assertEqual(code, fails, text)
        return text

    def rows(self):
        """Every column of the catalogue, times and ids too."""
        return [list(model.objects.order_by("pk").values()) for model in (cl.Application, cl.ApplicationVersion, SyncedApplication, SyncedVersion)]


def config(row):
    return (yaml.safe_load if YAML else json.loads)(row.default_launch_config)


class SyncTest(Base):
    def test_adds_all_of_it(self):
        text = self.run_sync(app("one"), app("two", status="DEV", default_version=None, default_launch_config={"a": {"b": 1}}))
        self.assertIn("added      one: 2 versions", text)
        one, two = cl.Application.objects.get(slug="one"), cl.Application.objects.get(slug="two")
        for key, value in app("one").items():
            if key not in ("versions", "default_version", "default_launch_config"):
                self.assertEqual(getattr(one, key), value, key)
        self.assertEqual(one.default_version.version, "1.0")
        self.assertEqual(config(one.default_version), version("1.0")["default_launch_config"])
        self.assertIsNone(one.versions.get(version="2.0 (beta)").default_launch_config)
        self.assertEqual((two.status, two.default_version, config(two)), ("DEV", None, {"a": {"b": 1}}))

    def test_second_run_changes_nothing(self):
        apps = app("one"), app("two")
        self.run_sync(*apps)
        before = self.rows()
        text = self.run_sync(*apps, args=["--prune"])
        self.assertIn("2 unchanged from", text)
        self.assertEqual(self.rows(), before)

    def test_updates_what_changed_and_keeps_ids(self):
        self.run_sync(app("one"), app("two"))
        ids = set(cl.ApplicationVersion.objects.values_list("pk", flat=True))
        two = list(cl.Application.objects.filter(slug="two").values())
        changed = app("one", summary="Another", default_version="3.0")
        changed["versions"][0]["backend_component_name"] = "demo.other.Plugin"
        changed["versions"].append(version("3.0"))
        text = self.run_sync(changed, app("two"))
        self.assertIn("updated    one: summary; version 1.0; version 3.0 added; default_version\n", text)
        one = cl.Application.objects.get(slug="one")
        self.assertEqual((one.summary, one.default_version.version), ("Another", "3.0"))
        self.assertEqual(one.versions.get(version="1.0").backend_component_name, "demo.other.Plugin")
        self.assertLess(ids, set(cl.ApplicationVersion.objects.values_list("pk", flat=True)))
        self.assertEqual(list(cl.Application.objects.filter(slug="two").values()), two)

    def test_formatting_of_a_config_is_no_change(self):
        self.run_sync(app("one"))
        v = cl.ApplicationVersion.objects.get(version="1.0")
        text = json.dumps(config(v), indent=7)
        cl.ApplicationVersion.objects.filter(pk=v.pk).update(default_launch_config=text)
        self.assertIn("1 unchanged", self.run_sync(app("one")))

    def test_dry_run_says_the_same_and_does_nothing(self):
        self.run_sync(app("one"), app("gone"))
        before = self.rows()
        apps = app("one", summary="Another"), app("new"), app("bad", name="x" * 61)
        said = self.run_sync(*apps, fails=1, args=["--dry-run", "--prune"])
        self.assertEqual(self.rows(), before)
        self.assertIn("Nothing was done; this would be: 1 updated, 1 added, 1 refused, 1 deleted from", said)
        done = self.run_sync(*apps, fails=1, args=["--prune"])
        self.assertEqual(said.replace("Nothing was done; this would be: ", ""), done)
        self.assertNotEqual(self.rows(), before)

    def test_selection_is_asked_for(self):
        self.run_sync(app("one"), args=["--category", "a b", "--category", "c", "--q", "x&y"])
        self.assertEqual(self.server.asked, ["/shop/compat/app-registry.yaml?category=a+b&category=c&q=x%26y"])

    def test_quiet(self):
        text = self.run_sync(app("one"), app("bad", name=""), fails=1, args=["--verbosity", "0"])
        self.assertNotIn("one:", text)
        self.assertIn("refused    bad: name is empty", text)


class OthersTest(Base):
    """What is CloudLaunch's own stays."""

    def own(self, slug, **more):
        row = cl.Application.objects.create(slug=slug, name="Own", status="LIVE", **more)
        return row, cl.ApplicationVersion.objects.create(application=row, version="1.0", backend_component_name="own.Plugin")

    def test_an_app_of_its_own_is_left_alone(self):
        self.own("one")
        self.own("elsewhere")
        before = self.rows()
        text = self.run_sync(app("one"), fails=1, args=["--prune"])
        self.assertIn("left alone one: CloudLaunch has an app of its own", text)
        self.assertEqual(self.rows(), before)

    def test_an_equal_app_is_taken_over_without_a_change(self):
        self.run_sync(app("one"))
        SyncedVersion.objects.all().delete()
        SyncedApplication.objects.all().delete()
        before = self.rows()[:2]
        self.assertIn("1 unchanged", self.run_sync(app("one")))
        self.assertEqual(self.rows()[:2], before)
        self.assertEqual((SyncedApplication.objects.count(), SyncedVersion.objects.count()), (1, 2))

    def test_adopt(self):
        _, own = self.own("one")
        text = self.run_sync(app("one"), args=["--adopt", "one"])
        self.assertIn("updated    one: belongs to " + self.server.url, text)
        own.refresh_from_db()
        self.assertEqual(own.backend_component_name, "demo.plugin.Plugin")
        self.assertIn("1 unchanged", self.run_sync(app("one")))
        self.assertIn("no app nobody", self.run_sync(app("one"), fails=3, args=["--adopt", "nobody"]))

    def test_an_app_of_another_appstore_is_left_alone(self):
        self.run_sync(app("one"))
        SyncedApplication.objects.update(source="https://other.example.org")
        text = self.run_sync(app("one", summary="Ours"), app("two"), fails=1, args=["--prune"])
        self.assertIn("left alone one: it comes from https://other.example.org", text)
        self.run_sync(app("two"), args=["--prune"])
        self.assertTrue(cl.Application.objects.filter(slug="one").exists())

    def test_a_version_of_its_own_is_left_alone_and_nothing_else_comes_in(self):
        self.run_sync(app("one"))
        row = cl.Application.objects.get(slug="one")
        cl.ApplicationVersion.objects.create(application=row, version="3.0", backend_component_name="own.Plugin")
        before = self.rows()
        text = self.run_sync(app("one", summary="New", versions=[version("1.0"), version("3.0")]), fails=1, args=["--prune"])
        self.assertIn("left alone one: CloudLaunch has a version 3.0 of its own", text)
        self.assertEqual(self.rows(), before)

    def test_a_new_app_at_the_slug_of_a_deleted_one_is_not_ours(self):
        self.run_sync(app("one"))
        cl.Application.objects.get(slug="one").delete()
        self.own("one")
        self.run_sync(app("one"), fails=1)


class PruneTest(Base):
    def test_only_what_is_gone_goes(self):
        self.run_sync(app("one"), app("two"))
        self.assertIn("1 unchanged", self.run_sync(app("one")))
        self.assertEqual(cl.Application.objects.count(), 2)
        one = app("one", versions=[version("1.0")])
        text = self.run_sync(one, args=["--prune"])
        self.assertIn("updated    one: version 2.0 (beta) deleted\ndeleted    two\n", text)
        self.assertEqual(list(cl.Application.objects.values_list("slug", flat=True)), ["one"])
        self.assertEqual(list(cl.ApplicationVersion.objects.values_list("version", flat=True)), ["1.0"])

    def test_what_is_in_use_is_hidden(self):
        self.run_sync(app("one"), app("two"))
        for v in cl.ApplicationVersion.objects.filter(version="1.0"):
            self.use(v)
        two = app("two", default_version="2.0 (beta)", versions=[version("2.0 (beta)", default_launch_config=None)])
        text = self.run_sync(two, args=["--prune"])
        self.assertRegex(text, r"updated    two: default_version; version 1.0 is gone, but stays here with 1 ")
        self.assertRegex(text, r"hidden     one: its status is DEV now; deleting it would also delete 1 ")
        self.assertEqual(cl.Application.objects.get(slug="one").status, "DEV")
        before = self.rows()
        self.assertIn("2 unchanged from", self.run_sync(two, args=["--prune"]))
        self.assertEqual(self.rows(), before)
        self.assertIn("updated    one: status", self.run_sync(two, app("one")))

    def use(self, v):
        """What an administrator does so that a version can be launched on a cloud."""
        from djcloudbridge import models as cb

        if YAML:
            target = cl.KubernetesDeploymentTarget.objects.create(kube_config="{}")
            cl.ApplicationVersionTargetConfig.objects.create(application_version=v, target=target)
            return
        cloud, _ = cb.AWS.objects.get_or_create(name="Demo", slug="demo-cloud", defaults={"region_name": "r", "ec2_endpoint_url": "e", "s3_endpoint_url": "s"})
        image = cl.CloudImage.objects.create(name="img", image_id="ami-demo", cloud=cloud)
        cl.ApplicationVersionCloudConfig.objects.create(application_version=v, cloud=cloud, image=image)

    def test_an_empty_answer_prunes_nothing(self):
        self.run_sync(app("one"))
        self.server.body = b"apps: []\n"
        self.assertIn("nothing was changed", self.run_sync(fails=3, args=["--prune"]))
        self.assertIn("no apps from", self.run_sync())
        self.assertEqual(cl.Application.objects.count(), 1)

    def test_a_refused_app_is_not_pruned(self):
        self.run_sync(app("one"), app("two"))
        self.run_sync(app("one", name=None), app("two"), fails=1, args=["--prune"])
        self.assertEqual(cl.Application.objects.count(), 2)


class LimitsTest(Base):
    def test_what_is_over_a_limit_is_refused_and_the_rest_comes_in(self):
        limit = cl.ApplicationVersion._meta.get_field("default_launch_config").max_length
        for bad, said in [
            (app("bad", name="x" * 61), "name: Ensure this value has at most 60 characters"),
            (app("bad", summary="x" * 141), "summary: Ensure this value has at most 140 characters"),
            (app("bad", maintainer="x" * 256), "maintainer: Ensure"),
            (app("bad", description="x" * 32768), "description: it has 32768 characters, CloudLaunch takes 32767"),
            (app("bad", info_url="no url"), "info_url: Enter a valid URL"),
            (app("bad", icon_url="javascript:alert(1)"), "icon_url: Enter a valid URL"),
            (app("bad", icon_url="https://example.org/" + "x" * 2048), "icon_url: Ensure"),
            (app("bad", status="ALIVE"), "status: Value 'ALIVE' is not a valid choice"),
            (app("bad slug"), "slug: Enter a valid "),
            (app("x" * 101), "slug: Ensure this value has at most 100 characters"),
            (app("bad", versions=[version("1.0", default_launch_config={"a": "x" * limit})]), "version 1.0: default_launch_config: it has "),
            (app("bad", versions=[version("1.0"), version("x" * 31)]), "version: Ensure this value has at most 30 characters"),
            (app("bad", versions=[version("1.0", backend_component_name="x" * 256)]), "backend_component_name: Ensure"),
            (app("bad", versions=[version("1.0"), version("1.0")]), "versions[1]: version 1.0 is there twice"),
            (app("bad", default_version="9"), "default_version 9 is none of the versions"),
            (app("bad", display_order="first"), "display_order is 'first' and no whole number"),
            (app("bad", display_order=True), "display_order is True and no whole number"),
            (app("bad", default_launch_config="text"), "default_launch_config has no keys and values"),
            (app("bad", default_launch_config={"a": {1, 2}}), "default_launch_config can't be written" if not YAML else None),
            (app("bad", name=7), "name is 7 and no text"),
            (app("bad", colour="red"), "colour is unknown"),
            (app("bad", versions=None), "versions is no list"),
            (app("bad", versions=["1.0"]), "versions[0]: it has no keys and values"),
            ({k: v for k, v in app("bad").items() if k != "icon_url"}, "icon_url is missing"),
            ("bad", "it has no keys and values"),
            (app(""), "slug is empty"),
        ]:
            if said is None:
                continue
            with self.subTest(said):
                cl.Application.objects.all().delete()
                text = self.run_sync(bad, app("good"), fails=1)
                self.assertIn("refused", text)
                self.assertIn(said, text)
                self.assertIn("1 of 2 apps are not as in the AppStore", text)
                self.assertEqual(list(cl.Application.objects.values_list("slug", flat=True)), ["good"])

    def test_all_that_is_wrong_is_told(self):
        text = self.run_sync(app("bad", name="x" * 61, info_url="no"), fails=1)
        self.assertIn("name: ", text)
        self.assertIn("info_url: ", text)

    def test_a_refused_update_leaves_the_app_as_it_was(self):
        self.run_sync(app("one"))
        before = self.rows()
        self.run_sync(app("one", summary="New", versions=[version("1.0"), version("x" * 31)]), fails=1)
        self.assertEqual(self.rows(), before)

    def test_a_slug_twice(self):
        self.assertIn("twice", self.run_sync(app("one"), app("one", name="Two"), fails=1))
        self.assertEqual(cl.Application.objects.get().name, "App one")


class UnreadableTest(Base):
    def test_what_is_no_catalogue(self):
        for body, said in [
            (b"", "no list of apps"),
            (b"[]", "no list of apps"),
            (b"apps: 7", "no list of apps"),
            (b"<html><body>{{</html>", "Is this the address of an AppStore?"),
            (b"apps: [", "it is no YAML"),
            (b"\xff\xfe\xfa", "it is no YAML"),
            (b"apps: [!!python/object/apply:os.system ['true']]", "it is no YAML"),
            (b"a: &a [x, x]\nb: &b [*a, *a]\napps: [*b, *b]", "line 2: an alias (*a)"),
            (b"apps: " + b"[" * 100000, "over 100 levels"),
            (b"apps:\n- " + b"{a: " * 5000 + b"1" + b"}" * 5000, "over 100 levels"),
        ]:
            with self.subTest(body[:40]):
                self.server.body = body
                text = self.run_sync(fails=3)
                self.assertIn(said, text)
                self.assertIn("nothing was changed", text)

    def test_errors_of_the_server(self):
        self.server.status, self.server.body = 503, b'{"detail":"Search is not available"}'
        self.assertIn("503 Service Unavailable: {\"detail\":\"Search is not available\"}", self.run_sync(fails=3))
        self.server.status = 404
        self.assertIn("404", self.run_sync(fails=3))

    def test_cut_off(self):
        self.server.body = yaml.safe_dump({"apps": [app("one"), app("two")]}).encode()
        self.server.body = self.server.body[: self.server.body.rindex(b"- ")]
        self.server.length = len(self.server.body) + 100
        self.server.handle_error = lambda *args: None
        self.assertIn("cut off", self.run_sync(fails=3))

    def test_nobody_is_there(self):
        self.server.shutdown()
        self.server.server_close()
        self.assertIn("can't be read", self.run_sync(fails=3))

    def test_what_is_no_address(self):
        for url in ("example.org", "file:///etc/passwd", "ftp://example.org", "https://", "https://example.org/?q=x"):
            self.server.url = url
            self.assertIn("is not the address of an AppStore", self.run_sync(fails=3))


class ProcessTest(Base):
    def test_exit_codes(self):
        for args, code in [(["appstore_sync", "nowhere"], 3), (["appstore_sync"], 2), (["appstore_sync", "--version"], 0), (["makemigrations", "--check", "--dry-run", "appstore_cloudlaunch"], 0)]:
            done = subprocess.run([sys.executable, "-m", "django"] + args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, code, done.stdout.decode())


del Base  # it has no tests of its own
