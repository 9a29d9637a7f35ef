"""manage.py appstore_sync: see help, or the package's README."""

import sys
from collections import Counter

from django.core.management.base import BaseCommand, CommandError

from appstore_cloudlaunch import __version__, catalogue, sync

# Exit codes. 2 is a mistake in the command line, as everywhere in Django.
INCOMPLETE, UNREADABLE = 1, 3


class Command(BaseCommand):
    help = (
        "Brings the apps of an AppStore into this CloudLaunch, and those that changed again. "
        "Apps that did not come from there are never touched. "
        "Exit codes: 0 all are as in the AppStore; 1 some are not, and why was said; 3 the AppStore can't be read, nothing was changed."
    )
    exit_code = None

    def get_version(self):
        return __version__

    def add_arguments(self, parser):
        parser.add_argument("url", metavar="URL", help="address of the AppStore, such as https://example.org")
        parser.add_argument("--category", action="append", default=[], metavar="NAME", help="only apps of this category (may be repeated: any of them)")
        parser.add_argument("--q", metavar="QUERY", help="only apps that the AppStore's search finds for this")
        parser.add_argument("--adopt", action="append", default=[], metavar="SLUG", help="replace this app of CloudLaunch's own, or of another AppStore (may be repeated)")
        parser.add_argument("--prune", action="store_true", help="delete what came from this AppStore and is not in the answer any more; what is in use is hidden instead")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    def run_from_argv(self, argv):
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            # Before 3.1 Django has one exit code for all errors.
            if end.code == 1 and self.exit_code:
                sys.exit(self.exit_code)
            raise

    def handle(self, *args, **options):
        try:
            source = catalogue.source_of(options["url"])
            apps = catalogue.apps(catalogue.fetch(source, options["category"], options["q"]))
        except catalogue.Unreadable as e:
            raise self.failure(UNREADABLE, "The AppStore's catalogue can't be read, and nothing was changed: %s" % e)
        if options["prune"] and not apps:
            raise self.failure(UNREADABLE, "The AppStore has no app at all for this selection: with --prune that would take out everything, so nothing was changed")
        unknown = sorted(set(options["adopt"]) - {app.get("slug") for app in apps if isinstance(app, dict)})
        if unknown:
            raise self.failure(UNREADABLE, "--adopt: the AppStore's catalogue has no app %s, so nothing was changed" % ", ".join(unknown))

        count = Counter()
        for result in sync.Sync(source, options["adopt"], options["prune"], options["dry_run"]).run(apps):
            count[result.outcome] += 1
            self.tell(result, options["verbosity"])
        self.stdout.write(
            "%s%s from %s"
            % (
                "Nothing was done; this would be: " if options["dry_run"] else "",
                ", ".join("%d %s" % (n, outcome) for outcome, n in count.items()) or "no apps",
                source,
            )
        )
        missed = sum(count[outcome] for outcome in sync.PROBLEMS)
        if missed:
            raise self.failure(INCOMPLETE, "%d of %d apps are not as in the AppStore" % (missed, sum(count.values())))

    def tell(self, result, verbosity):
        """One line for each app; with --verbosity 0 only for problems."""
        problem = result.outcome in sync.PROBLEMS
        if verbosity == 0 and not problem:
            return
        line = "%-10s %s" % (result.outcome, result.slug)
        if result.details:
            line += ": " + "; ".join(result.details)
        (self.stderr if problem else self.stdout).write(line)

    def failure(self, code, text):
        self.exit_code = code
        error = CommandError(text)
        error.returncode = code
        return error
