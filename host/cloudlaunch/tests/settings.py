"""Settings of the real cloudlaunch-server 2.0.2, with our app, for tests.

CLOUDLAUNCH_DATA names an existing folder for the database and the log.
"""

import os
import sys
import types

from cloudlaunchserver.settings import *  # noqa: F401,F403
from cloudlaunchserver.settings import INSTALLED_APPS, LOGGING, REST_FRAMEWORK

DATA = os.environ["CLOUDLAUNCH_DATA"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(DATA, "db.sqlite3")}}
LOGGING["handlers"]["file"]["filename"] = os.path.join(DATA, "cloudlaunch.log")

# Since 3.10 Django REST Framework makes OpenAPI of the schema, which CloudLaunch's
# views can't.
REST_FRAMEWORK = dict(REST_FRAMEWORK, DEFAULT_SCHEMA_CLASS="rest_framework.schemas.coreapi.AutoSchema")

# CloudBridge imports the packages of all clouds; the SDKs of these two are not
# installed.
for _cloud in ("azure", "openstack"):
    sys.modules["cloudbridge.cloud.providers." + _cloud] = types.ModuleType(_cloud)

INSTALLED_APPS += ["appstore_cloudlaunch"]
